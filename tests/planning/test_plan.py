"""Every name and number is checked before anything starts."""

from pathlib import Path

import pytest

from cnnbench.data import DataError
from cnnbench.planning.plan import folder_of, make_plan
from cnnbench.planning.request import PlanError, Request, RunOptions


@pytest.fixture
def photos(photos_of):
    return photos_of(train=4, test=2)


def plan_of(photos, **changes):
    values = {"models": ["alexnet", "resnet"], "dataset": photos, **changes}
    made, _ = make_plan(
        Request(**values),
        device="cpu",
        precision="fp32",
        machine={},
        argv=["run"],
    )
    return made


def test_a_family_name_is_its_smallest_published_configuration(photos):
    cells = plan_of(photos, models=["alexnet", "vgg", "resnet", "googlenet"]).cells
    assert [cell.model for cell in cells] == ["alexnet", "vgg11", "resnet18", "googlenet"]


def test_seeds_take_turns_over_the_models(photos):
    cells = plan_of(photos, seeds=[0, 5]).cells
    assert [(cell.model, cell.seed) for cell in cells] == [
        ("alexnet", 0),
        ("resnet18", 0),
        ("alexnet", 5),
        ("resnet18", 5),
    ]


def test_every_model_gets_the_same_budget(photos):
    cells = plan_of(photos, budget="90s").cells
    assert {(cell.budget.currency, cell.budget.limit) for cell in cells} == {("seconds", 90.0)}


def test_the_same_request_gives_the_same_folder_and_others_another(photos):
    first, again, other = plan_of(photos), plan_of(photos), plan_of(photos, budget="3m")
    options = RunOptions()
    assert folder_of(first, options) == folder_of(again, options) != folder_of(other, options)
    assert folder_of(first, RunOptions(tune=2)).name.endswith("-tune2")
    assert folder_of(first, RunOptions(out="there", tune=2)) == Path("there")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"models": []}, "no model"),
        ({"models": ["alexnett"]}, "did you mean 'alexnet'"),
        ({"models": ["vgg", "vgg11"]}, "named twice"),
        ({"budget": "-2m"}, "more than zero"),
        ({"budget": "0s"}, "more than zero"),
        ({"budget": "soon"}, "amount with a unit"),
        ({"recipe": "comon"}, "did you mean 'common'"),
        ({"lr": [0.0]}, "learning rate"),
        ({"batch_size": [-1]}, "batch size"),
        ({"image_size": 2}, "--image-size"),
        ({"image_size": 0}, "--image-size must be at least 36, saw 0"),
        ({"evaluations": 0}, "--evaluations must be at least 1, saw 0"),
        ({"image_size": 0, "smoke": True}, "--image-size must be at least 36, saw 0"),
        ({"evaluations": 0, "smoke": True}, "--evaluations must be at least 1, saw 0"),
        ({"batch_size": 0, "smoke": True}, "batch size must be at least 1, saw 0"),
        ({"budget": 0, "smoke": True}, "amount with a unit"),
        ({"lr": 0}, "learning rate"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": []}, "seeds"),
    ],
)
def test_a_wrong_request_is_refused_with_what_to_do(photos, changes, complaint):
    with pytest.raises(PlanError, match=complaint):
        plan_of(photos, **changes)


def test_a_dataset_that_is_not_there_is_a_data_error(photos):
    with pytest.raises(DataError):
        plan_of(photos + "-missing")


def test_a_smoke_run_is_small_and_says_what_it_left_out(photos):
    plan = plan_of(photos, smoke=True)
    assert {str(cell.budget) for cell in plan.cells} == {"48img"}
    assert {cell.subset for cell in plan.cells} == {48}
    assert any("only the first images" in notice for notice in plan.dataset.notices)


def test_what_was_typed_in_a_smoke_run_wins_and_is_named(photos):
    plan = plan_of(photos, smoke=True, budget="5m", image_size=64)
    assert {(str(cell.budget), cell.image_size) for cell in plan.cells} == {("5m", 64)}
    assert plan.dataset.notices[-1] == (
        "a smoke run with what was typed: --budget 5m (not 48img), --image-size 64 (not 96)"
    )


def test_a_smoke_run_of_which_nothing_else_was_typed_says_nothing_of_it(photos):
    for changes in ({}, {"budget": "48img", "batch_size": [8]}):
        notices = plan_of(photos, smoke=True, **changes).dataset.notices
        assert not any("typed" in notice for notice in notices)


def test_a_ladder_of_budgets_gives_every_model_a_run_of_its_own_on_each_rung(photos):
    cells = plan_of(photos, budget="1m,15s", seeds=[0, 1]).cells
    assert [(c.seed, str(c.budget), c.model) for c in cells[:5]] == [
        (0, "15s", "alexnet"),
        (0, "15s", "resnet18"),
        (0, "1m", "alexnet"),
        (0, "1m", "resnet18"),
        (1, "15s", "alexnet"),
    ]
    assert len(cells) == 8


def test_a_grid_trains_every_combination_once(photos):
    cells = plan_of(photos, models=["alexnet"], lr=[0.1, 0.01], batch_size=[4, 8, 16]).cells
    assert len({cell.digest for cell in cells}) == 6
    assert {(cell.recipe.lr, cell.recipe.batch_size) for cell in cells} == {
        (lr, size) for lr in (0.1, 0.01) for size in (4, 8, 16)
    }


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"budget": "30s,2ep"}, "one currency"),
        ({"budget": "30s,0.5m"}, "twice"),
        ({"lr": [0.1, 0.1]}, "same"),
        ({"recipe": "paper", "models": ["lenet5"]}, "no paper recipe"),
        ({"memory": "8"}, "8GiB"),
        ({"memory": "1.2.3GiB"}, "8GiB"),
        ({"memory": "0GiB"}, "8GiB"),
        ({"memory": "100MiB"}, "are allowed; allow more$"),
        ({"memory": "604MiB", "models": ["resnet20"]}, "or try a smaller --image-size"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(photos, changes, complaint):
    with pytest.raises(PlanError, match=complaint):
        plan_of(photos, **changes)


def test_memory_splits_a_batch_into_passes_and_keeps_its_size(photos):
    small, large = (
        plan_of(photos, models=["resnet"], memory=memory, batch_size=[64]).cells[0]
        for memory in ("2GiB", "64GiB")
    )
    assert small.recipe.batch_size == large.recipe.batch_size == 64
    assert small.micro_batch is not None
    assert 2 <= small.micro_batch < 64
    assert large.micro_batch is None
    assert small.digest != large.digest
