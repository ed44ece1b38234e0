"""How is a plan carried out? Images first, then its cells, and a report of what there is so far."""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from cnnbench.base.files import REPORT_BYTES, require_room
from cnnbench.data.dataset import Dataset
from cnnbench.data.pixels.cache import decoded
from cnnbench.launch.attempt import CellUpdate
from cnnbench.launch.executors import updates_of
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import RunBlocked, Stopped, StopSignal, caught_signals
from cnnbench.launch.stopwatch import Stopwatch
from cnnbench.planning.request import Request, RunOptions
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.result import Ranking
from cnnbench.store import RunFolder, StoreError

__all__ = ["Callbacks", "execute"]

Measure = Callable[[], AbstractContextManager[None]]

PARTIAL_REPORT_SECONDS = 300.0  # a report is drawn between cells no more often than this
DRAWING_SHARE = 0.05  # of the time: the report of ten thousand cells takes most of a minute


@dataclass(frozen=True, kw_only=True, slots=True)
class Callbacks:
    """Whom to tell how a plan goes on.

    `on_measure` hears of a cell whose speed is measured before there is a plan.
    `on_start` hears the plan and how many of its cells are final already, `on_decode` a split with
    the images that are decoded and all of them, `on_update` how a cell stands. `on_wait` hears for
    which process the run waits, again and again as long as it does.
    """

    on_measure: Callable[[Cell], None] = lambda cell: None
    on_start: Callable[[Plan, int], None] = lambda plan, n_final: None
    on_decode: Callable[[str, int, int], None] = lambda split, done, total: None
    on_update: Callable[[CellUpdate], None] = lambda update: None
    on_wait: Callable[[str], None] = lambda who: None


def execute(
    plan: Plan,
    dataset: Dataset,
    request: Request,
    folder: Path,
    options: RunOptions,
    callbacks: Callbacks,
    *,
    started: float | None = None,
) -> None:
    """Run a plan's cells that are not final, and write the report, a partial one if interrupted.

    The cells open the dataset of the `request`: the plan may name it as it was typed elsewhere.
    `started` is when the command began, on the monotonic clock; None is now.

    Raises:
        StoreError: if the folder cannot be written, is busy or holds another run.
        DataError: if an image cannot be read.
        RunBlocked: if no cell of the run can go on.
        Stopped: if a signal asked for it.
    """
    started = time.monotonic() if started is None else started
    run_folder = RunFolder(folder)
    with run_folder.lock(), caught_signals() as stop_signal:
        if options.fresh:
            _wait_for_orphans(run_folder, callbacks, stop_signal)
            run_folder.clear()
        run_folder.write_plan(plan)
        if options.across_machines:
            run_folder.write_ranking(Ranking(across_machines=True))
        require_room(folder, REPORT_BYTES)
        to_train = {cell.id for cell in plan.cells if not run_folder.cell(cell).is_final()}
        callbacks.on_start(plan, len(plan.cells) - len(to_train))
        measure: Measure = contextlib.nullcontext
        if to_train:
            stopwatch = Stopwatch(run_folder, started)
            measure = partial(stopwatch.measure, "pages")
            with stopwatch.measure("images"):
                _decode(plan, dataset, callbacks, stop_signal)
                _write_slices(run_folder, dataset)
        keep = options.networks_to_keep(request)
        is_local = options.executor == "local"
        # Workers count by themselves; who only follows them gives no cell up.
        retries = None if options.executor == "workers" else options.times_to_retry
        cells = OpenCells(run_folder, plan.cells, retries=retries, again=is_local)
        on_wait = callbacks.on_wait
        updates = updates_of(cells, plan, run_folder, request, options, stop_signal, on_wait)
        with (
            _Reports(run_folder, measure, beside=not is_local) as reports,
            contextlib.closing(updates),
        ):
            for update in updates:
                if keep == "best" and update.result.status == "done" and to_train:
                    run_folder.keep_best_network(plan)
                callbacks.on_update(update)
                reports.follow(update, last=not len(cells))


def _wait_for_orphans(run_folder: RunFolder, callbacks: Callbacks, stop_signal: StopSignal) -> None:
    """Wait for a cell whose launcher was killed: it may save its state yet, or even be done."""

    def on_wait(who: str) -> None:
        callbacks.on_wait(who)
        if stop_signal.number:  # not `Stopped`, whose advice is to go on with what is there
            said = f"stopped while it waited for {who}; nothing was changed"
            raise RunBlocked(said, 128 + stop_signal.number)

    run_folder.wait_for_cells(on_wait)


def _decode(plan: Plan, dataset: Dataset, callbacks: Callbacks, stop_signal: StopSignal) -> None:
    """Fill the image cache before the first cell starts, where progress can be shown."""

    def on_progress(split: str, done: int, total: int) -> None:
        callbacks.on_decode(split, done, total)
        stop_signal.raise_if_received()

    for size in sorted({cell.stored_size for cell in plan.cells}):
        for split in dataset.splits:
            decoded(dataset, split, size, progress=partial(on_progress, split))


def _write_slices(run_folder: RunFolder, dataset: Dataset) -> None:
    """Write which images of the headline split are alike in a nuisance, where it is known."""
    if not dataset.drawn:
        return
    from cnnbench.data.sources.drawn import nuisance_columns
    from cnnbench.fruits import slices

    groups = slices(nuisance_columns(dataset.splits[dataset.headline_split]))
    places = {name: mask.nonzero()[0].tolist() for name, mask in groups.items()}
    document = {"version": 1, "split": dataset.headline_split, "slices": places}
    run_folder.write_text("slices.json", json.dumps(document) + "\n")


class _Reports:
    """Draws the report: while the first cell starts up, between two cells, and when a block ends.

    Drawing takes a core for seconds, and a cell that trains is charged for its time: only the
    first report may be drawn beside one, at the lowest priority where the system has one; all of
    them where cells train `beside`, on other machines.
    A report on the way that fails stops no training: the one at the end says what is wrong.
    `measure` is around each drawing that a cell would have to wait for.
    """

    def __init__(
        self,
        run_folder: RunFolder,
        measure: Measure = contextlib.nullcontext,
        *,
        beside: bool = False,
    ) -> None:
        self._run_folder, self._measure, self._beside = run_folder, measure, beside
        self._early = threading.Thread(target=self._draw_early, daemon=True)
        self._running: set[str] = set()
        self._since, self._pause = time.monotonic(), PARTIAL_REPORT_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self.draw()
        elif not (isinstance(error, Stopped) and error.at_once):
            with contextlib.suppress(StoreError):  # what went wrong first is what is told
                self.draw()

    def follow(self, update: CellUpdate, *, last: bool) -> None:
        """Draw when the first cell starts, and after each cell but the `last`.

        The first drawing loads the plotting library, which takes seconds. It runs beside the
        first cell, so that nobody who stops a run has to wait for it.
        """
        if update.result.status == "running":
            self._running.add(update.cell.id)
            if self._early.ident is None:
                self._early.start()
        elif update.cell.id in self._running:
            self._running.discard(update.cell.id)
            is_due = time.monotonic() - self._since > self._pause
            if is_due and not last and (self._beside or not self._running):
                start = time.monotonic()
                with contextlib.suppress(Exception):
                    self.draw()
                self._since = time.monotonic()
                self._pause = max(PARTIAL_REPORT_SECONDS, (self._since - start) / DRAWING_SHARE)

    def draw(self) -> None:
        """Draw the report of all that there is.

        Raises:
            StoreError: if it cannot be written.
        """
        from cnnbench.report.write import write_report

        if self._early.ident is not None:
            self._early.join()
        with self._measure():
            write_report(self._run_folder)

    def _draw_early(self) -> None:
        """Draw in a thread that yields to the first cell, where the system lets it."""
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        from cnnbench.report.write import write_report

        with contextlib.suppress(Exception):
            write_report(self._run_folder)
