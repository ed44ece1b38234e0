"""A row says with what its cell was trained, also where it was continued or failed."""

import platform

import pytest
import torch
from contexts import N_TRAIN, a_context

from cnnbench.engine import hardware
from cnnbench.engine.hardware import detect, machine_line, threads_here
from cnnbench.runner import cell as runner
from cnnbench.runner.cell import Interrupted, run_cell


def upgrade(monkeypatch, **versions):
    installed = hardware.installed_versions()
    monkeypatch.setattr(hardware, "installed_versions", lambda: {**installed, **versions})


@pytest.mark.slow
def test_a_cell_that_goes_on_under_other_versions_says_both(folder, monkeypatch):
    with pytest.raises(Interrupted):
        run_cell(a_context(folder, stop_after=4))
    assert folder.result().status == "killed"
    assert folder.result().versions["torch"] == hardware.installed_versions()["torch"]
    upgrade(monkeypatch, torch="99.0")
    result = run_cell(a_context(folder, threads=2))
    assert (result.status, result.versions["torch"], result.threads) == ("done", "99.0", 2)
    assert [one.threads for one in result.earlier_origins] == [1]
    assert "then 99.0" in result.reason
    assert "threads 1, then 2" in result.reason
    assert folder.result() == result


@pytest.mark.slow
def test_a_cell_in_one_go_has_one_origin_and_no_reason(folder):
    result = run_cell(a_context(folder))
    assert (result.earlier_origins, result.reason) == ((), "")
    assert result.versions == hardware.installed_versions()
    assert result.cpu
    assert result.gpu is None
    assert result.host == platform.node()


@pytest.mark.slow
def test_the_training_sample_is_tried_in_evaluation_mode_and_changes_nothing(folder, monkeypatch):
    seen = []
    real = runner.evaluate_training_sample

    def watched(context, model, inputs):
        state, charged = torch.get_rng_state(), context.clock.charged
        evaluation = real(context, model, inputs)
        assert torch.equal(torch.get_rng_state(), state)
        assert context.clock.charged == charged
        seen.append(evaluation)
        return evaluation

    monkeypatch.setattr(runner, "evaluate_training_sample", watched)
    result = run_cell(a_context(folder))
    (evaluation,) = seen
    assert evaluation.n_images == N_TRAIN
    assert result.train_eval_top1 == evaluation.correct / N_TRAIN
    assert result.train_eval_loss == evaluation.loss != result.train_loss
    assert evaluation.labels.tolist() == sorted(evaluation.labels.tolist())  # all, in their order


@pytest.mark.slow
def test_a_cell_that_fails_before_it_takes_its_clock_over_has_no_zeros(folder, monkeypatch):
    with pytest.raises(Interrupted):
        run_cell(a_context(folder, stop_after=4))
    spent = folder.result().seconds.train
    upgrade(monkeypatch, torch="99.0")
    monkeypatch.setattr(runner, "open_inputs", lambda cell: 1 / 0)
    result = run_cell(a_context(folder))
    assert result.status == "failed"
    assert (result.steps, result.seconds.train) == (4, spent)
    assert result.seconds.total is None
    assert result.versions["torch"] == "99.0"
    assert len(result.earlier_origins) == 1


def test_a_cell_that_never_began_to_train_has_its_origin(folder, monkeypatch):
    monkeypatch.setattr(runner, "open_inputs", lambda cell: 1 / 0)
    result = run_cell(a_context(folder))
    assert (result.status, result.images_seen) == ("failed", 0)
    assert result.versions == hardware.installed_versions()
    assert result.seconds.total > 0


def test_the_threads_of_a_plan_are_those_of_its_machine():
    here = machine_line(detect(), "cpu")
    assert threads_here({"line": here, "threads": 8}, "cpu") == 8
    assert threads_here({"line": "another machine", "threads": 8}, "cpu") is None
    assert threads_here({"line": here, "threads": None}, "cpu") is None
