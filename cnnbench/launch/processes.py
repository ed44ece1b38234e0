"""Where do cells run? Each in a process of its own, one after another, through `cnnbench cell`."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from cnnbench.base.exits import Exit
from cnnbench.base.processes import death_of
from cnnbench.base.words import last_line
from cnnbench.engine.hardware import origin_here
from cnnbench.launch.warm import CellProcess
from cnnbench.planning.request import RunOptions
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.events import Evaluated, Stepped
from cnnbench.schema.origin import origin_fields
from cnnbench.schema.result import Result, Status, planned
from cnnbench.store import CellFolder, RunFolder

__all__ = ["CellUpdate", "RunBlocked", "StopSignal", "Stopped", "caught_signals", "run_cells"]

POLL_SECONDS = 0.1
UPDATE_SECONDS = 0.5
ABORT_SECONDS = 2.0  # time for a hung process to write down where it hangs

Start = Callable[[RunFolder, Cell], CellProcess]


class Stopped(Exception):
    """The run was asked to stop by a signal; what was running has saved its state.

    `at_once` says that it was asked twice, and that nothing more may be waited for.
    """

    def __init__(self, signal_number: int, *, at_once: bool = False) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number
        self.at_once = at_once


class RunBlocked(Exception):
    """A fault that stops the run and not one cell alone; `exit_code` says which."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, kw_only=True, slots=True)
class CellUpdate:
    """How a cell stands: its result so far, and the latest events of its log."""

    cell: Cell
    result: Result
    stepped: Stepped | None = None
    evaluated: Evaluated | None = None


@dataclass(slots=True)
class StopSignal:
    """Which signal asked the run to stop, and how often."""

    number: int = 0
    count: int = 0

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        del frame
        self.number, self.count = self.number or number, self.count + 1

    def raise_if_received(self) -> None:
        """Stop here if a signal asked for it.

        Raises:
            Stopped: if there was a signal.
        """
        if self.number:
            raise Stopped(self.number, at_once=self.count > 1)


@contextlib.contextmanager
def caught_signals() -> Iterator[StopSignal]:
    """Catch SIGINT and SIGTERM instead of dying of them; outside the main thread do nothing."""
    stop_signal = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop_signal
        return
    handlers = {n: signal.signal(n, stop_signal.receive) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop_signal
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def run_cells(
    plan: Plan,
    run_folder: RunFolder,
    options: RunOptions,
    stop_signal: StopSignal,
    start: Start,
) -> Iterator[CellUpdate]:
    """Run every cell that is not final yet, and yield about twice a second how it stands.

    A cell whose process dies or hangs becomes a row with the reason, and the others go on, unless
    `options.fail_fast` ends the run there.

    Raises:
        Stopped: after SIGINT or SIGTERM, once the running cell has saved its state.
        RunBlocked: if a cell met changed data, a full disk or a busy folder.
    """
    for cell in plan.cells:
        folder = run_folder.cell(cell)
        stop_signal.raise_if_received()
        if folder.is_final():
            folder.forget_checkpoints()  # a kill right after the result leaves them behind
        else:
            folder.retry()
            process = start(run_folder, cell)
            try:
                hung_reason = yield from _follow(process, folder, stop_signal, options.hung_after)
            finally:
                _kill(process)
            stop_signal.raise_if_received()
            _record_end(process.returncode, folder, hung_reason=hung_reason)
        result = folder.result()
        yield CellUpdate(cell=cell, result=result)
        if options.fail_fast and result.status != "done":
            return


def _follow(
    process: CellProcess, folder: CellFolder, stop_signal: StopSignal, hung_after: float
) -> Generator[CellUpdate, None, str]:
    """Yield how a cell stands until its process ends, and return why it was ended if it hung.

    Signals are passed on. The time without a heartbeat is counted in updates, not on a clock, so
    that a machine that was suspended does not look hung.
    """
    running = planned(folder.cell).model_copy(update={"status": "running"})
    update = CellUpdate(cell=folder.cell, result=running)
    tail, heartbeat = folder.tail(), folder.heartbeat()
    seconds_left, signals_sent = hung_after, stop_signal.count
    while seconds_left > 0:
        for _ in range(round(UPDATE_SECONDS / POLL_SECONDS)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
                return ""
            if stop_signal.count > signals_sent:
                signals_sent = stop_signal.count
                _signal_group(process, signal.SIGTERM if signals_sent == 1 else signal.SIGKILL)
        before, heartbeat = heartbeat, folder.heartbeat()
        seconds_left = hung_after if heartbeat != before else seconds_left - UPDATE_SECONDS
        for event in tail.read():
            if isinstance(event, Stepped):
                update = replace(update, stepped=event)
            elif isinstance(event, Evaluated):
                update = replace(update, evaluated=event)
        yield update
    _signal_group(process, signal.SIGABRT)  # faulthandler writes down where it hangs
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ABORT_SECONDS)
    return (
        f"no step and no batch for {hung_after:g} s, so it was ended; "
        "its log.txt says where it hung; the same command tries it again"
    )


def _signal_group(process: CellProcess, number: int) -> None:
    """Signal a cell's process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _kill(process: CellProcess) -> None:
    """Leave nothing of a cell's process behind."""
    _signal_group(process, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


def _record_end(code: int, folder: CellFolder, *, hung_reason: str) -> None:
    """Give a process that died without a result its row; stop the run where no cell can go on."""
    log = folder.path / "log.txt"
    if code in (Exit.DATA, Exit.DISK, Exit.BUSY):
        raise RunBlocked(_last_words(log), code)
    if (folder.path / "result.json").exists():
        return
    status: Status = "killed"
    if hung_reason:
        status, reason = "hung", hung_reason
    elif code == Exit.STOPPED:  # somebody stopped the cell itself, not the run
        reason = "stopped by a signal after it saved its state; the same command continues it"
    elif code < 0:
        reason = f"{death_of(code)}; the same command continues it"
    else:
        status = "failed"
        reason = f"the process ended with code {code} and no result: {_last_words(log)}"
    so_far, ended = folder.result(), {"status": status, "reason": reason}
    if so_far.images_seen is None:  # it died before it could say where: it was started here
        ended |= origin_fields([origin_here(folder.cell.device)])
    folder.write_result(so_far.model_copy(update=ended))


def _last_words(log: Path) -> str:
    text = ""
    with contextlib.suppress(OSError):
        text = log.read_text("utf-8", errors="replace")
    if not log.exists():
        return f"{log.parent} was removed while its cell ran; the same command begins anew"
    silence = f"no message; see {log}, or free some space if the disk is full"
    return last_line(text, otherwise=silence)
