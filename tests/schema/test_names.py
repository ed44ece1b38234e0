"""A change of settings is said once, with both values, also where a plan lacks the setting."""

from cnnbench.schema.names import changes


def test_a_setting_that_one_side_lacks_is_a_change():
    old, new = {"lr": "0.1", "subset": "48"}, {"lr": "0.1", "momentum": "0.9"}
    assert changes(old, new, missing="-") == [("subset", "48", "-"), ("momentum", "-", "0.9")]


def test_equal_settings_have_no_changes():
    assert changes({"lr": "0.1"}, {"lr": "0.1"}) == []
