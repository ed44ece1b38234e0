"""Tuning gives every model the same trials, and never looks at validation or test images."""

import numpy as np
import pytest
from PIL import Image

from cnnbench import api
from cnnbench.planning.plan import PlanError, Wishes, make_plan, open_for_cell
from cnnbench.planning.tuning import rates, trial_plan, tuned_rates, with_rates
from cnnbench.schema.result import planned
from cnnbench.store import RunFolder


@pytest.fixture
def plan(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 10), ("val", 2), ("test", 2)):
        for label in ("apple", "pear"):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    wishes = Wishes(
        models=["alexnet", "resnet"],
        dataset=str(tmp_path / "photos"),
        budget="1000img",
        seeds=[0, 1],
    )
    made, _ = make_plan(wishes, device="cpu", precision="fp32", machine="a machine", argv=[])
    return made


def outcome(cell, top1, **changes):
    values = {"status": "done", "top1": top1, "test_loss": 1.0} | changes
    return planned(cell).model_copy(update=values)


def test_every_model_gets_the_same_number_of_trials_in_turn(plan):
    cells = trial_plan(plan, 3).cells
    assert [cell.model for cell in cells] == ["alexnet", "resnet18"] * 3
    assert {cell.budget.limit for cell in cells} == {100.0}
    base = plan.cells[0].recipe.lr
    assert [cell.recipe.lr for cell in cells[::2]] == list(rates(base, 3))


def test_trials_see_only_training_images(plan):
    cell = trial_plan(plan, 2).cells[0]
    seen = open_for_cell(cell.dataset, cell.dataset_options, cell.subset, cell.holdout)
    whole = open_for_cell(cell.dataset, cell.dataset_options, None)
    names = [*seen.splits["train"].names, *seen.splits["val"].names]
    assert sorted(names) == sorted(whole.splits["train"].names)
    assert len(seen.splits["val"]) == 4
    assert "test" not in seen.splits
    assert seen.headline_split == "val"
    assert cell.dataset_fingerprint == seen.fingerprint != whole.fingerprint


def test_the_best_rate_on_the_slice_is_taken_for_every_cell_of_its_model(plan):
    trials = trial_plan(plan, 3)
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


def test_failed_trials_are_kept_and_never_chosen(plan):
    trials = trial_plan(plan, 2)
    results = [
        outcome(cell, None, status="diverged", reason="nan") if index < 2 else outcome(cell, 0.1)
        for index, cell in enumerate(trials.cells)
    ]
    tuned = tuned_rates(trials, results)
    assert [each.top1 for each in tuned] == [(None, 0.1), (None, 0.1)]


def test_a_model_whose_trials_all_failed_stops_the_run(plan):
    trials = trial_plan(plan, 2)
    results = [outcome(cell, None, status="oom", reason="too big") for cell in trials.cells]
    with pytest.raises(PlanError, match="every trial of alexnet failed"):
        tuned_rates(trials, results)


def test_one_trial_is_no_choice(plan):
    with pytest.raises(PlanError, match="at least 2"):
        trial_plan(plan, 1)


def test_fresh_trains_the_trials_anew_too(plan, tmp_path, monkeypatch):
    asked = []

    def execute(trial, opened, folder, *, fresh, **_):
        asked.append(fresh)
        store = RunFolder(folder)
        store.write_plan(trial)
        for cell in trial.cells:
            store.cell(cell).write_result(outcome(cell, 0.5))
        return folder

    monkeypatch.setattr(api, "execute", execute)
    api.tuned_plan(plan, tmp_path / "run", trials=2, fresh=True)
    api.tuned_plan(plan, tmp_path / "run", trials=2)
    assert asked == [True, False]
