"""Where do the cells of a run train? Here, or wherever an engine starts processes for them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from cnnbench.data.catalog.cards import list_cards
from cnnbench.launch.attempt import CellUpdate
from cnnbench.launch.local import Idle, device_of_its_own, run_cells, slots_here
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import StopSignal
from cnnbench.planning.request import PlanError, Request, RunOptions
from cnnbench.schema.cell import Cell, Plan
from cnnbench.store import RunFolder

__all__ = ["Engine", "require_extra", "updates_of", "words_anywhere", "words_of"]

LOOK_SECONDS = 0.5
SHARE_OF_LOOKING = 0.1  # of the time, where a look at thousands of cells takes long
SAVE_SECONDS = 60.0  # for cells elsewhere to save their state, after the run was asked to stop


class Engine(Protocol):
    """Starts processes for cells on other machines, and again where one was lost.

    What becomes of a cell is read from the run folder, or brought there by `look`.
    """

    def start(self, cells: Sequence[Cell]) -> None:
        """Start what trains these cells; return at once."""
        ...

    def look(self, cells: OpenCells) -> None:
        """Bring home what has ended, and start again what was lost.

        Raises:
            RunBlocked: if nothing of the run can go on.
        """
        ...

    def stop(self) -> None:
        """Ask all that was started to save its state and end."""
        ...

    def close(self) -> None:
        """End all that was started."""
        ...


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
        PlanError: if the executor is not installed, or cannot do what is asked of it.
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
        if not folder.is_final() and folder.owner() is None:
            folder.retry()
    with contextlib.closing(_engine(plan, run_folder, request, options)) as engine:
        yield from _followed(cells, engine, stop_signal, fail_fast=options.fail_fast)


def _engine(plan: Plan, run_folder: RunFolder, request: Request, options: RunOptions) -> Engine:
    if options.executor == "ray":
        from cnnbench.launch.ray import RayEngine

        return RayEngine(plan, run_folder, request, options)
    if options.executor == "slurm":
        from cnnbench.launch.slurm import SlurmEngine

        return SlurmEngine(plan, run_folder, request, options)
    return _Workers()


class _Workers:
    """Starts nothing: whoever types `cnnbench work` in sight of the folder trains its cells."""

    def start(self, cells: Sequence[Cell]) -> None:
        """Leave the cells to whoever comes."""

    def look(self, cells: OpenCells) -> None:
        """Trust the run folder."""

    def stop(self) -> None:
        """Let workers go on: they belong to others."""

    def close(self) -> None:
        """Let workers go on."""


def _followed(
    cells: OpenCells, engine: Engine, stop_signal: StopSignal, *, fail_fast: bool
) -> Iterator[CellUpdate]:
    """Start an engine and follow what becomes of the cells, by what they leave in the folder."""
    yield from cells.look(at_all=True)
    if len(cells):
        engine.start(cells.cells)
    while len(cells):
        if stop_signal.number:
            engine.stop()
            _wait_for_saving(cells, stop_signal)
            stop_signal.raise_if_received()
        began = time.monotonic()
        engine.look(cells)
        for update in cells.look(at_all=True):
            yield update
            if fail_fast and update.result.status not in {"done", "running"}:
                engine.stop()
                _wait_for_saving(cells, stop_signal)
                return
        took = time.monotonic() - began
        time.sleep(max(LOOK_SECONDS, took / SHARE_OF_LOOKING))


def _wait_for_saving(cells: OpenCells, stop_signal: StopSignal) -> None:
    """Wait for cells elsewhere to save their state, until a second signal or a minute."""
    deadline = time.monotonic() + SAVE_SECONDS
    while time.monotonic() < deadline and stop_signal.count < 2:
        if not any(update.result.status == "running" for update in cells.look(at_all=True)):
            return
        time.sleep(LOOK_SECONDS)


def words_of(dataset: str, data: dict[str, str], *, keeps: bool) -> list[str]:
    """Return what is typed after `cnnbench cell`, from any working folder.

    The words of a plan may not find its dataset from where a cell starts.
    """
    words = [f"--dataset={dataset}"] if dataset else []
    words += [f"--data={key}={value}" for key, value in data.items()]
    return words + (["--keep"] if keeps else [])


def words_anywhere(request: Request, *, keeps: bool) -> list[str]:
    """Return what is typed after `cnnbench cell` in another working folder, or on another machine.

    Folders are named from the root; a machine that does not have them there says so.
    """
    dataset = request.dataset
    if dataset not in list_cards():
        dataset = _from_root(dataset)
    data = request.data
    if "folder" in data:
        data["folder"] = _from_root(data["folder"])
    return words_of(dataset, data, keeps=keeps)


def _from_root(name: str) -> str:
    return str(Path(name).resolve()) if name.strip() and Path(name).exists() else name


def require_extra(module: str, extra: str) -> None:
    """Say which extra brings a module that is not installed; PlanError."""
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise PlanError(
            f"--executor {extra} needs {module}, which is not installed: "
            f"pip install 'cnnbench[{extra}]'"
        )
