"""Where do the cells of a run train? Here, or wherever an engine starts processes for them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from cnnbench.launch.attempt import CellUpdate
from cnnbench.launch.engine import require_extra, words_of
from cnnbench.launch.local import LOOK_SECONDS, Idle, Rhythm, run_cells, wait_to_look
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import StopSignal
from cnnbench.launch.slots import device_of_its_own, slots_here
from cnnbench.planning.request import PlanError, Request, RunOptions
from cnnbench.schema.cell import Plan
from cnnbench.store import RunFolder

if TYPE_CHECKING:
    from cnnbench.launch.engine import Engine

__all__ = ["require_executor", "updates_of"]

SAVE_SECONDS = 60.0  # for cells elsewhere to save their state, after the run was asked to stop


def require_executor(options: RunOptions) -> None:
    """Check all of an executor that needs no plan, before anything is written or measured.

    Raises:
        PlanError: if it is not installed, not there, or cannot do what is asked of it.
    """
    if options.executor == "ray":
        require_extra("ray", "ray")
        from cnnbench.launch.ray import require_reachable

        require_reachable(options.ray_address)
    elif options.executor == "slurm":
        from cnnbench.launch.slurm import checked, require_cluster

        require_extra("submitit", "slurm")
        require_cluster(checked(options.slurm_parameters))
    elif options.executor == "workers":
        _require_nothing_for_workers(options)


def updates_of(
    cells: OpenCells,
    plan: Plan,
    run_folder: RunFolder,
    request: Request,
    options: RunOptions,
    stop_signal: StopSignal,
    on_wait: Callable[[str], None],
) -> Generator[CellUpdate]:
    """Carry the cells out where the options say, and yield how they stand until all have ended.

    Raises:
        PlanError: if a cluster has no such devices.
        Stopped, RunBlocked: as `run_cells`.
    """
    if options.executor == "local":
        words = words_of(request.dataset, request.data, keeps=options.keeps(request))
        with (
            device_of_its_own(run_folder, plan),
            slots_here(run_folder, plan, jobs=options.jobs, words=words) as slots,
        ):
            yield from run_cells(
                cells,
                slots,
                stop_signal,
                hung_after=options.hung_after,
                fail_fast=options.fail_fast,
                idle=Idle(tell=on_wait),
            )
        return
    for cell in cells.cells:  # what failed before is tried again; what others train goes on
        folder = run_folder.cell(cell)
        if not folder.is_final() and folder.owner(exactly=True) is None:
            folder.retry()
    if options.executor == "workers":
        on_wait(f"workers: `cnnbench work {run_folder.path}`, on any machine that sees the folder")
        yield from _followed(cells, None, stop_signal, fail_fast=options.fail_fast)
        return
    with contextlib.closing(_engine(plan, run_folder, request, options)) as engine:
        yield from _followed(cells, engine, stop_signal, fail_fast=options.fail_fast)


def _engine(plan: Plan, run_folder: RunFolder, request: Request, options: RunOptions) -> Engine:
    if options.executor == "ray":
        from cnnbench.launch.ray import RayEngine

        return RayEngine(plan, run_folder, request, options)
    from cnnbench.launch.slurm import SlurmEngine

    return SlurmEngine(plan, run_folder, request, options)


def _require_nothing_for_workers(options: RunOptions) -> None:
    """Refuse what only the workers can be told; PlanError."""
    default = RunOptions()
    for name in ("jobs", "keep", "retries", "hung_after"):
        if getattr(options, name) != getattr(default, name):
            flag = f"--{name.replace('_', '-')}"
            raise PlanError(f"{flag} is for each worker to be told: cnnbench work DIR {flag} ...")


def _followed(
    cells: OpenCells, engine: Engine | None, stop_signal: StopSignal, *, fail_fast: bool
) -> Iterator[CellUpdate]:
    """Follow what becomes of the cells, which an engine starts, or workers of their own accord."""
    rhythm = Rhythm()
    yield from rhythm.look(cells, at_all=True)
    if engine and len(cells):
        engine.start(cells.cells)
    while len(cells):
        if stop_signal.number:
            _let_save(cells, engine, stop_signal)
            stop_signal.raise_if_received()
        if engine:
            engine.look(cells)
        seen = rhythm.look(cells, at_all=True)
        yield from seen
        ended_badly = {update.result.status for update in seen} - {"done", "running"}
        if fail_fast and ended_badly:
            _let_save(cells, engine, stop_signal)
            return
        wait_to_look(rhythm.pause, stop_signal)


def _let_save(cells: OpenCells, engine: Engine | None, stop_signal: StopSignal) -> None:
    """Stop what an engine started, and wait until it has saved, a minute or a second signal."""
    if engine is None:
        return
    engine.stop()
    deadline = time.monotonic() + SAVE_SECONDS
    while time.monotonic() < deadline and stop_signal.count < 2:
        engine.look(cells)
        if not any(update.result.status == "running" for update in cells.look(at_all=True)):
            return
        time.sleep(LOOK_SECONDS)
