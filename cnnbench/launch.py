"""Where do cells run? Each in a process of its own, one after another, through `cnnbench cell`."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.events import Evaluated, Event, Stepped
from cnnbench.schema.result import Result, planned
from cnnbench.store import BusyError, RunFolder, StoreError

POLL_SECONDS = 0.5
EXIT_DATA, EXIT_DISK, EXIT_BUSY = 3, 4, 5


class Stopped(Exception):
    """The run was asked to stop by a signal; what was running has saved its state."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number


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


def run_cells(plan: Plan, run: RunFolder) -> Iterator[CellUpdate]:
    """Run every cell that is not final yet, and say about twice a second how it stands.

    A cell whose process dies becomes a row with the reason, and the others go on.

    Raises:
        Stopped: after SIGINT or SIGTERM, once the running cell has saved its state.
        CellError: if a cell found the data changed, the disk full or the folder busy.
    """
    with _signals() as asked:
        for cell in plan.cells:
            folder = run.cell(cell)
            if folder.is_final():
                yield CellUpdate(cell=cell, result=folder.result())
                continue
            (folder.path / "result.json").unlink(missing_ok=True)  # failed before: try again
            process = _start(run, cell)
            try:
                yield from _watch(process, run, cell, asked)
            finally:
                _end(process)
            if asked.number:
                raise Stopped(asked.number)
            _judge(process.returncode, run, cell)
            yield CellUpdate(cell=cell, result=folder.result())


def _start(run: RunFolder, cell: Cell) -> subprocess.Popen[bytes]:
    path = run.cell(cell).path
    command = [sys.executable, "-m", "cnnbench", "cell", "--run", str(run.path), "--id", cell.id]
    with (path / "log.txt").open("ab") as log:
        # A session of its own: a terminal's Ctrl-C reaches the launcher, which passes it on once.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _watch(
    process: subprocess.Popen[bytes], run: RunFolder, cell: Cell, asked: _Asked
) -> Iterator[CellUpdate]:
    passed_on = 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
            return
        if asked.count > passed_on:
            passed_on = asked.count
            process.send_signal(signal.SIGTERM if passed_on == 1 else signal.SIGKILL)
        yield _update(run, cell)


def _update(run: RunFolder, cell: Cell) -> CellUpdate:
    events: list[Event] = run.events(cell)
    return CellUpdate(
        cell=cell,
        result=planned(cell).model_copy(update={"status": "running"}),
        stepped=next((e for e in reversed(events) if isinstance(e, Stepped)), None),
        evaluated=next((e for e in reversed(events) if isinstance(e, Evaluated)), None),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _judge(code: int, run: RunFolder, cell: Cell) -> None:
    """Give a process that died without a result its row; stop the run where no cell can go on."""
    folder = run.cell(cell)
    log = folder.path / "log.txt"
    if code in (EXIT_DATA, EXIT_DISK, EXIT_BUSY):
        raise CellError(_last_line(log), code)
    if (folder.path / "result.json").exists():
        return
    if code < 0:
        name = signal.Signals(-code).name
        reason = f"killed by {name}" + (" (possibly out of memory)" if code == -9 else "")
        result = folder.result().model_copy(update={"status": "killed", "reason": reason})
    else:
        reason = f"the process ended with code {code} and no result: {_last_line(log)}"
        result = folder.result().model_copy(update={"status": "failed", "reason": reason})
    folder.write_result(result)


def _last_line(log: Path) -> str:
    text = log.read_text(errors="replace").strip()
    return text.splitlines()[-1][:300] if text else "no message; see its log.txt"


@dataclass(slots=True)
class _Asked:
    """Which signal asked the run to stop, and how often."""

    number: int = 0
    count: int = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.number, self.count = self.number or number, self.count + 1


@contextlib.contextmanager
def _signals() -> Iterator[_Asked]:
    """Note SIGINT and SIGTERM instead of dying of them; outside the main thread do nothing."""
    asked = _Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    handlers = {n: signal.signal(n, asked.note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def serve_cell(run: RunFolder, cell_id: str, *, started: float) -> int:
    """Run one cell in this process and return its exit code: what `cnnbench cell` does."""
    from cnnbench.data.errors import DataError
    from cnnbench.runner import Interrupted, run_cell

    _die_with_parent()
    plan = run.plan()
    cell = next((cell for cell in plan.cells if cell.id == cell_id), None)
    if cell is None:
        raise StoreError(f"{run.path} has no cell {cell_id!r}")
    stop = threading.Event()
    stop_signal: Callable[[int, FrameType | None], None] = lambda *_: stop.set()  # noqa: E731
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop_signal)
    folder = run.cell(cell)
    try:
        with folder.lock():
            result = run_cell(
                cell,
                folder,
                stop_asked=stop.is_set,
                started=started,
                machine_line=str(plan.machine.get("line") or ""),
            )
    except Interrupted:
        return 128 + signal.SIGTERM
    except DataError as error:
        print(error, file=sys.stderr)
        return EXIT_DATA
    except BusyError as error:
        print(error, file=sys.stderr)
        return EXIT_BUSY
    except (StoreError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_DISK
    return 0 if result.status == "done" else 1


def _die_with_parent() -> None:
    """On Linux, end this process when the launcher dies: nobody would watch it any more."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
