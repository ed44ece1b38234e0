"""Which cell is next, where several processes take cells of one folder."""

import subprocess
import sys

import pytest
from fake_cells import FakeCells, with_seeds

from cnnbench.launch.local import Idle, run_cells
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import StopSignal
from cnnbench.launch.work import keeps_by_default
from cnnbench.store import RunFolder
from tests.store.test_run_folder import a_plan

HUNG_AFTER = 900.0


@pytest.fixture
def four(tmp_path):
    run, plan = RunFolder(tmp_path / "run"), with_seeds(a_plan(), 4)
    run.write_plan(plan)
    return run, plan


def opened(run, plan, *, retries=0, again=False, **options):
    return OpenCells(run, plan.cells, retries=retries, again=again, **options)


def seeds(cells):
    return [cell.seed for cell in cells]


def give(run, cell, status):
    run.cell(cell).write_result(run.result(cell).model_copy(update={"status": status}))


def kill_one_over(run, cell):
    """Let a process die over a cell that it holds."""
    code = (
        "import os, sys; from pathlib import Path; from cnnbench.store.claims import claimed\n"
        "with claimed(Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(run.cell(cell).path)])


def test_cells_are_taken_in_the_order_of_the_plan_from_where_it_is_begun(four):
    run, plan = four
    cells = opened(run, plan, first=2)
    assert [cells.take().cell.seed for _ in range(4)] == [2, 3, 0, 1]
    assert cells.take() is None


def test_a_cell_that_another_process_holds_is_passed_over_and_told(four):
    run, plan = four
    cells = opened(run, plan)
    with run.cell(plan.cells[0]).lock():
        assert cells.take().cell.seed == 1
        (update,) = cells.look(at_all=False)
        assert (update.cell.seed, update.result.status) == (0, "running")
        assert "process" in cells.waits_for
    assert cells.take().cell.seed == 0


def test_a_cell_that_ended_elsewhere_is_told_once(four):
    run, plan = four
    cells = opened(run, plan)
    give(run, plan.cells[1], "done")
    assert [(u.cell.seed, u.result.status) for u in cells.look(at_all=True)] == [(1, "done")]
    assert list(cells.look(at_all=True)) == []
    assert seeds(cells.cells) == [0, 2, 3]


@pytest.mark.parametrize(("again", "left"), [(True, [0, 2, 3]), (False, [2, 3])])
def test_what_failed_before_is_tried_by_the_run_and_left_alone_by_a_worker(four, again, left):
    run, plan = four
    give(run, plan.cells[0], "failed")
    give(run, plan.cells[1], "diverged")
    cells = opened(run, plan, again=again)
    list(cells.look(at_all=True))
    assert seeds(cells.cells) == left


def test_a_cell_over_which_processes_die_is_given_up_after_its_retries(four):
    run, plan = four
    for deaths in (1, 2):
        kill_one_over(run, plan.cells[0])
        cells = opened(run, plan, retries=1)
        taken = cells.take()
        assert taken.cell.seed == (0 if deaths == 1 else 1)
    assert run.result(plan.cells[0]).status == "killed"
    assert "killed 2 times" in run.result(plan.cells[0]).reason


def test_a_run_forgives_what_was_killed_before_it(four):
    run, plan = four
    for _ in range(5):
        kill_one_over(run, plan.cells[0])
    cells = opened(run, plan, again=True)
    assert cells.take().cell.seed == 0


def test_cells_run_at_once_in_several_slots(four):
    run, plan = four
    processes, at_once = [], []

    def slot():
        def start(folder):
            processes.append(FakeCells()(folder))
            at_once.append(sum(process.poll() is None for process in processes))
            return processes[-1]

        return start

    list(run_cells(opened(run, plan), [slot(), slot()], StopSignal(), hung_after=HUNG_AFTER))
    assert max(at_once) == 2
    assert [run.result(cell).status for cell in plan.cells] == ["done"] * 4


def test_a_killed_cell_is_started_again_where_that_is_asked_for(four):
    run, plan = four
    fakes = FakeCells(killed=1)

    def kill_once(folder):
        process = fakes(folder)
        if folder.cell.seed == 1:
            fakes.fates = {}
        return process

    list(run_cells(opened(run, plan, retries=2), [kill_once], StopSignal(), hung_after=HUNG_AFTER))
    assert [run.result(cell).status for cell in plan.cells] == ["done"] * 4


def test_a_worker_ends_after_as_many_cells_as_it_was_asked_for(four):
    run, plan = four
    cells = opened(run, plan)
    list(run_cells(cells, [FakeCells()], StopSignal(), hung_after=HUNG_AFTER, most=2))
    assert len(cells) == 2


def test_a_worker_waits_for_the_cells_of_others_and_not_for_ever(four):
    run, plan = four
    heard = []
    with run.cell(plan.cells[0]).lock():
        cells = OpenCells(run, plan.cells[:1], retries=0, again=False)
        idle = Idle(tell=heard.append, seconds=0.2)
        list(run_cells(cells, [FakeCells()], StopSignal(), hung_after=HUNG_AFTER, idle=idle))
    assert heard
    assert plan.cells[0].id in heard[0]


def test_a_cell_that_was_busy_waits_until_all_are_looked_at_again(four):
    run, plan = four
    cells = opened(run, plan)
    cells.put_back(cells.take(), was_busy=True)
    assert cells.take().cell.seed == 1
    list(cells.look(at_all=True))
    assert cells.take().cell.seed == 0


def test_a_cell_with_a_result_is_followed_as_long_as_its_process_draws_pictures(four):
    run, plan = four
    cells, first = opened(run, plan), run.cell(plan.cells[0])
    with first.lock():
        give(run, plan.cells[0], "done")
        (update,) = cells.look(at_all=True)
        assert update.result.status == "running"
    assert [update.result.status for update in cells.look(at_all=True)] == ["done"]


def test_who_only_looks_on_gives_no_cell_up(four):
    run, plan = four
    for _ in range(5):
        kill_one_over(run, plan.cells[0])
    cells = opened(run, plan, retries=None)
    list(cells.look(at_all=True))
    assert len(cells) == 4


def test_what_else_runs_when_one_fails_is_no_row(four):
    run, plan = four
    slots = [FakeCells(crashed=0, slow=1), FakeCells(crashed=0, slow=1)]
    list(run_cells(opened(run, plan), slots, StopSignal(), hung_after=HUNG_AFTER, fail_fast=True))
    statuses = [run.result(cell).status for cell in plan.cells]
    assert statuses[0] == "failed"
    assert run.cell(plan.cells[1]).result_mark() is None, run.result(plan.cells[1]).reason


def test_a_worker_keeps_networks_where_the_run_would():
    plan = a_plan()
    assert keeps_by_default(plan)
    cell = plan.cells[0]
    other = cell.recipe.model_copy(update={"lr": cell.recipe.lr * 2})
    sweep = (cell, cell.model_copy(update={"recipe": other}))
    assert not keeps_by_default(plan.model_copy(update={"cells": sweep}))
    smoke = (cell.model_copy(update={"subset": 48}),)
    assert not keeps_by_default(plan.model_copy(update={"cells": smoke}))
