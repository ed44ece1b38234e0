"""What becomes of one process that trains a cell, from its start to its end?"""

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from cnnbench.base.exits import Exit
from cnnbench.base.processes import death_of
from cnnbench.base.words import last_line
from cnnbench.engine.hardware import origin_here
from cnnbench.launch.signals import RunBlocked
from cnnbench.launch.warm import CellProcess
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Evaluated, Stepped
from cnnbench.schema.origin import origin_fields
from cnnbench.schema.result import Result, Status, planned
from cnnbench.store import BusyError, CellFolder
from cnnbench.store.log import EventTail

__all__ = ["Attempt", "CellUpdate", "followed", "write_end"]

ABORT_SECONDS = 2.0  # time for a hung process to write down where it hangs


@dataclass(frozen=True, kw_only=True, slots=True)
class CellUpdate:
    """How a cell stands: its result so far, and the latest events of its log."""

    cell: Cell
    result: Result
    stepped: Stepped | None = None
    evaluated: Evaluated | None = None


def followed(update: CellUpdate, tail: EventTail) -> CellUpdate:
    """Return how a cell stands after the events that were added to its log."""
    for event in tail.read():
        if isinstance(event, Stepped):
            update = replace(update, stepped=event)
        elif isinstance(event, Evaluated):
            update = replace(update, evaluated=event)
    return update


class Attempt:
    """A process that trains a cell; `update` says how the cell stands as far as was looked.

    The time without a heartbeat is counted in looks, not on a clock, so that a machine that was
    suspended does not look hung.
    """

    def __init__(self, process: CellProcess, folder: CellFolder, *, hung_after: float) -> None:
        self.folder = folder
        running = planned(folder.cell).model_copy(update={"status": "running"})
        self.update = CellUpdate(cell=folder.cell, result=running)
        self._process = process
        self._result_before = folder.result_mark()
        self._tail, self._heartbeat = folder.tail(), folder.heartbeat()
        self._hung_after = self._seconds_left = hung_after
        self._signals_sent, self._hung_reason = 0, ""

    def has_ended(self, seconds: float) -> bool:
        """Wait up to some seconds for the process to end, and tell whether it has."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            return True
        return False

    def stop(self, times: int = 1) -> None:
        """Let the cell save its state and end, asked for the first time; at once the second."""
        if times > self._signals_sent:
            self._signals_sent = times
            self.has_ended(0)  # a cell that was forked just now has told its own number since
            _signal_group(self._process, signal.SIGTERM if times == 1 else signal.SIGKILL)

    def look(self, seconds: float) -> None:
        """See how the cell stands, `seconds` after the last look, and end a process that hangs."""
        before, self._heartbeat = self._heartbeat, self.folder.heartbeat()
        is_alive = self._heartbeat != before
        self._seconds_left = self._hung_after if is_alive else self._seconds_left - seconds
        self.update = followed(self.update, self._tail)
        if self._seconds_left > 0:
            return
        _signal_group(self._process, signal.SIGABRT)  # faulthandler writes down where it hangs
        self.has_ended(ABORT_SECONDS)
        self._hung_reason = (
            f"no step and no batch for {self._hung_after:g} s, so it was ended; "
            "its log.txt says where it hung; the same command tries it again"
        )

    @property
    def is_hung(self) -> bool:
        """Whether the process was ended because it hung."""
        return bool(self._hung_reason)

    def close(self) -> None:
        """Leave nothing of the process behind."""
        _signal_group(self._process, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def result(self, *, may_retry: bool) -> Result | None:
        """Return what the cell ended with; None if it is as open as before.

        It is where another process has it, and where a signal ended the process and the cell
        `may_retry`.

        Raises:
            RunBlocked: if the data changed or the disk is full: then no cell can go on.
            StoreError: if the result cannot be read or written.
        """
        code, log = self._process.returncode, self.folder.path / "log.txt"
        if code in (Exit.DATA, Exit.DISK):
            raise RunBlocked(_last_words(log), code)
        if self.folder.result_mark() not in (None, self._result_before):
            return self.folder.result()
        if code == Exit.BUSY:
            return None
        status: Status = "killed"
        if self._hung_reason:
            status, reason = "hung", self._hung_reason
        elif may_retry and (code < 0 or code == Exit.STOPPED):
            return None
        elif code == Exit.STOPPED:  # somebody stopped the cell itself, not the run
            reason = "stopped by a signal after it saved its state; the same command continues it"
        elif code < 0:
            reason = f"{death_of(code)}; the same command continues it"
        else:
            status = "failed"
            reason = f"the process ended with code {code} and no result: {_last_words(log)}"
        return write_end(self.folder, status, reason, here=True)

    @property
    def was_busy(self) -> bool:
        """Whether the process found that another has the cell."""
        return self._process.returncode == Exit.BUSY


def write_end(folder: CellFolder, status: Status, reason: str, *, here: bool) -> Result | None:
    """Give a cell whose process ended without a result its row; None if another has the cell.

    `here` says that it was started on this machine, if it died before it could say where.
    """
    try:
        with folder.lock(wait_seconds=0.0):
            if folder.is_final():  # another has trained it meanwhile
                return folder.result()
            folder.retry()
            so_far, ended = folder.result(), {"status": status, "reason": reason}
            if here and so_far.images_seen is None:
                ended |= origin_fields([origin_here(folder.cell.device)])
            folder.write_result(so_far.model_copy(update=ended))
    except BusyError:
        return None
    return folder.result()


def _signal_group(process: CellProcess, number: int) -> None:
    """Signal a cell's process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _last_words(log: Path) -> str:
    text = ""
    with contextlib.suppress(OSError):
        text = log.read_text("utf-8", errors="replace")
    if not log.exists():
        return f"{log.parent} was removed while its cell ran; the same command begins anew"
    silence = f"no message; see {log}, or free some space if the disk is full"
    return last_line(text, otherwise=silence)
