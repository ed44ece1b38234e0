"""Tuning gives every model the same trials, and never looks at validation or test images."""

import pytest

from cnnbench import api
from cnnbench.planning import plan as plan_module
from cnnbench.planning.plan import make_plan, open_for_cell
from cnnbench.planning.request import PlanError, Request
from cnnbench.planning.tuning import rates, trial_plan, tuned_rates, with_rates
from cnnbench.schema.result import Ranking, planned
from cnnbench.store import RunFolder


@pytest.fixture
def request_(photos_of):
    return Request(
        models=["alexnet", "resnet"],
        dataset=photos_of(train=10, val=2, test=2),
        budget="1000img",
        seeds=[0, 1],
        device="cpu",
        precision="fp32",
    )


@pytest.fixture
def planned_(request_):
    return make_plan(request_, device="cpu", precision="fp32", machine={}, argv=[])


@pytest.fixture
def plan(planned_):
    return planned_[0]


@pytest.fixture
def trials_of(planned_):
    return lambda count: trial_plan(*planned_, count)[0]


def outcome(cell, top1, **changes):
    values = {"status": "done", "top1": top1, "test_loss": 1.0} | changes
    return planned(cell).model_copy(update=values)


def test_every_model_gets_the_same_number_of_trials_in_turn(plan, trials_of):
    cells = trials_of(3).cells
    assert [cell.model for cell in cells] == ["alexnet", "resnet18"] * 3
    assert {cell.budget.limit for cell in cells} == {100.0}
    base = plan.cells[0].recipe.lr
    assert [cell.recipe.lr for cell in cells[::2]] == list(rates(base, 3))


def test_trials_see_only_training_images(plan, trials_of):
    cell = trials_of(2).cells[0]
    seen = open_for_cell(cell.dataset, cell.dataset_options, cell.subset, cell.holdout)
    whole = open_for_cell(cell.dataset, cell.dataset_options, None)
    names = [*seen.splits["train"].names, *seen.splits["val"].names]
    assert sorted(names) == sorted(whole.splits["train"].names)
    assert len(seen.splits["val"]) == 4
    assert "test" not in seen.splits
    assert seen.headline_split == "val"
    assert cell.dataset_fingerprint == seen.fingerprint != whole.fingerprint


def test_the_best_rate_on_the_hold_out_is_taken_for_every_cell_of_its_model(plan, trials_of):
    trials = trials_of(3)
    scores = {"alexnet": iter([0.1, 0.9, 0.4]), "resnet18": iter([0.5, 0.5, 0.2])}
    losses = {"alexnet": iter([1.0, 1.0, 1.0]), "resnet18": iter([2.0, 1.0, 1.0])}
    results = [
        outcome(cell, next(scores[cell.model]), test_loss=next(losses[cell.model]))
        for cell in trials.cells
    ]
    tuned = with_rates(plan, tuned_rates(trials, results))
    chosen = {cell.model: cell.recipe.lr for cell in tuned.cells}
    assert chosen["alexnet"] == rates(plan.cells[0].recipe.lr, 3)[1]
    assert chosen["resnet18"] == rates(plan.cells[1].recipe.lr, 3)[1]  # the tie goes by loss
    assert len(tuned.cells) == 4
    assert {cell.id for cell in tuned.cells}.isdisjoint({cell.id for cell in trials.cells})


def test_at_a_tie_a_missing_loss_is_not_the_lowest(plan, trials_of):
    trials = trials_of(2)
    losses = [None, None, 1.0, 1.0]
    results = [
        outcome(cell, 0.5, test_loss=loss) for cell, loss in zip(trials.cells, losses, strict=True)
    ]
    expected = [cell.recipe.lr for cell in trials.cells[2:]]
    assert [tuned.chosen for tuned in tuned_rates(trials, results)] == expected


def test_failed_trials_are_kept_and_never_chosen(plan, trials_of):
    trials = trials_of(2)
    results = [
        outcome(cell, None, status="diverged", reason="nan") if index < 2 else outcome(cell, 0.1)
        for index, cell in enumerate(trials.cells)
    ]
    tuned = tuned_rates(trials, results)
    assert [each.top1 for each in tuned] == [(None, 0.1), (None, 0.1)]


def test_a_model_whose_trials_all_failed_stops_the_run(plan, trials_of):
    trials = trials_of(2)
    results = [outcome(cell, None, status="oom", reason="too big") for cell in trials.cells]
    with pytest.raises(PlanError, match="every trial of alexnet failed"):
        tuned_rates(trials, results)


def test_one_trial_is_no_choice(plan, trials_of):
    with pytest.raises(PlanError, match="at least 2"):
        trials_of(1)


def test_trials_see_the_data_that_the_plan_opened(planned_, monkeypatch):
    trials, held_out = trial_plan(*planned_, 2)
    cell = trials.cells[0]
    opened = open_for_cell(cell.dataset, cell.dataset_options, cell.subset, cell.holdout)
    assert held_out.fingerprint == opened.fingerprint == cell.dataset_fingerprint


def test_a_tuned_run_is_the_trials_and_then_the_plan_with_the_chosen_rates(
    request_, tmp_path, monkeypatch
):
    executed = []

    def execute(plan, dataset, request, folder, options, callbacks, *, started):
        executed.append((plan, folder, options))
        run_folder = RunFolder(folder)
        run_folder.write_plan(plan)
        for cell in plan.cells:
            run_folder.cell(cell).write_result(outcome(cell, 0.5))

    opened = []

    def opening(*args, **options):
        opened.append(args)
        return open_for_cell(*args, **options)

    monkeypatch.setattr(api, "execute", execute)
    monkeypatch.setattr(plan_module, "open_for_cell", opening)
    options = {"out": tmp_path / "run", "tune": 2, "fresh": True, "fail_fast": True}
    assert api.run(**vars(request_), **options) == tmp_path / "run"
    (trials, tuning, of_trials), (plan, folder, of_run) = executed
    assert (tuning, folder) == (tmp_path / "run" / "tuning", tmp_path / "run")
    assert of_trials.fresh
    assert not of_trials.fail_fast  # a rate that fails is an answer
    assert of_run.fresh
    assert of_run.fail_fast
    assert {cell.holdout for cell in trials.cells} == {0.2}
    assert {each.chosen for each in plan.tuned} == {cell.recipe.lr for cell in plan.cells}
    assert len(opened) == 1


@pytest.mark.parametrize("across", [False, True])
def test_no_rate_is_chosen_by_seconds_of_unlike_machines(request_, tmp_path, monkeypatch, across):
    executed = []

    def execute(plan, dataset, request, folder, options, callbacks, *, started):
        executed.append(folder.name)
        run_folder = RunFolder(folder)
        run_folder.write_plan(plan)
        run_folder.write_ranking(Ranking(across_machines=options.across_machines))
        for index, cell in enumerate(plan.cells):
            facts = {"images_seen": 8, "machine": f"machine {index % 2}", "correct": 1}
            run_folder.cell(cell).write_result(outcome(cell, 0.5, **facts))

    monkeypatch.setattr(api, "execute", execute)
    monkeypatch.setattr(api.PaceMeter, "pace_of", lambda *_, **__: 1000.0)
    asked = {**vars(request_), "budget": "2m", "image_size": 64}
    options = {"out": tmp_path / "run", "tune": 2, "across_machines": across}
    if across:
        api.run(**asked, **options)
    else:
        with pytest.raises(PlanError, match=r"machine 0 .*machine 1 .*--across-machines"):
            api.run(**asked, **options)
    assert executed == (["tuning", "run"] if across else ["tuning"])
