"""Where do cells run? Each in a process of its own, one after another, through `cnnbench cell`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cnnbench.runner.worker import EXIT_BUSY, EXIT_DATA, EXIT_DISK, EXIT_STOPPED
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.events import Evaluated, Event, Stepped
from cnnbench.schema.result import Result, Status, planned
from cnnbench.store import CellFolder, RunFolder

POLL_SECONDS = 0.1
UPDATE_SECONDS = 0.5
LAST_WORDS_SECONDS = 2.0
HUNG_AFTER_SECONDS = 900.0

Start = Callable[[RunFolder, Cell], "subprocess.Popen[bytes]"]


class Stopped(Exception):
    """The run was asked to stop by a signal; what was running has saved its state.

    `at_once` says that it was asked twice, and that nothing more may be waited for.
    """

    def __init__(self, signal_number: int, *, at_once: bool = False) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number
        self.at_once = at_once


class CellError(Exception):
    """A cell found that no cell of this run can go on; `exit_code` says why."""

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
class Asked:
    """Which signal asked the run to stop, and how often."""

    number: int = 0
    count: int = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        del frame
        self.number, self.count = self.number or number, self.count + 1

    def check(self) -> None:
        """Stop here if a signal asked for it.

        Raises:
            Stopped: if one did.
        """
        if self.number:
            raise Stopped(self.number, at_once=self.count > 1)


@contextlib.contextmanager
def signals() -> Iterator[Asked]:
    """Note SIGINT and SIGTERM instead of dying of them; outside the main thread do nothing."""
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    handlers = {n: signal.signal(n, asked.note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def start_process(run: RunFolder, cell: Cell) -> subprocess.Popen[bytes]:
    """Start `cnnbench cell` in a session of its own, with its words in the cell's `log.txt`.

    A terminal's Ctrl-C so reaches the launcher alone, which passes it on once. The cell's stdin
    is a line to the launcher: it closes when the launcher ends, however that comes about.
    """
    path = run.cell(cell).path
    command = [sys.executable, "-m", "cnnbench", "cell", "--launched"]
    command += ["--run", str(run.path), "--id", cell.id]
    with (path / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )


def run_cells(
    plan: Plan,
    run: RunFolder,
    *,
    asked: Asked,
    fail_fast: bool = False,
    hung_after_seconds: float = HUNG_AFTER_SECONDS,
    start: Start = start_process,
) -> Iterator[CellUpdate]:
    """Run every cell that is not final yet, and say about twice a second how it stands.

    A cell whose process dies or hangs becomes a row with the reason, and the others go on, unless
    `fail_fast` ends the run there.

    Raises:
        Stopped: after SIGINT or SIGTERM, once the running cell has saved its state.
        CellError: if a cell found the data changed, the disk full or the folder busy.
    """
    for cell in plan.cells:
        folder = run.cell(cell)
        asked.check()
        if folder.is_final():
            folder.forget_checkpoints()  # a kill right after the result leaves them behind
        else:
            folder.retry()
            process = start(run, cell)
            watch = _Watch(process, folder, asked, hung_after_seconds)
            try:
                yield from watch.updates()
            finally:
                _end(process)
            asked.check()
            _judge(process.returncode, folder, hung=watch.hung)
        result = folder.result()
        yield CellUpdate(cell=cell, result=result)
        if fail_fast and result.status != "done":
            return


class _Watch:
    """Follows one cell's process until it ends or has to be ended."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        folder: CellFolder,
        asked: Asked,
        hung_after_seconds: float,
    ) -> None:
        self.hung = ""
        self._process, self._folder, self._asked = process, folder, asked
        self._patience = self._left = hung_after_seconds
        self._beat = folder.heartbeat()
        self._passed_on = asked.count
        self._tail = folder.tail()
        self._latest = CellUpdate(
            cell=folder.cell,
            result=planned(folder.cell).model_copy(update={"status": "running"}),
        )

    def updates(self) -> Iterator[CellUpdate]:
        """Say now and then how the cell stands, pass signals on, and end it where it hangs."""
        while True:
            for _ in range(round(UPDATE_SECONDS / POLL_SECONDS)):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(POLL_SECONDS)
                    return
                self._pass_on()
            self._look_for_life()
            yield self._update()

    def _pass_on(self) -> None:
        if self._asked.count > self._passed_on:
            self._passed_on = self._asked.count
            number = signal.SIGTERM if self._passed_on == 1 else signal.SIGKILL
            _signal_group(self._process, number)

    def _look_for_life(self) -> None:
        """Count the time without a heartbeat in looks, so that a suspended machine costs none."""
        beat = self._folder.heartbeat()
        self._left = self._left - UPDATE_SECONDS if beat == self._beat else self._patience
        self._beat = beat
        if self._left <= 0:
            self.hung = (
                f"no step and no batch for {self._patience:g} s, so it was ended; "
                "its log.txt says where it hung; the same command tries it again"
            )
            _signal_group(self._process, signal.SIGABRT)  # faulthandler writes down where
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LAST_WORDS_SECONDS)
            _end(self._process)

    def _update(self) -> CellUpdate:
        events: list[Event] = self._tail.read()
        latest = self._latest
        stepped = [event for event in events if isinstance(event, Stepped)]
        tested = [event for event in events if isinstance(event, Evaluated)]
        self._latest = CellUpdate(
            cell=latest.cell,
            result=latest.result,
            stepped=stepped[-1] if stepped else latest.stepped,
            evaluated=tested[-1] if tested else latest.evaluated,
        )
        return self._latest


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal a cell's process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of a cell's process behind."""
    _signal_group(process, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


def _judge(code: int, folder: CellFolder, *, hung: str) -> None:
    """Give a process that died without a result its row; stop the run where no cell can go on."""
    log = folder.path / "log.txt"
    if code in (EXIT_DATA, EXIT_DISK, EXIT_BUSY):
        raise CellError(_last_line(log), code)
    if (folder.path / "result.json").exists():
        return
    status: Status = "killed"
    if hung:
        status, reason = "hung", hung
    elif code == EXIT_STOPPED:  # somebody stopped the cell itself, not the run
        reason = "stopped by a signal after it saved its state; the same command continues it"
    elif code < 0:
        memory = " (possibly out of memory)" if -code == signal.SIGKILL else ""
        reason = f"killed by {_signal_name(-code)}{memory}; the same command continues it"
    else:
        status = "failed"
        reason = f"the process ended with code {code} and no result: {_last_line(log)}"
    known = folder.result()
    folder.write_result(known.model_copy(update={"status": status, "reason": reason}))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError):
        text = log.read_text(errors="replace").strip()
        if text:
            return text.splitlines()[-1][:300]
    return f"no message; see {log}, or free some space if the disk is full"
