"""The launcher: a cell that dies, hangs or fails is a row, and nothing stays behind."""

import subprocess
import sys

import pytest
from fake_cells import FakeCells, with_seeds
from processes import commands_with, open_files, run_many, start_at_once

from cnnbench.engine.hardware import installed_versions
from cnnbench.launch.local import run_cells
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import Stopped, StopSignal
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.recipes import make_recipe
from cnnbench.store import RunFolder


@pytest.fixture
def five(tmp_path):
    cell = Cell(
        model="resnet18",
        dataset="photos",
        dataset_fingerprint="f",
        recipe=make_recipe("common", family="resnet"),
        budget=Budget.parse("200img"),
        seed=0,
        image_size=32,
        precision="fp32",
        device="cpu",
        evaluations=2,
    )
    facts = DatasetFacts(
        name="photos",
        title="Photos",
        drawn=False,
        classes=("apple", "pear"),
        images={"train": 48, "val": 24},
        curve_split="val",
        headline_split="val",
        fingerprint="f",
    )
    single = Plan(cnnbench="0", argv=(), dataset=facts, cells=(cell,), machine={})
    run, plan = RunFolder(tmp_path / "run"), with_seeds(single, 5)
    run.write_plan(plan)
    return run, plan


def ends(run, plan, *slots, retries=0, **options):
    cells = OpenCells(run, plan.cells, retries=retries, again=True)
    updates = run_cells(cells, slots, StopSignal(), **{"hung_after": 900.0, **options})
    results = [update.result for update in updates]
    return {result.seed: result for result in results if result.status != "running"}


def statuses(run, plan):
    return [run.result(cell).status for cell in plan.cells]


def test_a_killed_cell_and_a_crashed_one_are_rows_and_the_others_are_done(five):
    run, plan = five
    results = ends(run, plan, FakeCells(killed=1, crashed=3, stopped=4))
    assert statuses(run, plan) == ["done", "killed", "done", "failed", "killed"]
    assert "after it saved its state" in results[4].reason
    assert "SIGKILL (possibly out of memory)" in results[1].reason
    assert "this is the last line" in results[3].reason


@pytest.mark.parametrize("code", ["import os; os.kill(os.getpid(), 9)", "raise SystemExit(1)"])
def test_a_process_that_died_before_it_trained_leaves_a_row_with_its_origin(five, code):
    run, plan = five

    def start(folder):
        words = [sys.executable, "-c", code]
        return subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)

    result = ends(run, plan, start, fail_fast=True)[0]
    assert result.status in ("killed", "failed")
    assert result.versions == installed_versions()
    assert result.cpu
    assert result.machine
    assert (result.seconds.total, result.budget.used, result.threads) == (None, None, None)


def test_a_cell_that_was_killed_is_tried_again_and_the_others_are_not(five):
    run, plan = five
    ends(run, plan, FakeCells(killed=1))
    before = {cell.id: (run.cell(cell).path / "result.json").stat().st_mtime_ns
              for cell in plan.cells}  # fmt: skip
    ends(run, plan, FakeCells())
    after = {cell.id: (run.cell(cell).path / "result.json").stat().st_mtime_ns
             for cell in plan.cells}  # fmt: skip
    assert statuses(run, plan) == ["done"] * 5
    assert [key for key in before if before[key] != after[key]] == [plan.cells[1].id]


@pytest.mark.slow
def test_a_hung_cell_is_ended_in_time_with_all_that_it_started(five):
    run, plan = five
    results = ends(run, plan, FakeCells(hung=1), hung_after=10.0)
    assert statuses(run, plan) == ["done", "hung", "done", "done", "done"]
    assert "no step and no batch for 10 s" in results[1].reason
    log = (run.cell(plan.cells[1]).path / "log.txt").read_text()
    assert "Fatal Python error: Aborted" in log
    assert not commands_with("time.sleep(600.25)")


@pytest.mark.slow
def test_a_slow_cell_with_a_heartbeat_is_not_hung(five):
    run, plan = five
    ends(run, plan, FakeCells(slow=1), hung_after=10.0)
    assert statuses(run, plan) == ["done"] * 5


def test_fail_fast_ends_at_the_first_failure(five):
    run, plan = five
    ends(run, plan, FakeCells(crashed=1), fail_fast=True)
    assert statuses(run, plan) == ["done", "failed", "planned", "planned", "planned"]


def test_a_signal_between_two_cells_starts_no_other(five):
    run, plan = five
    stop_signal = StopSignal()
    cells = OpenCells(run, plan.cells, retries=0, again=True)
    updates = run_cells(cells, [FakeCells()], stop_signal, hung_after=900.0)
    while next(updates).result.status != "done":
        pass
    stop_signal.receive(15, None)
    with pytest.raises(Stopped) as stopped:
        next(updates)
    assert stopped.value.exit_code == 143
    assert statuses(run, plan) == ["done"] + ["planned"] * 4


def test_no_file_stays_open_after_many_cells(five):
    run, plan = five
    before = open_files()
    ends(run, plan, FakeCells(killed=1, crashed=3))
    assert open_files() == before


def test_of_simultaneous_starts_one_writes_and_the_others_name_it(tmp_path):
    assert start_at_once(tmp_path / "run", 6) == (1, 5, 5)


@pytest.mark.slow
def test_memory_of_the_launcher_is_flat_over_200_cells(tmp_path, five):
    _, plan = five
    leaks = run_many(RunFolder(tmp_path / "many"), plan, 200)
    assert leaks.files_more == 0
    assert leaks.threads_more == 0
    assert leaks.late_bytes - leaks.early_bytes < 4 * 2**20
