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
from cnnbench.engine.hardware import threads_here
from cnnbench.planning.request import Request
from cnnbench.store import CellFolder, RunFolder, StoreError
from cnnbench.store.cell_folder import ORPHAN_WAIT_SECONDS

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
        # A scheduler may signal all that it finds; the fork saves its state, and needs this one.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN if pid else signal.SIG_DFL)
        if pid == 0:
            os.setsid()
            with Path(log).open("ab") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            return list(words)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
    os._exit(Exit.OK)


def serve_cell(
    run_folder: RunFolder,
    cell_id: str,
    *,
    typed: Request | None,
    started: float,
    launched: bool,
    keeps: bool,
    threads: int | None = None,
    is_rank: bool = False,
) -> int:
    """Run one cell in this process and return its exit code; one that is final is left as it is.

    `typed` says how its dataset is typed here, where the plan's words may not find it.
    `launched` says that stdin is a line to the launcher: when it closes, the launcher is gone,
    and the cell saves its state and ends. `started` is when, on the monotonic clock.
    `keeps` says whether the trained network is kept. `threads` are its share of the cores.
    `is_rank` says that this is one of the processes that train the cell together, which torchrun's
    variables number.
    """
    stop = _StopFlag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.receive)
    faulthandler.enable()  # the log of a hung cell tells where it hangs before it is killed
    if launched:
        threading.Thread(target=_follow_launcher, args=(stop, os.dup(0)), daemon=True).start()
    if is_rank:
        _hear_signals_at_once(stop)
    folder = run_folder.cell_named(cell_id)
    if threads is None:
        threads = threads_here(run_folder.plan().machine, folder.cell.device)
    rank = int(os.environ["RANK"]) if is_rank else 0
    context = _context(
        folder, stop, typed=typed, started=started, keeps=keeps, threads=threads, rank=rank
    )
    if folder.cell.ranks == 1:
        return _serve(context, wait_seconds=0.0 if launched else ORPHAN_WAIT_SECONDS)
    from cnnbench.runner.ranks import serve_rank, supervise_ranks

    if is_rank:
        return serve_rank(context, rank)
    return supervise_ranks(context, started=started)


def _context(
    folder: CellFolder,
    stop: _StopFlag,
    *,
    typed: Request | None,
    started: float,
    keeps: bool,
    threads: int | None,
    rank: int,
) -> "CellContext":
    from cnnbench.engine.clock import Clock
    from cnnbench.engine.ranks import Ranks
    from cnnbench.runner.devices import devices_here
    from cnnbench.runner.inputs import CellContext

    def on_step() -> None:
        if rank == 0:
            folder.beat()
        stop.trained = True

    cell = folder.cell
    device = devices_here(cell, rank)
    if cell.ranks > 1:
        threads = max(1, (threads or usable_cores()) // cell.ranks)
    return CellContext(
        cell=cell,
        folder=folder,
        clock=Clock(started=started, synchronise=device.synchronise),
        device=device,
        should_stop=stop.should_stop,
        on_step=on_step,
        checkpoint_seconds=float(os.environ.get(CHECKPOINT_VARIABLE) or CHECKPOINT_SECONDS),
        threads=threads,
        typed=typed,
        keeps=keeps,
        ranks=Ranks(seed=cell.seed if cell.devices > 1 else None),
    )


def _serve(context: "CellContext", *, wait_seconds: float) -> int:
    from cnnbench.data import DataError
    from cnnbench.runner.cell import Interrupted, run_cell

    try:
        with context.folder.lock(wait_seconds=wait_seconds):
            if not context.folder.is_final():  # by another process, since this one was asked for
                context.folder.retry()
                run_cell(context)
            result = context.folder.result()
    except Interrupted:
        return Exit.STOPPED
    except (DataError, StoreError, OSError) as error:
        with contextlib.suppress(OSError):  # the launcher reads the log; a full disk may refuse
            print(error, file=sys.stderr, flush=True)
        return exit_of(error)
    return Exit.OK if result.status == "done" else Exit.FAILED


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
