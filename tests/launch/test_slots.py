"""Which devices of a machine cells get, and who is refused one that is in use."""

import pytest

from cnnbench.launch.signals import StopSignal
from cnnbench.launch.slots import device_of_its_own, slots_here
from cnnbench.launch.work import work
from cnnbench.planning.request import PlanError
from cnnbench.schema.budget import Budget
from cnnbench.store import BusyError, RunFolder
from tests.store.test_run_folder import a_plan


@pytest.fixture
def planned_run(tmp_path):
    run, plan = RunFolder(tmp_path / "run"), a_plan()
    run.write_plan(plan)
    return run, plan


def timed(plan, budget="9s"):
    cells = tuple(c.model_copy(update={"budget": Budget.parse(budget)}) for c in plan.cells)
    return plan.model_copy(update={"cells": cells})


def test_a_machine_without_the_gpus_takes_no_cell(planned_run):
    run, plan = planned_run
    cells = tuple(cell.model_copy(update={"device": "cuda"}) for cell in plan.cells)
    with pytest.raises(PlanError, match="the cells need 1 GPU, and this machine gives 0"):
        slots_here(run, plan.model_copy(update={"cells": cells}), jobs=1, words=[]).__enter__()


def test_cells_that_are_charged_for_seconds_do_not_share_a_device(tmp_path):
    run, plan = RunFolder(tmp_path), timed(a_plan())
    with pytest.raises(PlanError, match="--jobs 2 would let cells share a device"):
        slots_here(run, plan, jobs=2, words=[]).__enter__()


def test_a_second_worker_of_this_machine_is_refused_under_a_budget_in_seconds(tmp_path):
    run, plan = RunFolder(tmp_path), timed(a_plan())
    run.write_plan(plan)
    with device_of_its_own(run, plan):
        updates = work(run, words=[], retries=0, hung_after=900.0, stop_signal=StopSignal())
        with pytest.raises(BusyError, match="needs a device of its own"):
            list(updates)


def test_a_second_worker_of_this_machine_is_told_what_it_costs_under_a_counted_budget(planned_run):
    run, plan = planned_run[0], timed(planned_run[1], "99img")
    heard = []
    with device_of_its_own(run, plan), device_of_its_own(run, plan, heard.append):
        pass
    assert "slows the other down" in heard[0]


def test_each_gpu_is_a_slot_and_a_cell_has_as_many_as_it_asks_for(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnbench.launch.slots.visible_gpus", lambda: ["0", "1", "GPU-abc", "3"])
    run, plan = RunFolder(tmp_path), a_plan()

    def seen(**changes):
        cells = tuple(cell.model_copy(update=changes) for cell in plan.cells)
        with slots_here(run, plan.model_copy(update={"cells": cells}), jobs=1, words=[]) as slots:
            servers = [slot.__self__ for slot in slots]
            return [server._environment.get("CUDA_VISIBLE_DEVICES") for server in servers]

    assert seen(device="cuda") == ["0", "1", "GPU-abc", "3"]
    assert seen(device="cuda", devices=2) == ["0,1", "GPU-abc,3"]
    assert seen(device="cpu") == [None]
