"""How do cells run on this machine? Each in a process of its own, as many at once as it has slots.

A slot is a device, or a share of the cores. A cell that is charged for seconds has a device to
itself: two would slow each other down, and neither would get what its budget says.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cnnbench.base.digests import digest_of
from cnnbench.base.processes import usable_cores
from cnnbench.base.words import plural
from cnnbench.engine.gpu import gpu_uuids, visible_gpus, why_no_gpu
from cnnbench.engine.hardware import threads_here
from cnnbench.launch.attempt import Attempt, CellUpdate
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import StopSignal
from cnnbench.launch.warm import CellProcess, WarmServer
from cnnbench.planning.request import PlanError
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Plan
from cnnbench.store import BusyError, CellFolder, RunFolder

__all__ = ["FOREVER", "LOOK_SECONDS", "SHARE_OF_LOOKING", "Idle", "Start"]
__all__ += [
    "device_of_its_own",
    "is_charged_for_time",
    "require_own_devices",
    "run_cells",
    "slots_here",
]
__all__ += ["wait_to_look"]

POLL_SECONDS = 0.1
LOOK_SECONDS = 0.5
SAVE_SECONDS = 25.0
ALL_SECONDS = 10.0  # between two looks, beside cells that run, at all that others may have trained
SHARE_OF_LOOKING = 0.1  # of the time, where a look at thousands of cells takes long

Start = Callable[[CellFolder], CellProcess]


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
    attempts: dict[Start, Attempt] = {}
    busy_at = time.monotonic()
    look_at, is_ending, n_ended = busy_at + ALL_SECONDS, False, 0
    try:
        while True:
            for slot in slots:
                may_start = not (is_ending or stop_signal.number or slot in attempts)
                is_enough = most is not None and n_ended + len(attempts) >= most
                if may_start and not is_enough and (folder := cells.take()):
                    attempts[slot] = Attempt(slot(folder), folder, hung_after=hung_after)
            began = time.monotonic()
            is_due = not attempts or began > look_at
            seen = list(cells.look(at_all=is_due))
            if is_due:
                pause = (time.monotonic() - began) / SHARE_OF_LOOKING
                look_at = time.monotonic() + max(ALL_SECONDS, pause)
            yield from seen
            if not attempts:
                stop_signal.raise_if_received()
                was_idle = idle.seconds is not None and began - busy_at > idle.seconds
                if is_ending or not len(cells) or was_idle or n_ended == most:
                    return
                idle.tell(cells.waits_for)
                wait_to_look(max(LOOK_SECONDS, pause), stop_signal)
                continue
            began = time.monotonic()
            ended = _wait(attempts, stop_signal)
            busy_at = time.monotonic()
            for slot, attempt in list(attempts.items()):
                attempt.look(min(LOOK_SECONDS, busy_at - began))
                if slot in ended or attempt.is_hung:
                    del attempts[slot]
                    is_stopping = bool(stop_signal.number) or is_ending
                    n_ended += _end(attempt, cells, is_stopping=is_stopping)
                else:
                    yield attempt.update
            for update in cells.look(at_all=False):
                yield update
                has_failed = update.result.status not in {"done", "running"}
                is_ending |= fail_fast and has_failed
            if is_ending:
                for attempt in attempts.values():
                    attempt.stop()
    finally:
        _let_save(attempts)


def wait_to_look(seconds: float, stop_signal: StopSignal) -> None:
    """Sleep until the next look, or until a signal asks to stop."""
    deadline = time.monotonic() + seconds
    while not stop_signal.number and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))


def _let_save(attempts: dict[Start, Attempt]) -> None:
    """Let what still runs save its state, where a fault ends the run; then leave nothing behind."""
    deadline = time.monotonic() + SAVE_SECONDS
    for attempt in attempts.values():
        attempt.stop()
    for attempt in attempts.values():
        attempt.has_ended(max(0.0, deadline - time.monotonic()))
        attempt.close()


def _wait(attempts: dict[Start, Attempt], stop_signal: StopSignal) -> set[Start]:
    """Wait until a process ends, or half a second; return the slots of those that ended."""
    deadline = time.monotonic() + LOOK_SECONDS
    ended: set[Start] = set()
    while not ended and time.monotonic() < deadline:
        pause = POLL_SECONDS / len(attempts)
        ended = {slot for slot, attempt in attempts.items() if attempt.has_ended(pause)}
        for attempt in attempts.values():
            attempt.stop(stop_signal.count)
    return ended


def _end(attempt: Attempt, cells: OpenCells, *, is_stopping: bool) -> bool:
    """Take note of what an attempt ended with, or that its cell is as open as before: False."""
    attempt.close()
    may_retry = is_stopping or cells.may_retry(attempt.folder)
    result = attempt.result(may_retry=may_retry)
    if result is None:
        cells.put_back(attempt.folder, was_busy=attempt.was_busy)
        return False
    cells.end(attempt.folder, result)
    return True


# -- the slots of this machine --------------------------------------------------------------------


@contextlib.contextmanager
def slots_here(
    run_folder: RunFolder, plan: Plan, *, jobs: int, words: Sequence[str]
) -> Iterator[list[Start]]:
    """Yield what starts cells here: one slot a GPU, or one for all cores; `jobs` times as many.

    `words` are typed after each `cnnbench cell`. The processes that start cells end with the block.

    Raises:
        PlanError: if cells charged for seconds would share a device.
    """
    require_own_devices(plan, jobs)
    device = plan.cells[0].device
    n_devices = max(cell.devices for cell in plan.cells)
    gpus = visible_gpus() if device == "cuda" else []
    if device == "cuda" and len(gpus) < n_devices:
        raise PlanError(
            f"the cells need {plural(n_devices, 'GPU')}, and this machine gives {len(gpus)}: "
            f"{why_no_gpu()}"
        )
    places: list[dict[str, str]] = [
        {"CUDA_VISIBLE_DEVICES": ",".join(gpus[first : first + n_devices])}
        for first in range(0, len(gpus) - n_devices + 1, n_devices)
    ]
    places = (places or [{}]) * jobs
    threads = threads_here(plan.machine, device) or usable_cores()
    if len(places) > 1:
        threads = max(1, usable_cores() // len(places))
    words = [*words, f"--threads={threads}"]
    with contextlib.ExitStack() as stack:
        servers = [WarmServer(run_folder, words, environment=place) for place in places]
        for server in servers:
            stack.callback(server.close)
        yield [server.start for server in servers]


def is_charged_for_time(plan: Plan) -> bool:
    """Tell whether what cells get for their budget depends on what else their device does."""
    timed = (Currency.SECONDS, Currency.JOULES)
    return any(cell.budget.currency in timed for cell in plan.cells)


def require_own_devices(plan: Plan, jobs: int) -> None:
    """Refuse several cells at once on a device, where they are charged for time; PlanError."""
    if jobs > 1 and is_charged_for_time(plan):
        raise PlanError(
            f"--jobs {jobs} would let cells share a device, and a budget in seconds or joules "
            "would then buy each of them less; leave it out, or take a budget in epochs or images"
        )


@contextlib.contextmanager
def device_of_its_own(run_folder: RunFolder, plan: Plan) -> Iterator[None]:
    """Let no other process of this machine train for the same run under a budget in seconds.

    Raises:
        BusyError: if one does.
    """
    if not is_charged_for_time(plan):
        yield
        return
    # A scheduler may call each job's own GPU the same, and give jobs other cores.
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    places = gpu_uuids() if plan.cells[0].device == "cuda" else [str(cores)]
    keys = [digest_of([str(run_folder.path.resolve()), place]) for place in places]
    folder = Path(tempfile.gettempdir())
    with contextlib.ExitStack() as held:
        try:
            for key in keys:
                lock = FileLock(folder / f"cnnbench-{os.getuid()}-{key}.lock")
                held.enter_context(lock.acquire(timeout=0))
        except Timeout:
            raise BusyError(
                f"another process of this machine trains cells of {run_folder.path}, and a budget "
                "in seconds needs a device of its own; name other GPUs with CUDA_VISIBLE_DEVICES"
            ) from None
        yield
