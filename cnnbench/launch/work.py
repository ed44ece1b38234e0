"""How does a process help with a run that another began? It takes cells of its folder."""

import contextlib
import os
import random
from collections.abc import Callable, Iterator, Sequence

from cnnbench.launch.attempt import CellUpdate
from cnnbench.launch.local import FOREVER, Idle, run_cells
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import StopSignal
from cnnbench.launch.slots import device_of_its_own, slots_here
from cnnbench.schema.cell import Plan
from cnnbench.store import BusyError, RunFolder

__all__ = ["keeps_by_default", "work"]


def work(
    run_folder: RunFolder,
    *,
    words: Sequence[str],
    retries: int,
    hung_after: float,
    stop_signal: StopSignal,
    jobs: int = 1,
    most: int | None = None,
    idle: Idle = FOREVER,
    beside: int = 1,
    on_notice: Callable[[str], None] = lambda notice: None,
    on_start: Callable[[Plan, int], None] = lambda plan, n_ended: None,
) -> Iterator[CellUpdate]:
    """Train cells of a run that nobody trains, and yield how they stand, until all have ended.

    Where several of these work on one folder, each takes other cells: a cell is claimed by the
    process that trains it, and one whose owner died is taken over. `most` ends it after so many
    cells, `idle` after some seconds without any. Whoever sees the last cell end draws the report.
    `words` are typed after each `cnnbench cell`. `on_start` hears the plan and how many of its
    cells have ended already, `on_notice` what slows this process down. `beside` is how many
    processes like this one share the cores.

    Raises:
        StoreError: if the folder holds no run; BusyError if cells charged for seconds would share
            a device with those of another process here.
        PlanError, Stopped, RunBlocked: as `slots_here` and `run_cells`.
    """
    plan = run_folder.plan()
    # Each begins at another place of the plan, so that few reach for the same cell.
    first = random.Random(os.urandom(8)).randrange(len(plan.cells))
    cells = OpenCells(run_folder, plan.cells, retries=retries, again=False, first=first)
    already = list(cells.look(at_all=True))
    on_start(plan, len(plan.cells) - len(cells))
    if not len(cells):
        return
    yield from already
    with (
        device_of_its_own(run_folder, plan, on_notice),
        slots_here(run_folder, plan, jobs=jobs, words=words, beside=beside) as slots,
    ):
        yield from run_cells(cells, slots, stop_signal, hung_after=hung_after, most=most, idle=idle)
    if not len(cells):
        with contextlib.suppress(BusyError), run_folder.lock():  # its `cnnbench run` draws it then
            from cnnbench.report.write import write_report

            write_report(run_folder)


def keeps_by_default(plan: Plan) -> bool:
    """Tell whether `cnnbench run` would keep the networks: not of a smoke run, nor of a sweep."""
    settings = {(cell.name, cell.recipe.lr, cell.recipe.batch_size) for cell in plan.cells}
    is_sweep = len(settings) > len({name for name, _, _ in settings})
    return not is_sweep and all(cell.subset is None for cell in plan.cells)
