"""What can a Python program ask of cnnbench? The same that the command line can."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.data.cache import decoded
from cnnbench.data.dataset import Dataset
from cnnbench.engine.energy import NoCounter, energy_counter
from cnnbench.engine.hardware import (
    Hardware,
    choose_device,
    choose_precision,
    detect,
    machine_line,
)
from cnnbench.launch import HUNG_AFTER_SECONDS, Asked, CellUpdate, Stopped, run_cells, signals
from cnnbench.measuring.calibration import settle
from cnnbench.plan import PlanError, Wishes, default_folder, make_plan, open_for_cell
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Plan, stored_size
from cnnbench.store import RunFolder, StoreError
from cnnbench.store.files import REPORT_BYTES, require_room
from cnnbench.tuning import trial_plan, tuned_rates, with_rates

if TYPE_CHECKING:
    import pandas as pd

PARTIAL_REPORT_SECONDS = 60.0  # a report is drawn between cells no more often than this
OnUpdate = Callable[[CellUpdate], None]
OnDecode = Callable[[str, int, int], None]


def run(
    models: Sequence[str],
    dataset: str = "fruits",
    budget: str = "2m",
    *,
    out: str | Path | None = None,
    seeds: Sequence[int] = (0,),
    recipe: str = "common",
    tune: int = 0,
    lr: float | None = None,
    batch_size: int | None = None,
    image_size: int | None = None,
    dataset_options: Mapping[str, str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    smoke: bool = False,
) -> Path:
    """Train every model under the same budget, write the report, and return the run folder.

    `budget` may hold several amounts with commas between: the rungs of a ladder. `tune` is a
    number of learning-rate trials for every model, 0 for none.

    A run that is there already is continued; cells that are done are not trained again.

    Raises:
        PlanError: if a name or a number is wrong.
        DataError: if the dataset is.
        StoreError: if the run folder cannot be written or holds another run.
    """
    wishes = Wishes(
        models=models,
        dataset=dataset,
        dataset_options=dataset_options or {},
        budget=budget,
        recipe=recipe,
        lrs=() if lr is None else (lr,),
        batch_sizes=() if batch_size is None else (batch_size,),
        image_size=image_size,
        seeds=seeds,
        smoke=smoke,
    )
    plan, opened = prepare(wishes, device=device, precision=precision, argv=())
    folder = Path(out) if out else Path(default_folder(plan, trials=tune))
    if tune:
        plan = tuned_plan(plan, folder, trials=tune)
    return execute(plan, opened, folder)


def prepare(
    wishes: Wishes, *, device: str, precision: str, argv: Sequence[str]
) -> tuple[Plan, Dataset]:
    """Check all that was asked for, on this machine, without training anything.

    Raises:
        PlanError: if a name or a number is wrong.
        DataError: if the dataset is.
    """
    hardware = detect()
    try:
        chosen = choose_device(device, hardware)
        exact = choose_precision(precision, chosen, hardware)
    except ValueError as error:
        raise PlanError(str(error)) from None
    line = machine_line(hardware, chosen)
    plan, opened = make_plan(wishes, device=chosen, precision=exact, machine=line, argv=argv)
    if plan.cells[0].budget.currency is Currency.JOULES:
        try:
            energy_counter(chosen)
        except NoCounter as error:
            raise PlanError(f"a budget in joules needs a counter: {error}") from None
    return _calibrated(plan, chosen, hardware) if precision == "auto" else plan, opened


def tuned_plan(
    plan: Plan,
    folder: Path,
    *,
    trials: int,
    on_update: OnUpdate = lambda update: None,
    on_decode: OnDecode = lambda split, done, total: None,
) -> Plan:
    """Try `trials` learning rates for every model, and return the plan with the chosen ones.

    The trials are a run of their own under `folder/tuning`; those that are done are not repeated.

    Raises:
        PlanError: if every trial of a model failed, or the plan gives several rates already.
        StoreError, DataError, Stopped: as `execute`.
    """
    trial = trial_plan(plan, trials)
    cell = trial.cells[0]
    opened = open_for_cell(cell.dataset, cell.dataset_options, cell.subset, cell.holdout)
    tuning = execute(trial, opened, folder / "tuning", on_update=on_update, on_decode=on_decode)
    store = RunFolder(tuning)
    return with_rates(plan, tuned_rates(trial, [store.result(cell) for cell in trial.cells]))


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
            _keep_slices(store, dataset)
        early = threading.Thread(target=_draw_early, args=(store,), daemon=True)
        between = _Partial(store, early)
        try:
            for update in run_cells(
                plan,
                store,
                asked=asked,
                fail_fast=fail_fast,
                hung_after_seconds=hung_after_seconds,
            ):
                if early.ident is None and update.result.status == "running":
                    early.start()
                on_update(update)
                if update.cell.id != plan.cells[-1].id:
                    between.draw_if_due(update)
        except BaseException as error:
            if not (isinstance(error, Stopped) and error.at_once):
                with contextlib.suppress(StoreError):  # what went wrong first is what is told
                    _draw(store, early)
            raise
        _draw(store, early)
    return folder


def _calibrated(plan: Plan, device: str, hardware: Hardware) -> Plan:
    """Put what was measured of this machine in place of what its flags promise.

    It comes after every check: a command that makes no plan should not wait for a trial.
    """
    choice = settle("auto", device=device, hardware=hardware)
    cells = [cell.model_copy(update={"precision": choice.precision}) for cell in plan.cells]
    machine = {**plan.machine, "threads": choice.threads, "precision_why": choice.why}
    return plan.model_copy(update={"cells": tuple(cells), "machine": machine})


def load_results(folder: str | Path) -> pd.DataFrame:
    """Return the rows of a run as a table, one line a cell, nested numbers as `budget.used`.

    Raises:
        StoreError: if the folder holds no run.
    """
    import pandas as pd

    from cnnbench.report.tables import rows

    return pd.json_normalize([row.model_dump(mode="json") for row in rows(RunFolder(folder))])


def _draw_early(store: RunFolder) -> None:
    """Draw the page of what is planned while the first cell's process is still starting.

    Loading the plotting library takes seconds; who stops a run should not have to wait for it.
    """
    from cnnbench.report.pages import write_report

    with contextlib.suppress(StoreError):  # the report at the end meets it again, and says so
        write_report(store)


def _keep_slices(store: RunFolder, dataset: Dataset) -> None:
    """Write which images of the headline split are alike in a nuisance, where it is known."""
    if not dataset.drawn:
        return
    from cnnbench.data.drawn import nuisance_columns
    from cnnbench.data.fruits import slices

    groups = slices(nuisance_columns(dataset.splits[dataset.headline_split]))
    places = {name: mask.nonzero()[0].tolist() for name, mask in groups.items()}
    document = {"version": 1, "split": dataset.headline_split, "slices": places}
    store.write_text("slices.json", json.dumps(document) + "\n")


class _Partial:
    """Draws the report again after a cell that took a while, before the next one starts.

    Never beside a running cell: its clock is charged, and drawing takes a core for seconds.
    """

    def __init__(self, store: RunFolder, early: threading.Thread) -> None:
        self._store, self._early = store, early
        self._running: str | None = None
        self._since = time.monotonic()

    def draw_if_due(self, update: CellUpdate) -> None:
        """Note who runs; draw when it ended, unless drawing would take a large share of the run."""
        if update.result.status == "running":
            self._running = update.cell.id
        elif self._running == update.cell.id:
            self._running = None
            if time.monotonic() - self._since > PARTIAL_REPORT_SECONDS:
                _draw(self._store, self._early)
                self._since = time.monotonic()


def _draw(store: RunFolder, early: threading.Thread) -> None:
    from cnnbench.report.pages import write_report

    if early.ident is not None:
        early.join()
    write_report(store)


def _decode(plan: Plan, dataset: Dataset, on_decode: OnDecode, asked: Asked) -> None:
    """Fill the image cache before the first cell starts, where progress can be shown."""

    def tell(split: str, done: int, total: int) -> None:
        on_decode(split, done, total)
        asked.check()

    for size in sorted({stored_size(cell.image_size) for cell in plan.cells}):
        for split in dataset.splits:
            decoded(dataset, split, size, progress=partial(tell, split))
