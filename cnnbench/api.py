"""What can a Python program ask of cnnbench? The same that the command line asks, through here."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.base.calling import called_like
from cnnbench.base.files import disk_errors
from cnnbench.data.dataset import Dataset
from cnnbench.data.open import require_outside
from cnnbench.engine.energy import NoCounter, energy_counter
from cnnbench.engine.hardware import (
    Hardware,
    choose_device,
    choose_precision,
    detect,
    machine_line,
    require_devices,
)
from cnnbench.launch.execute import Callbacks, execute
from cnnbench.launch.executors import require_executor
from cnnbench.launch.slots import require_own_devices
from cnnbench.planning.foresight import as_foreseen, foreseen, smallest_plan
from cnnbench.planning.plan import folder_of, make_plan, respelled
from cnnbench.planning.request import (
    PlanError,
    Request,
    RunOptions,
    plan_errors,
    require_typed_for_gpus_elsewhere,
)
from cnnbench.planning.tuning import trial_plan, tuned_rates, with_rates
from cnnbench.profiler.calibration import fastest_settings
from cnnbench.profiler.pace import PaceMeter
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.foresight import IMAGE_SIZES
from cnnbench.schema.names import labels
from cnnbench.store import RunFolder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["dry_run", "load_results", "prepare", "run"]

GPUS_ELSEWHERE = "GPUs of other machines"
DISTURBED = "measured while another program ran, so they may be too low"


@dataclass(frozen=True, kw_only=True)
class _Arguments(RunOptions, Request):
    """What `run` is called with: what is asked for, how it is carried out, and who is told."""

    argv: Sequence[str] = ()
    callbacks: Callbacks | None = None


@called_like(_Arguments)
def run(given: _Arguments) -> Path:
    """Train every model under the same budget, write the report, and return the run folder.

    The arguments are the flags of `cnnbench run`; `dataset_options` are its `--data`. They may be
    text as it is typed, or lists and numbers: `models=["alexnet", "vgg"]`, `seeds=[0, 1, 5]`,
    `lr=[0.1, 0.01]`. A list of learning rates, batch sizes or budgets is a sweep. `tune` is a
    number of learning-rate trials for every model; they are a run of their own in the folder
    `tuning`. `callbacks` hear how both runs go on; `argv` is what was typed, for the report.
    `keep` says which trained networks stay for `load_model`: "all", "best" or "none"; None is all,
    but none of a sweep or a smoke run.

    A run that is there already is continued; cells that are done or diverged are not trained
    again, unless `fresh` asks for it. A cell that fails is a row with the reason; with
    `fail_fast` it ends the run.

    Raises:
        PlanError: if a name or a number is wrong, every trial of a model failed, or their seconds
            are of unlike machines.
        DataError: if the dataset is, or an image cannot be read.
        StoreError: if the run folder cannot be written or holds another run.
        RunBlocked, Stopped: as `execute`.
    """
    started, callbacks = time.monotonic(), given.callbacks or Callbacks()
    plan, dataset, folder = _prepared_in_folder(given, given, given.argv, callbacks.on_measure)
    if given.tune:
        with RunFolder(folder).lock():  # busy elsewhere: say so before the trials and not after
            pass
        trials, held_out = trial_plan(plan, dataset, given.tune)
        # A rate that is too high fails often; that is an answer, and no reason to end the run.
        options = replace(given, fail_fast=False, keep="none")
        tuning = folder / "tuning"
        execute(trials, held_out, given, tuning, options, callbacks, started=started)
        started = time.monotonic()
        _require_alike(RunFolder(tuning))
        results = map(RunFolder(tuning).result, trials.cells)
        plan = with_rates(plan, tuned_rates(trials, results))
    execute(plan, dataset, given, folder, given, callbacks, started=started)
    return folder


def _require_alike(tuning: RunFolder) -> None:
    """Make sure that trials may be ranked: not seconds of unlike machines, unless asked for."""
    from cnnbench.report.analysis.machines import machines_of
    from cnnbench.report.analysis.rows import read_rows

    machines = machines_of(tuning, read_rows(tuning), labels(tuning.plan()))
    if machines.are_withheld:
        raise PlanError(
            f"no learning rate is chosen: the {machines.unit} of the trials are of unlike "
            f"machines: {'; '.join(machines.unlike)}. Count the budget, like --budget 20ep, train "
            "on one kind of machine, or take them as they are with --across-machines"
        )


def dry_run(
    request: Request,
    options: RunOptions,
    *,
    argv: Sequence[str] = (),
    on_measure: Callable[[Cell], None] = lambda cell: None,
) -> tuple[Plan, Path, int | None]:
    """Check and foresee what `run` does; return the plan, its folder, and how many cells are final.

    The number is None with tuning: what the trials will choose is not known yet.

    Raises:
        PlanError, DataError: as `run`.
        StoreError: if the folder holds another run.
    """
    plan, dataset, folder = _prepared_in_folder(request, options, argv, on_measure)
    if options.tune:
        trial_plan(plan, dataset, options.tune)  # refuses what the run would refuse
        return plan, folder, None
    if options.fresh:
        return plan, folder, 0
    run_folder = RunFolder(folder)
    run_folder.require_same(plan)
    return plan, folder, sum(run_folder.cell(cell).is_final() for cell in plan.cells)


def _prepared_in_folder(
    request: Request,
    options: RunOptions,
    argv: Sequence[str],
    on_measure: Callable[[Cell], None],
) -> tuple[Plan, Dataset, Path]:
    """Return plan, dataset and run folder; the plan is in the words of the run that it holds.

    That run is the same one if only the order of its cells differs, or how its images were typed:
    from another working folder, or before there was one spelling for all. What was measured for it
    is not measured again, so it keeps its image size.
    """

    def earlier(plan: Plan) -> Plan | None:
        folder, is_kept = _folder_of(plan, request, options)
        return RunFolder(folder).plan() if is_kept and not options.fresh else None

    require_executor(options)
    elsewhere = options.executor != "local"
    plan, dataset = prepare(
        request, argv=argv, earlier=earlier, on_measure=on_measure, elsewhere=elsewhere
    )
    require_own_devices(plan, options.jobs)
    folder, is_kept = _folder_of(plan, request, options)
    require_outside(dataset, folder)
    if is_kept and not options.fresh:
        kept = RunFolder(folder).plan()
        if kept.dataset.fingerprint == plan.dataset.fingerprint:
            plan = respelled(plan, kept.cells[0].dataset, kept.cells[0].dataset_options)
        if {cell.digest for cell in plan.cells} == {cell.digest for cell in kept.cells}:
            plan = plan.model_copy(update={"cells": kept.cells})
    return plan, dataset, folder


def _folder_of(plan: Plan, request: Request, options: RunOptions) -> tuple[Path, bool]:
    """Return the folder of a plan, and whether a run is in it; it may be named as was typed."""
    as_typed = respelled(plan, request.dataset, request.data)
    folders = [folder_of(each, options) for each in (plan, as_typed)]
    with disk_errors(folders[0]):  # a name that is too long
        kept_in = [folder for folder in folders if (folder / "plan.json").exists()]
    return [*kept_in, folders[0]][0], bool(kept_in)


def prepare(
    request: Request,
    *,
    argv: Sequence[str] = (),
    earlier: Callable[[Plan], Plan | None] = lambda plan: None,
    on_measure: Callable[[Cell], None] = lambda cell: None,
    elsewhere: bool = False,
) -> tuple[Plan, Dataset]:
    """Check all that was asked for, on this machine; no network of the plan is trained.

    Processes of their own measure what the machine decides, for seconds, and the cache folder
    keeps it: for the precision `auto` whether bf16 is faster, and how many images a second each
    network trains on, from which the image size `auto` and what the budget buys follow. A run that
    is there already, which `earlier` knows by its plan, keeps what was found for it.
    `on_measure` hears of each network whose speed is looked at. `elsewhere` says that other
    machines train: they may have GPUs where this one has none, of which nothing is measured.

    Raises:
        PlanError: if a name or a number is wrong.
        DataError: if the dataset is.
    """
    hardware = detect()
    if elsewhere and request.device == "cuda" and not hardware.gpu:
        require_typed_for_gpus_elsewhere(request)
        hardware = replace(hardware, gpu=GPUS_ELSEWHERE, gpu_bf16=True, gpus=request.devices)
    planner = _Planner(request=request, argv=argv, hardware=hardware)
    plan = smallest_plan(planner.plan_at)
    if plan.cells[0].budget.currency is Currency.JOULES:
        try:
            energy_counter(planner.device)
        except NoCounter as error:
            raise PlanError(f"a budget in joules needs a counter: {error}") from None
    if request.precision == "auto":  # after every check: no plan, no wait for a measurement
        planner.take_fastest()
        plan = planner.plan_at(plan.size_choice.chosen if plan.size_choice else min(IMAGE_SIZES))
    assert planner.dataset is not None
    if kept := earlier(plan):
        return as_foreseen(plan, planner.plan_at, kept), planner.dataset
    with PaceMeter(hardware=planner.hardware, on_measure=on_measure) as meter:
        unknown = planner.hardware.gpu == GPUS_ELSEWHERE
        pace = (lambda _: None) if unknown else functools.partial(meter.pace_of, plan=plan)
        plan = foreseen(plan, planner.plan_at, pace, large_first=planner.device != "cpu")
        if meter.was_disturbed:
            plan = plan.model_copy(update={"machine": {**plan.machine, "speeds": DISTURBED}})
    return plan, planner.dataset


@dataclass(kw_only=True)
class _Planner:
    """Makes the plan of a request on this machine, at one image size after another.

    `machine` is what the plan says of it. The dataset is opened once.

    Raises:
        PlanError: if the word for the device or the precision is wrong.
    """

    request: Request
    argv: Sequence[str]
    hardware: Hardware
    dataset: Dataset | None = None

    def __post_init__(self) -> None:
        with plan_errors():
            self.device = choose_device(self.request.device, self.hardware)
            require_devices(self.request.devices, self.device, self.hardware)
            self.precision = choose_precision(self.request.precision, self.device, self.hardware)
        self.machine: dict[str, str | int | None] = {
            "line": machine_line(self.hardware, self.device)
        }

    def take_fastest(self) -> None:
        """Take the precision and the threads that are measured to be the fastest here."""
        choice = fastest_settings("auto", device=self.device, hardware=self.hardware)
        self.precision = choice.precision
        self.machine |= {"threads": choice.threads, "precision_why": choice.why}

    def plan_at(self, size: int) -> Plan:
        """Return the plan at an image size, where the size is open; PlanError as `make_plan`."""
        plan, self.dataset = make_plan(
            self.request,
            device=self.device,
            precision=self.precision,
            machine=self.machine,
            argv=self.argv,
            auto_size=size,
            dataset=self.dataset,
        )
        return plan


def load_results(folder: str | Path) -> pd.DataFrame:
    """Return the rows of a run as a table, one line a cell, nested numbers as `budget.used`.

    Raises:
        StoreError: if the folder holds no run.
    """
    import pandas as pd

    from cnnbench.report.analysis.rows import read_rows

    return pd.json_normalize([row.model_dump(mode="json") for row in read_rows(RunFolder(folder))])
