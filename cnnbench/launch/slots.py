"""Which devices of this machine may a cell have, and what starts it there?

A cell that is charged for seconds has a device to itself: two would slow each other down, and
neither would get what its budget says.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from cnnbench.base.digests import digest_of
from cnnbench.base.processes import usable_cores
from cnnbench.base.words import plural
from cnnbench.engine.gpu import gpu_uuids, visible_gpus, why_no_gpu
from cnnbench.engine.hardware import threads_here
from cnnbench.launch.warm import CellProcess, WarmServer
from cnnbench.planning.request import PlanError
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Plan
from cnnbench.store import BusyError, CellFolder, RunFolder

__all__ = ["Start", "device_of_its_own", "is_charged_for_time", "require_own_devices", "slots_here"]

Start = Callable[[CellFolder], CellProcess]
"""What starts a cell on one slot: a device, or a share of the cores."""


@contextlib.contextmanager
def slots_here(
    run_folder: RunFolder, plan: Plan, *, jobs: int, words: Sequence[str], beside: int = 1
) -> Iterator[list[Start]]:
    """Yield what starts cells here: one slot a GPU, or one for all cores; `jobs` times as many.

    `words` are typed after each `cnnbench cell`. As many processes as `beside` share the cores.
    The processes that start cells end with the block.

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
    if len(places) * beside > 1:
        threads = max(1, usable_cores() // (len(places) * beside))
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
def device_of_its_own(
    run_folder: RunFolder, plan: Plan, on_shared: Callable[[str], None] = lambda notice: None
) -> Iterator[None]:
    """Let no other process of this machine train for the same run under a budget in seconds.

    Under another budget `on_shared` hears that one does, and what that costs.

    Raises:
        BusyError: if one does, under a budget in seconds or joules.
    """
    # A scheduler may call each job's own GPU the same, and give jobs other cores.
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    places = gpu_uuids() if plan.cells[0].device == "cuda" else [str(cores)]
    keys = [digest_of([str(run_folder.path.resolve()), place]) for place in places]
    folder = Path(tempfile.gettempdir())
    other = f"another process of this machine trains cells of {run_folder.path}"
    with contextlib.ExitStack() as held:
        try:
            for key in keys:
                lock = FileLock(folder / f"cnnbench-{os.getuid()}-{key}.lock")
                held.enter_context(lock.acquire(timeout=0))
        except Timeout:
            if is_charged_for_time(plan):
                raise BusyError(
                    f"{other}, and a budget in seconds needs a device of its own; name other GPUs "
                    "with CUDA_VISIBLE_DEVICES"
                ) from None
            on_shared(
                f"{other} on the same device, where each slows the other down, on processors many "
                "times; end one of them, and give the other --jobs 2"
            )
        yield
