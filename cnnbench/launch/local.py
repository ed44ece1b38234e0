"""How do cells run on this machine? Each in its own process, as many at once as it has slots."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cnnbench.launch.attempt import Attempt, CellUpdate
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import StopSignal
from cnnbench.launch.slots import Start

__all__ = ["FOREVER", "LOOK_SECONDS", "Idle", "Rhythm", "run_cells", "wait_to_look"]

POLL_SECONDS = 0.1
LOOK_SECONDS = 0.5
SAVE_SECONDS = 25.0
ALL_SECONDS = 10.0  # between two looks, beside cells that run, at all that others may have trained
SHARE_OF_LOOKING = 0.1  # of the time, where a look at thousands of cells takes long


@dataclass(frozen=True, kw_only=True, slots=True)
class Idle:
    """What to do while others train all that is left: `tell` hears who; `seconds` ends it."""

    tell: Callable[[str], None] = lambda who: None
    seconds: float | None = None


FOREVER = Idle()


def run_cells(
    cells: OpenCells,
    slots: Sequence[Start],
    stop_signal: StopSignal,
    *,
    hung_after: float,
    fail_fast: bool = False,
    most: int | None = None,
    idle: Idle = FOREVER,
) -> Iterator[CellUpdate]:
    """Run the open cells, or the first `most`, in slots; yield about twice a second how they stand.

    A cell whose process dies or hangs becomes a row with the reason, and the others go on, unless
    `fail_fast` ends the run there. Cells that others train are followed until they end, or until
    this process was `idle` for long enough.

    Raises:
        Stopped: after SIGINT or SIGTERM, once the running cells have saved their state.
        RunBlocked: if a cell met changed data or a full disk.
    """
    running = _Running(cells=cells, stop_signal=stop_signal, hung_after=hung_after)
    rhythm, busy_at = Rhythm(), time.monotonic()
    with contextlib.closing(running):
        while True:
            running.fill(slots, most)
            yield from rhythm.look(cells, at_all=not running.attempts)
            if not running.attempts:
                stop_signal.raise_if_received()
                was_idle = idle.seconds is not None and time.monotonic() - busy_at > idle.seconds
                if running.is_ending or not len(cells) or was_idle or running.n_ended == most:
                    return
                idle.tell(cells.waits_for)
                wait_to_look(rhythm.pause, stop_signal)
                continue
            yield from running.follow()
            busy_at = time.monotonic()
            for update in cells.look(at_all=False):
                yield update
                if fail_fast and update.result.status not in {"done", "running"}:
                    running.is_ending = True


@dataclass(kw_only=True, slots=True)
class _Running:
    """The attempts that fill slots, and how many cells have ended in them."""

    cells: OpenCells
    stop_signal: StopSignal
    hung_after: float
    attempts: dict[Start, Attempt] = field(default_factory=dict)
    n_ended: int = 0
    is_ending: bool = False

    def fill(self, slots: Sequence[Start], most: int | None) -> None:
        """Start a cell in each slot that is free, `most` in all, unless the run is ending."""
        for slot in slots:
            is_enough = most is not None and self.n_ended + len(self.attempts) >= most
            if self.is_ending or self.stop_signal.number or is_enough or slot in self.attempts:
                continue
            if folder := self.cells.take():
                self.attempts[slot] = Attempt(slot(folder), folder, hung_after=self.hung_after)

    def follow(self) -> Iterator[CellUpdate]:
        """Wait half a second, or until a process ends; yield how those stand that go on."""
        began = time.monotonic()
        ended = self._wait()
        waited = min(LOOK_SECONDS, time.monotonic() - began)
        for slot, attempt in list(self.attempts.items()):
            attempt.look(waited)
            if slot in ended or attempt.is_hung:
                del self.attempts[slot]
                self._end(attempt)
            else:
                yield attempt.update

    def _wait(self) -> set[Start]:
        deadline = time.monotonic() + LOOK_SECONDS
        ended: set[Start] = set()
        while not ended and time.monotonic() < deadline:
            pause = POLL_SECONDS / len(self.attempts)
            ended = {slot for slot, each in self.attempts.items() if each.has_ended(pause)}
            for attempt in self.attempts.values():
                attempt.stop(max(self.stop_signal.count, int(self.is_ending)))
        return ended

    def _end(self, attempt: Attempt) -> None:
        """Take note of what an attempt ended with, or that its cell is as open as before."""
        attempt.close()
        is_stopping = self.is_ending or bool(self.stop_signal.number)
        may_retry = is_stopping or self.cells.may_retry(attempt.folder)
        result = attempt.result(may_retry=may_retry)
        if result is None:
            self.cells.put_back(attempt.folder, was_busy=attempt.was_busy)
        else:
            self.cells.end(attempt.folder, result)
            self.n_ended += 1

    def close(self) -> None:
        """Let what still runs save its state, where a fault ends the run; leave nothing behind."""
        deadline = time.monotonic() + SAVE_SECONDS
        for attempt in self.attempts.values():
            attempt.stop()
        for attempt in self.attempts.values():
            attempt.has_ended(max(0.0, deadline - time.monotonic()))
            attempt.close()


class Rhythm:
    """Looks at all cells as often as a tenth of the time allows; `pause` is until the next look."""

    def __init__(self) -> None:
        self.pause = LOOK_SECONDS
        self._due_at = time.monotonic() + ALL_SECONDS

    def look(self, cells: OpenCells, *, at_all: bool) -> list[CellUpdate]:
        """Return how cells stand, of all of them where that is due or asked for."""
        began = time.monotonic()
        at_all = at_all or began >= self._due_at
        seen = list(cells.look(at_all=at_all))
        if at_all:
            self.pause = max(LOOK_SECONDS, (time.monotonic() - began) / SHARE_OF_LOOKING)
            self._due_at = time.monotonic() + max(ALL_SECONDS, self.pause)
        return seen


def wait_to_look(seconds: float, stop_signal: StopSignal) -> None:
    """Sleep until the next look, or until a signal asks to stop."""
    deadline = time.monotonic() + seconds
    while not stop_signal.number and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))
