"""What can a Python program ask of cnnbench? The same that the command line can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.data.dataset import Dataset
from cnnbench.engine.energy import NoCounter, energy_counter
from cnnbench.engine.hardware import (
    Hardware,
    choose_device,
    choose_precision,
    detect,
    machine_line,
)
from cnnbench.launch.execute import OnDecode, OnUpdate, execute
from cnnbench.planning.plan import PlanError, Wishes, default_folder, make_plan, open_for_cell
from cnnbench.planning.tuning import trial_plan, tuned_rates, with_rates
from cnnbench.profiler.calibration import settle
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Plan
from cnnbench.store import RunFolder

if TYPE_CHECKING:
    import pandas as pd


def run(
    models: str | Sequence[str],
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
    memory: str | None = None,
    evaluations: int | None = None,
    dataset_options: Mapping[str, str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    fresh: bool = False,
    fail_fast: bool = False,
    smoke: bool = False,
) -> Path:
    """Train every model under the same budget, write the report, and return the run folder.

    The arguments are the flags of `cnnbench run`; `models` may be a list, or names with commas
    between. `budget` may hold several amounts with commas between: the rungs of a ladder. `tune`
    is a number of learning-rate trials for every model, 0 for none; `memory` is an amount like
    "8GiB".

    A run that is there already is continued; cells that are done are not trained again, unless
    `fresh` asks for it. A cell that fails is a row with the reason; with `fail_fast` it ends the
    run.

    Raises:
        PlanError: if a name or a number is wrong.
        DataError: if the dataset is.
        StoreError: if the run folder cannot be written or holds another run.
    """
    wishes = Wishes(
        models=[name.strip() for name in models.split(",")] if isinstance(models, str) else models,
        dataset=dataset,
        dataset_options=dataset_options or {},
        budget=budget,
        recipe=recipe,
        lrs=() if lr is None else (lr,),
        batch_sizes=() if batch_size is None else (batch_size,),
        image_size=image_size,
        memory=memory,
        evaluations=evaluations,
        seeds=seeds,
        smoke=smoke,
    )
    plan, opened = prepare(wishes, device=device, precision=precision, argv=())
    folder = Path(out) if out else Path(default_folder(plan, trials=tune))
    if tune:
        plan = tuned_plan(plan, folder, trials=tune, fresh=fresh)
    return execute(plan, opened, folder, fresh=fresh, fail_fast=fail_fast)


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
    fresh: bool = False,
    on_update: OnUpdate = lambda update: None,
    on_decode: OnDecode = lambda split, done, total: None,
) -> Plan:
    """Try `trials` learning rates for every model, and return the plan with the chosen ones.

    The trials are a run of their own under `folder/tuning`; those that are done are not repeated,
    unless `fresh` asks for it.

    Raises:
        PlanError: if every trial of a model failed, or the plan gives several rates already.
        StoreError, DataError, Stopped: as `execute`.
    """
    trial = trial_plan(plan, trials)
    cell = trial.cells[0]
    opened = open_for_cell(cell.dataset, cell.dataset_options, cell.subset, cell.holdout)
    tuning = execute(
        trial,
        opened,
        folder / "tuning",
        fresh=fresh,
        on_update=on_update,
        on_decode=on_decode,
    )
    store = RunFolder(tuning)
    return with_rates(plan, tuned_rates(trial, [store.result(cell) for cell in trial.cells]))


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

    from cnnbench.report.analysis.rows import read_rows

    return pd.json_normalize([row.model_dump(mode="json") for row in read_rows(RunFolder(folder))])
