"""How is a plan carried out? Images first, then its cells, and a report of what there is so far."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cnnbench.base.files import REPORT_BYTES, require_room
from cnnbench.data.dataset import Dataset
from cnnbench.data.pixels.cache import decoded
from cnnbench.launch.processes import (
    HUNG_AFTER_SECONDS,
    Asked,
    CellUpdate,
    Stopped,
    run_cells,
    signals,
)
from cnnbench.schema.cell import Plan, stored_size
from cnnbench.store import RunFolder, StoreError

PARTIAL_REPORT_SECONDS = 60.0  # a report is drawn between cells no more often than this
OnUpdate = Callable[[CellUpdate], None]
OnDecode = Callable[[str, int, int], None]


def execute(
    plan: Plan,
    dataset: Dataset,
    folder: Path,
    *,
    fresh: bool = False,
    fail_fast: bool = False,
    hung_after_seconds: float = HUNG_AFTER_SECONDS,
    on_update: OnUpdate = lambda update: None,
    on_decode: OnDecode = lambda split, done, total: None,
) -> Path:
    """Run a plan's cells that are not done, and write the report, a partial one if interrupted.

    Raises:
        StoreError: if the folder cannot be written, is busy or holds another run.
        DataError: if an image cannot be read.
        Stopped: if a signal asked for it.
    """
    store = RunFolder(folder)
    with store.lock(), signals() as asked:
        if fresh:
            store.clear()
        store.write_plan(plan)
        require_room(folder, REPORT_BYTES)
        if not all(store.cell(cell).is_final() for cell in plan.cells):
            _decode(plan, dataset, on_decode, asked)
            _write_slices(store, dataset)
        reports = _Reports(store)
        try:
            for update in run_cells(
                plan,
                store,
                asked=asked,
                fail_fast=fail_fast,
                hung_after_seconds=hung_after_seconds,
            ):
                on_update(update)
                reports.follow(update, last=update.cell.id == plan.cells[-1].id)
        except BaseException as error:
            if not (isinstance(error, Stopped) and error.at_once):
                with contextlib.suppress(StoreError):  # what went wrong first is what is told
                    reports.draw()
            raise
        reports.draw()
    return folder


def _decode(plan: Plan, dataset: Dataset, on_decode: OnDecode, asked: Asked) -> None:
    """Fill the image cache before the first cell starts, where progress can be shown."""

    def tell(split: str, done: int, total: int) -> None:
        on_decode(split, done, total)
        asked.check()

    for size in sorted({stored_size(cell.image_size) for cell in plan.cells}):
        for split in dataset.splits:
            decoded(dataset, split, size, progress=partial(tell, split))


def _write_slices(store: RunFolder, dataset: Dataset) -> None:
    """Write which images of the headline split are alike in a nuisance, where it is known."""
    if not dataset.drawn:
        return
    from cnnbench.data.sources.drawn import nuisance_columns
    from cnnbench.fruits import slices

    groups = slices(nuisance_columns(dataset.splits[dataset.headline_split]))
    places = {name: mask.nonzero()[0].tolist() for name, mask in groups.items()}
    document = {"version": 1, "split": dataset.headline_split, "slices": places}
    store.write_text("slices.json", json.dumps(document) + "\n")


class _Reports:
    """Draws the report: of what is planned, of what is there between two cells, and at the end.

    Never beside a cell that trains: its clock is charged, and drawing takes a core for seconds.
    A report on the way that cannot be drawn does not stop the training; the one at the end meets
    the same fault and says so.
    """

    def __init__(self, store: RunFolder) -> None:
        self._store = store
        self._early = threading.Thread(target=self._draw_early, daemon=True)
        self._running: str | None = None
        self._since = time.monotonic()

    def follow(self, update: CellUpdate, *, last: bool) -> None:
        """Draw when the first cell starts, and when one has ended that was not the `last`.

        The first time is beside the first cell's start-up: loading the plotting library takes
        seconds, and who stops a run should not have to wait for it.
        """
        if update.result.status == "running":
            self._running = update.cell.id
            if self._early.ident is None:
                self._early.start()
        elif self._running == update.cell.id:
            self._running = None
            if not last and time.monotonic() - self._since > PARTIAL_REPORT_SECONDS:
                self._wait()
                self._draw_on_the_way()
                self._since = time.monotonic()

    def draw(self) -> None:
        """Draw the report of all that there is.

        Raises:
            StoreError: if it cannot be written.
        """
        from cnnbench.report.write import write_report

        self._wait()
        write_report(self._store)

    def _draw_early(self) -> None:
        """Draw with what the cell leaves of the cores, should it begin to train meanwhile."""
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        self._draw_on_the_way()

    def _draw_on_the_way(self) -> None:
        from cnnbench.report.write import write_report

        with contextlib.suppress(Exception):
            write_report(self._store)

    def _wait(self) -> None:
        if self._early.ident is not None:
            self._early.join()
