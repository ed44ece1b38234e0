"""What can a Python program ask of cnnbench? The same that the command line asks, through here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cnnbench.data.dataset import Dataset
from cnnbench.engine.energy import NoCounter, energy_counter
from cnnbench.engine.hardware import (
    Hardware,
    choose_device,
    choose_precision,
    detect,
    machine_line,
)
from cnnbench.launch.execute import Callbacks, execute
from cnnbench.planning.plan import default_folder, make_plan
from cnnbench.planning.request import PlanError, Request, RunOptions
from cnnbench.planning.tuning import trial_plan, tuned_rates, with_rates
from cnnbench.profiler.calibration import settle
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Plan
from cnnbench.store import RunFolder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DryRun", "carry_out", "dry_run", "load_results", "prepare", "run"]

P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class _Arguments(RunOptions, Request):
    """What `run` is called with: a request and the options of its run."""


def _called_like(make: Callable[P, A]) -> Callable[[Callable[[A], R]], Callable[P, R]]:
    """Let a function of one object be called with the arguments that make that object."""

    def decorate(function: Callable[[A], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(make(*args, **kwargs))

        call.__signature__ = inspect.signature(make)  # type: ignore[attr-defined]
        return call

    return decorate


@_called_like(_Arguments)
def run(arguments: _Arguments) -> Path:
    """Train every model under the same budget, write the report, and return the run folder.

    The arguments are the flags of `cnnbench run`; `dataset_options` are its `--data`. They may be
    text as it is typed, or lists and numbers: `models=["alexnet", "vgg"]`, `seeds=[0, 1, 5]`,
    `lr=[0.1, 0.01]`. A list of learning rates, batch sizes or budgets is a sweep. `tune` is a
    number of learning-rate trials for every model, 0 for none.

    A run that is there already is continued; cells that are done are not trained again, unless
    `fresh` asks for it. A cell that fails is a row with the reason; with `fail_fast` it ends the
    run.

    Raises:
        PlanError: if a name or a number is wrong.
        DataError: if the dataset is.
        StoreError: if the run folder cannot be written or holds another run.
    """
    return carry_out(request=arguments, options=arguments)  # it is both


def carry_out(
    request: Request,
    options: RunOptions,
    *,
    argv: Sequence[str] = (),
    callbacks: Callbacks | None = None,
) -> Path:
    """Plan, tune if asked to, train what is not done, report, and return the run folder.

    The trials of tuning are a run of their own in the folder `tuning` of the run; `callbacks` hear
    of both. `argv` is what was typed, for the report.

    Raises:
        PlanError: if a name or a number is wrong, or every trial of a model failed.
        StoreError, DataError, CellError, Stopped: as `execute`.
    """
    callbacks = callbacks or Callbacks()
    plan, dataset = prepare(request, argv=argv)
    folder = _folder(plan, options)
    if options.tune:
        trials, held_out = trial_plan(plan, dataset, options.tune)
        # A rate that is too high fails often; that is an answer, and no reason to end the run.
        trial_options = replace(options, fail_fast=False)
        execute(trials, held_out, folder / "tuning", trial_options, callbacks)
        tuning = RunFolder(folder / "tuning")
        plan = with_rates(plan, tuned_rates(trials, map(tuning.result, trials.cells)))
    execute(plan, dataset, folder, options, callbacks)
    return folder


@dataclass(frozen=True, kw_only=True, slots=True)
class DryRun:
    """What a command would do; `done` of its cells are in the folder, None if it is not known."""

    plan: Plan
    folder: Path
    done: int | None


def dry_run(request: Request, options: RunOptions, *, argv: Sequence[str] = ()) -> DryRun:
    """Check all that `carry_out` would check before it writes anything, and say what it would do.

    Raises:
        PlanError, DataError: as `carry_out`.
        StoreError: if the folder holds another run.
    """
    plan, _ = prepare(request, argv=argv)
    folder = _folder(plan, options)
    done = None if options.tune else 0  # what the trials will choose is not known yet
    if not (options.fresh or options.tune):
        store = RunFolder(folder)
        store.require_same(plan)
        done = sum(store.cell(cell).is_final() for cell in plan.cells)
    return DryRun(plan=plan, folder=folder, done=done)


def prepare(request: Request, *, argv: Sequence[str] = ()) -> tuple[Plan, Dataset]:
    """Check all that was asked for, on this machine, without training anything.

    Raises:
        PlanError: if a name or a number is wrong.
        DataError: if the dataset is.
    """
    hardware = detect()
    try:
        device = choose_device(request.device, hardware)
        precision = choose_precision(request.precision, device, hardware)
    except ValueError as error:
        raise PlanError(str(error)) from None
    line = machine_line(hardware, device)
    plan, dataset = make_plan(request, device=device, precision=precision, machine=line, argv=argv)
    if plan.cells[0].budget.currency is Currency.JOULES:
        try:
            energy_counter(device)
        except NoCounter as error:
            raise PlanError(f"a budget in joules needs a counter: {error}") from None
    if request.precision == "auto":
        plan = _calibrated(plan, device, hardware)
    return plan, dataset


def _calibrated(plan: Plan, device: str, hardware: Hardware) -> Plan:
    """Put what was measured of this machine in place of what its flags promise.

    It comes after every check: a command that makes no plan should not wait for a measurement.
    """
    choice = settle("auto", device=device, hardware=hardware)
    cells = [cell.model_copy(update={"precision": choice.precision}) for cell in plan.cells]
    machine = {**plan.machine, "threads": choice.threads, "precision_why": choice.why}
    return plan.model_copy(update={"cells": tuple(cells), "machine": machine})


def _folder(plan: Plan, options: RunOptions) -> Path:
    return Path(options.out or default_folder(plan, trials=options.tune))


def load_results(folder: str | Path) -> pd.DataFrame:
    """Return the rows of a run as a table, one line a cell, nested numbers as `budget.used`.

    Raises:
        StoreError: if the folder holds no run.
    """
    import pandas as pd

    from cnnbench.report.analysis.rows import rows

    return pd.json_normalize([row.model_dump(mode="json") for row in rows(RunFolder(folder))])
