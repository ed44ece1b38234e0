import pytest

import zoo
from zoo import cards
from zoo.verify import close, layout, numerics, verify

STATEMENTS = cards.papers()["statements"]
# Seconds each: they import another library or lay out more than a thousand layers.
SLOW = {"library_params", "library_difference"}


def quick(statement):
    return statement.get("check") not in SLOW and statement["model"] != "resnet1202"


def test_at_least_sixty_statements_with_a_source_are_checked():
    checked = [s for s in STATEMENTS if "check" in s]
    assert len(checked) >= 60
    assert all(s["source"] for s in STATEMENTS)


def test_statements_are_unique_and_belong_to_registered_models():
    assert len({s["id"] for s in STATEMENTS}) == len(STATEMENTS)
    assert {s["model"] for s in STATEMENTS} <= set(zoo.list_models())


def test_every_check_names_a_measure_and_every_unchecked_statement_says_why():
    measures = layout.MEASURES | numerics.MEASURES
    assert not set(layout.MEASURES) & set(numerics.MEASURES)
    for statement in STATEMENTS:
        assert statement["check"] in measures if "check" in statement else statement["note"]


@pytest.mark.parametrize("family", ["lenet", "alexnet", "zfnet", "vgg", "googlenet", "fourlayer"])
def test_no_statement_of_a_family_disagrees(family, monkeypatch):
    wanted = [s for s in STATEMENTS if quick(s)]
    monkeypatch.setitem(cards.papers(), "statements", wanted)
    verdicts = list(verify([family]))
    assert verdicts
    assert [v.id for v in verdicts if v.agrees is False] == []


@pytest.mark.slow
def test_no_statement_disagrees():
    assert [v.id for v in verify() if v.agrees is False] == []


def test_a_wrong_expectation_is_found(monkeypatch):
    wrong = dict(next(s for s in STATEMENTS if s["id"] == "lenet5/params"), expected=61706)
    monkeypatch.setitem(cards.papers(), "statements", [wrong])
    (verdict,) = verify(["lenet5"])
    assert (verdict.paper, verdict.ours, verdict.agrees) == (61706, 60000, False)


def test_a_statement_that_needs_training_is_neither_right_nor_wrong():
    verdicts = {v.id: v for v in verify(["alexnet-no-lrn"])}
    assert verdicts["alexnet-no-lrn/effect"].agrees is None
    assert "not run" in verdicts["alexnet-no-lrn/effect"].note


def test_verify_takes_a_model_a_family_or_an_alias():
    assert {v.model for v in verify(["zfnet-wide"])} == {"zfnet-wide"}
    assert {v.model for v in verify(["zfnet"])} == {"zfnet", "zfnet-wide"}
    assert {v.model for v in verify(["vgg-c"])} == {"vgg16-c"}


def test_verify_refuses_an_unknown_name_before_checking():
    with pytest.raises(zoo.UnknownModel):
        verify(["alexnet", "alexnett"])


@pytest.mark.parametrize(
    ("expected", "ours", "agree"),
    [
        (1.0, 1.05, True),
        (1.0, 1.2, False),
        ([1, [2, 3]], [1, [2, 3]], True),
        ([1, 2], [1, 2, 3], False),
        (True, 1, False),
        ("conv", "conv", True),
        (1.0, float("nan"), False),
        ([1], None, False),
    ],
)
def test_values_are_compared_element_by_element(expected, ours, agree):
    assert close(expected, ours, tolerance=0.1) is agree
