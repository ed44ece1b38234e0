"""`cnnbench verify` says what agrees, and leaves with 1 when something does not."""

import json

import pytest

from cnnbench.cli.show.networks import show_verdicts
from zoo import UnknownModel, verify


def test_verdicts_are_printed_with_value_and_source(capsys):
    assert show_verdicts("zfnet", as_json=False) == 0
    shown = capsys.readouterr().out
    assert "62,357,608" in shown
    assert "disagree" in shown.splitlines()[-1]


def test_a_disagreement_leaves_with_one(capsys, monkeypatch):
    wrong = verify.Verdict(
        id="x/y", model="x", statement="two", paper=2, ours=3, agrees=False, source="table 1",
        printed=None, note="",
    )  # fmt: skip
    monkeypatch.setattr(verify, "verify", lambda names: iter([wrong]))
    assert show_verdicts(None, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)[0]["ours"] == 3
    assert show_verdicts(None, as_json=False) == 1
    assert "DISAGREES" in capsys.readouterr().out


def test_an_unknown_name_is_refused_before_the_first_check():
    with pytest.raises(UnknownModel):
        show_verdicts("alexnett", as_json=False)
