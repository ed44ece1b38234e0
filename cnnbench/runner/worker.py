"""How does one process serve one cell, and when does it stop? What `cnnbench cell` does."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from dataclasses import dataclass, field

from cnnbench.schema.cell import Plan
from cnnbench.store import BusyError, CellFolder, RunFolder, StoreError

EXIT_DATA, EXIT_DISK, EXIT_BUSY, EXIT_STOPPED = 3, 4, 5, 128 + signal.SIGTERM
CHECKPOINT_VARIABLE = "CNNBENCH_CHECKPOINT_SECONDS"
CHECKPOINT_SECONDS = 60.0
ORPHAN_SECONDS = 25.0


@dataclass(slots=True)
class _Stop:
    """Whether the cell was asked to stop, and whether there is anything to save."""

    asked: threading.Event = field(default_factory=threading.Event)
    training: bool = False

    def poll(self) -> bool:
        """Answer the training loop, which asks after every step."""
        self.training = True
        return self.asked.is_set()

    def note(self, *_: object) -> None:
        """Take a signal: save what was trained, or go at once where nothing was."""
        if not self.training:
            os._exit(EXIT_STOPPED)  # the last checkpoint is on disk, a file is whole or not there
        self.asked.set()


def serve_cell(run: RunFolder, cell_id: str, *, started: float, launched: bool) -> int:
    """Run one cell in this process and return its exit code.

    `launched` says that stdin is a line to the launcher: where it closes, the launcher is gone,
    and the cell saves its state and ends.
    """
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.note)
    faulthandler.enable()  # where a hung cell hangs is written to its log before it is killed
    if launched:
        threading.Thread(target=_follow_launcher, args=(stop,), daemon=True).start()
    plan = run.plan()
    cell = next((cell for cell in plan.cells if cell.id == cell_id), None)
    if cell is None:
        raise StoreError(f"{run.path} has no cell {cell_id!r}")
    return _serve(run.cell(cell), stop, plan, started=started)


def _serve(folder: CellFolder, stop: _Stop, plan: Plan, *, started: float) -> int:
    from cnnbench.data import DataError
    from cnnbench.runner.cell import Interrupted, run_cell
    from cnnbench.runner.context import Setting

    setting = Setting(
        stop_asked=stop.poll,
        started=started,
        machine_line=str(plan.machine.get("line") or ""),
        threads=int(plan.machine.get("threads") or 0) or None,
        checkpoint_seconds=_checkpoint_seconds(),
    )
    try:
        with folder.lock():
            result = run_cell(folder.cell, folder, setting)
    except Interrupted:
        return EXIT_STOPPED
    except DataError as error:
        return _tell(error, EXIT_DATA)
    except BusyError as error:
        return _tell(error, EXIT_BUSY)
    except (StoreError, OSError) as error:
        return _tell(error, EXIT_DISK)
    return 0 if result.status == "done" else 1


def _tell(error: Exception, code: int) -> int:
    """Leave the reason in the log, where the launcher reads it; a full disk may refuse that too."""
    with contextlib.suppress(OSError):
        print(error, file=sys.stderr, flush=True)
    return code


def _checkpoint_seconds() -> float:
    """Return the charged seconds between two checkpoints; no result depends on it."""
    return float(os.environ.get(CHECKPOINT_VARIABLE) or CHECKPOINT_SECONDS)


def _follow_launcher(stop: _Stop) -> None:
    """Wait until the launcher is gone, however it went: nobody would watch this cell any more."""
    while os.read(0, 1024):
        pass
    threading.Timer(ORPHAN_SECONDS, os._exit, (EXIT_STOPPED,)).start()
    stop.note()
