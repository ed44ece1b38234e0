"""A cell whose launcher was killed goes on for a while: nothing of it reaches a later run."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
from fork_server import ROOT, ForkServer
from processes import cells_of, real_run, wait_for
from toy import Toy

from cnnbench.launch.execute import Callbacks, _wait_for_orphans
from cnnbench.launch.signals import RunBlocked, StopSignal
from cnnbench.store import BusyError, RunFolder, StoreError
from cnnbench.store import run as store_run
from tests.store.test_run_folder import a_run, stepped

# A cell at work: it takes a moment after it was told to end, and writes by path.
ORPHAN = """
import sys
from cnnbench.store import RunFolder
from tests.store.test_run_folder import a_plan, stepped
cell = RunFolder(sys.argv[1]).cell(a_plan().cells[0])
with cell.lock():
    print("at work", flush=True)
    sys.stdin.readline()
    cell.append(stepped(99))
    done = cell.result().model_copy(update={"status": "done", "reason": "by the orphan"})
    cell.write_result(done)
"""


@contextlib.contextmanager
def orphan_of(run):
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "at work\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def let_end(process):
    """Return what hears of a wait: it lets the orphan write and end, and keeps what it heard."""
    heard = []

    def on_wait(who):
        if not heard:
            process.stdin.write("end\n")
            process.stdin.flush()
        heard.append(who)

    return heard, on_wait


def test_what_an_orphan_saves_does_not_reach_the_fresh_run(tmp_path):
    run, plan, cell = a_run(tmp_path)
    with orphan_of(run) as process, run.lock():
        heard, on_wait = let_end(process)
        run.wait_for_cells(on_wait)
        run.clear()
        run.write_plan(plan)
        assert process.wait(10) == 0
        assert cell.events() == []
        assert cell.result().status == "planned"
    assert f"process {process.pid} on" in heard[0]
    assert plan.cells[0].id in heard[0]


def test_a_result_that_an_orphan_writes_while_it_is_waited_for_is_kept(tmp_path):
    run, _, cell = a_run(tmp_path)
    with orphan_of(run) as process, run.lock():
        run.wait_for_cells(let_end(process)[1])
        assert cell.is_final()
    assert cell.result().reason == "by the orphan"


def test_fresh_refuses_an_orphan_that_does_not_end_and_removes_nothing(tmp_path, monkeypatch):
    run, plan, cell = a_run(tmp_path)
    cell.append(stepped(1))
    monkeypatch.setattr(store_run, "ORPHAN_WAIT_SECONDS", 0.2)
    with orphan_of(run) as process, run.lock():
        with pytest.raises(BusyError, match=rf"in use by process {process.pid} on ") as refused:
            run.clear()
        assert refused.value.exit_code == 5
        assert run.plan() == plan
        assert cell.events() == [stepped(1)]


def test_a_signal_ends_the_wait_and_changes_nothing(tmp_path):
    run, plan, _ = a_run(tmp_path)
    stop_signal = StopSignal()
    callbacks = Callbacks(on_wait=lambda who: stop_signal.receive(signal.SIGINT, None))
    with orphan_of(run), pytest.raises(RunBlocked, match="nothing was changed") as stopped:
        _wait_for_orphans(run, callbacks, stop_signal)
    assert stopped.value.exit_code == 130
    assert run.plan() == plan


@pytest.mark.parametrize("stage", ["forgetting", "nothing"])
def test_a_kill_while_fresh_removes_leaves_all_of_the_cells_or_none(tmp_path, stage):
    run, plan, cell = a_run(tmp_path)
    cell.append(stepped(1))
    code = "import sys; from cnnbench.store import RunFolder; RunFolder(sys.argv[1]).clear()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CNNBENCH_FAILPOINT": f"cells:{stage}:1"},
    )
    assert done.returncode == (-signal.SIGKILL if stage == "forgetting" else 0)
    with run.lock():
        run.write_plan(plan)
    assert cell.result().status == "planned"
    assert not list(run.path.glob(".cleared-*"))


def test_a_cell_whose_folder_was_removed_stops_and_makes_no_other(tmp_path):
    run, _, cell = a_run(tmp_path)
    with cell.lock():
        cell.append(stepped(1))
        run.path.rename(tmp_path / "moved")
        writes = (
            lambda: cell.append(stepped(2)),
            lambda: cell.write_result(cell.result()),
            lambda: cell.save_checkpoint({"weight": 1}, steps=2),
            lambda: cell.rewind(0),
        )
        for write in writes:
            with pytest.raises(StoreError, match="was removed or emptied") as stopped:
                write()
            assert stopped.value.exit_code == 4
    assert not run.path.exists()


def test_a_cell_whose_folder_was_replaced_leaves_the_other_alone(tmp_path):
    run, plan, cell = a_run(tmp_path)
    with cell.lock():
        run.path.rename(tmp_path / "moved")
        run.write_plan(plan)
        other = run.cell(plan.cells[0])
        with other.lock():
            with pytest.raises(StoreError, match="was removed or emptied"):
                cell.append(stepped(1))
            assert other.owner().pid == os.getpid()
            assert other.events() == []


@pytest.mark.slow
def test_fresh_at_once_after_the_launcher_was_killed_starts_at_zero(tmp_path):
    with ForkServer() as server:
        toy = Toy(tmp_path, server)
        run = tmp_path / "run"
        with real_run(toy, "run", "--budget", "1000000img") as process:
            wait_for(lambda: list(run.glob("cells/*/checkpoint/*.json")))
            (orphan,) = cells_of(run)
            os.kill(orphan, signal.SIGSTOP)  # a long step
            process.kill()
            with real_run(toy, "run", "--budget", "1000000img", "--fresh") as fresh:
                assert fresh.stderr
                while "waiting for" not in (line := fresh.stderr.readline()):
                    assert line
                assert f"process {orphan} on" in line
                os.kill(orphan, signal.SIGCONT)
                wait_for(lambda: orphan not in cells_of(run))
                wait_for(lambda: list(run.glob("cells/*/events.jsonl")))
                folder = RunFolder(run)
                started = folder.events(folder.plan().cells[0])[0]
                assert (started.kind, started.resumed) == ("started", False)
