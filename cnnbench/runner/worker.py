"""How does one process serve one cell, and when does it stop? What `cnnbench cell` does."""

import contextlib
import faulthandler
import gc
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.base.exits import Exit, exit_of
from cnnbench.base.processes import usable_cores
from cnnbench.planning.request import Request
from cnnbench.schema.cell import Plan
from cnnbench.store import CellFolder, RunFolder, StoreError

if TYPE_CHECKING:
    from cnnbench.runner.inputs import CellContext

__all__ = ["fork_for_each_line", "serve_cell"]

CHECKPOINT_VARIABLE = "CNNBENCH_CHECKPOINT_SECONDS"
CHECKPOINT_SECONDS = 60.0  # charged, between two checkpoints; no result depends on it
ORPHAN_SAVE_SECONDS = 25.0  # then an orphan ends, saved or not; the next process waits longer


@dataclass(slots=True)
class _StopFlag:
    """Whether the cell is to stop, and whether it has trained anything that is worth saving."""

    received: threading.Event = field(default_factory=threading.Event)
    trained: bool = False

    def should_stop(self) -> bool:
        """Tell the training loop whether a signal has come."""
        return self.received.is_set()

    def receive(self, *_: object) -> None:
        """Take a signal: let the loop save what it trained, or exit at once if that is nothing."""
        if not self.trained:
            os._exit(Exit.STOPPED)  # the last checkpoint is on disk, a file is whole or not there
        self.received.set()


def fork_for_each_line() -> list[str]:
    """Fork a process for each line of stdin; return, in that process, the words of its verb.

    A line is JSON, the words and the file that takes what the process prints. The process that
    forks prints the id of each and then how it ended, and leaves at the end of stdin. What all
    cells import is imported there, once; no thread is started and no GPU is touched, so that a
    forked process is as good as a new one.
    """
    import cnnbench.runner.cell  # noqa: F401  (torch comes with it)
    import zoo

    zoo.describe("lenet5-relu", num_classes=2)  # a layout without weights loads 800 more modules
    gc.freeze()  # what is shared with the forked processes stays shared
    for line in sys.stdin.buffer:
        words, log = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            with Path(log).open("ab") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            return list(words)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    os._exit(Exit.OK)


def serve_cell(
    run_folder: RunFolder,
    cell_id: str,
    *,
    typed: Request | None,
    started: float,
    launched: bool,
    keeps: bool,
    is_rank: bool = False,
) -> int:
    """Run one cell in this process and return its exit code.

    `typed` says how its dataset is typed here, where the plan's words may not find it.
    `launched` says that stdin is a line to the launcher: when it closes, the launcher is gone,
    and the cell saves its state and ends. `started` is when, on the monotonic clock.
    `keeps` says whether the trained network is kept. `is_rank` says that this is one of the
    processes that train the cell together, which torchrun's variables number.
    """
    stop = _StopFlag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.receive)
    faulthandler.enable()  # the log of a hung cell tells where it hangs before it is killed
    if launched:
        threading.Thread(target=_follow_launcher, args=(stop, os.dup(0)), daemon=True).start()
    if is_rank:
        _hear_signals_at_once(stop)
    plan = run_folder.plan()
    cell = next((cell for cell in plan.cells if cell.id == cell_id), None)
    if cell is None:
        raise StoreError(f"{run_folder.path} has no cell {cell_id!r}")
    rank = int(os.environ["RANK"]) if is_rank else 0
    context = _context(
        run_folder.cell(cell),
        stop,
        plan,
        typed=typed,
        started=started,
        keeps=keeps,
        rank=rank,
    )
    if cell.ranks == 1:
        return _serve(context)
    from cnnbench.runner.ranks import serve_rank, supervise_ranks

    if is_rank:
        return serve_rank(context, rank)
    return supervise_ranks(context, started=started)


def _context(
    folder: CellFolder,
    stop: _StopFlag,
    plan: Plan,
    *,
    typed: Request | None,
    started: float,
    keeps: bool,
    rank: int,
) -> "CellContext":
    from cnnbench.engine.clock import Clock
    from cnnbench.engine.hardware import detect, machine_line
    from cnnbench.engine.ranks import Ranks
    from cnnbench.runner.devices import devices_here
    from cnnbench.runner.inputs import CellContext

    def on_step() -> None:
        if rank == 0:
            folder.beat()
        stop.trained = True

    cell = folder.cell
    device = devices_here(cell, rank)
    shared = max(1, usable_cores() // cell.ranks) if cell.ranks > 1 else None
    return CellContext(
        cell=cell,
        folder=folder,
        clock=Clock(started=started, synchronise=device.synchronise),
        device=device,
        should_stop=stop.should_stop,
        on_step=on_step,
        checkpoint_seconds=float(os.environ.get(CHECKPOINT_VARIABLE) or CHECKPOINT_SECONDS),
        threads=shared or _threads(plan, machine_line(detect(), cell.device)),
        typed=typed,
        keeps=keeps,
        ranks=Ranks(seed=cell.seed if cell.devices > 1 else None),
    )


def _serve(context: "CellContext") -> int:
    from cnnbench.data import DataError
    from cnnbench.runner.cell import Interrupted, run_cell

    try:
        with context.folder.lock():
            result = run_cell(context)
    except Interrupted:
        return Exit.STOPPED
    except (DataError, StoreError, OSError) as error:
        with contextlib.suppress(OSError):  # the launcher reads the log; a full disk may refuse
            print(error, file=sys.stderr, flush=True)
        return exit_of(error)
    return Exit.OK if result.status == "done" else Exit.FAILED


def _threads(plan: Plan, machine: str) -> int | None:
    """Return the threads that the plan measured, or None for every core of another machine."""
    measured = plan.machine.get("threads")
    return int(measured) if measured and plan.machine.get("line") == machine else None


def _hear_signals_at_once(stop: _StopFlag) -> None:
    """Let a thread take signals: the main one hears of none while it waits for a lost neighbour."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)

    def hear() -> None:
        while os.read(read_end, 1):
            stop.receive()

    threading.Thread(target=hear, daemon=True).start()


def _follow_launcher(stop: _StopFlag, line: int) -> None:
    """Wait until the launcher is gone, however it went; then nobody watches this cell."""
    while os.read(line, 1024):
        pass
    threading.Timer(ORPHAN_SAVE_SECONDS, os._exit, (Exit.STOPPED,)).start()
    stop.receive()
