"""A change of settings is said once, with both values, also where a plan lacks the setting."""

from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.names import changes, differences
from cnnbench.schema.recipes import make_recipe


def test_a_setting_that_one_side_lacks_is_a_change():
    old, new = {"lr": "0.1", "subset": "48"}, {"lr": "0.1", "momentum": "0.9"}
    assert changes(old, new, missing="-") == [("subset", "48", "-"), ("momentum", "-", "0.9")]


def test_equal_settings_have_no_changes():
    assert changes({"lr": "0.1"}, {"lr": "0.1"}) == []


def plan(*settings):
    """A plan of cells, each `(lr, budget)` or `(lr, budget, model)`."""
    cells = tuple(
        Cell(
            model=model,
            dataset="fruits",
            dataset_fingerprint="f" * 64,
            recipe=make_recipe("common", family="resnet", lr=lr),
            budget=Budget.parse(budget),
            seed=seed,
            image_size=64,
            precision="fp32",
            device="cpu",
            evaluations=5,
        )
        for lr, budget, model in ((*setting, "resnet18")[:3] for setting in settings)
        for seed in (0, 1)
    )
    facts = DatasetFacts(
        name="fruits",
        title="fruit",
        drawn=True,
        classes=("a", "b"),
        images={"train": 2},
        curve_split="test",
        headline_split="test",
        fingerprint="f" * 64,
    )
    return Plan(cnnbench="0", argv=(), dataset=facts, cells=cells, machine={})


def test_one_value_that_changed_is_said_with_both():
    assert differences(plan((0.1, "2m")), plan((0.01, "2m"))) == ["recipe.lr: 0.1 -> 0.01"]


def test_a_value_more_in_a_sweep_is_no_change_of_the_others():
    old = plan((0.1, "2m"), (0.01, "2m"))
    new = plan((0.1, "2m"), (0.01, "2m"), (0.001, "2m"))
    assert differences(old, new) == ["cells: 4 -> 6", "recipe.lr: 0.1,0.01 -> 0.1,0.01,0.001"]
    assert differences(old, old) == []


def test_a_rung_more_on_a_ladder_of_two_networks_is_said_once():
    rungs = [(0.1, budget, model) for budget in ("1m", "2m") for model in ("resnet18", "resnet34")]
    more = [*rungs, (0.1, "4m", "resnet18"), (0.1, "4m", "resnet34")]
    assert differences(plan(*rungs), plan(*more)) == [
        "cells: 8 -> 12",
        "budget.limit: 60.0,120.0 -> 60.0,120.0,240.0",
    ]


def test_other_combinations_of_the_same_values_are_a_difference():
    old, new = plan((0.1, "1m"), (0.2, "2m")), plan((0.1, "2m"), (0.2, "1m"))
    (line,) = differences(old, new)
    assert "budget.limit: 60.0,120.0 -> 120.0,60.0" in line
    first = plan((0.1, "1m"), (0.2, "2m"), (0.1, "2m"))
    second = plan((0.1, "1m"), (0.2, "2m"), (0.2, "1m"))
    (line,) = differences(first, second)
    assert line == "resnet18 has the same values of its settings in other combinations"
