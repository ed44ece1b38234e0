"""The verb `run`, what all training verbs share, and the hidden `cell` that they start."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cnnbench.cli import options
from cnnbench.cli.app import EXITS, STARTED, Json, app

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from cnnbench.planning.plan import Wishes
    from cnnbench.schema.cell import Plan
    from cnnbench.tracking import Tracker


@app.command(epilog=EXITS)
def run(
    models: Annotated[str, typer.Option(help="Names with commas between; see `cnnbench models`.")],
    dataset: options.Dataset = "fruits",
    budget: Annotated[
        str | None,
        typer.Option(help="90s, 2m, 20ep, 30000img, 1e15flop, 500J; 30s,1m,2m compares budgets."),
    ] = None,
    recipe: options.RecipeName = "common",
    lr: Annotated[float | None, typer.Option(help="Learning rate for every model.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.  [default: 16]")] = None,
    image_size: options.ImageSize = None,
    memory: options.Memory = None,
    seeds: options.Seeds = "1",
    tune: Annotated[int, typer.Option(help="Learning-rate trials for every model.")] = 0,
    evaluations: options.Evaluations = None,
    data: options.Data = None,
    skip_broken: options.SkipBroken = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    out: options.Out = None,
    config: options.Config = None,
    fresh: options.Fresh = False,
    fail_fast: options.FailFast = False,
    hung_after: options.HungAfter = 900.0,
    track: options.Track = None,
    dry_run: options.DryRun = False,
    smoke: options.Smoke = False,
    as_json: Json = False,
) -> int:
    """Train models under one budget and write the comparison. The same command continues."""
    from cnnbench.planning.plan import Wishes

    wishes = Wishes(
        models=options.listed(models),
        dataset=dataset,
        dataset_options=options.data_options(data, skip_broken),
        budget=budget,
        recipe=recipe,
        lrs=() if lr is None else (lr,),
        batch_sizes=() if batch_size is None else (batch_size,),
        image_size=image_size,
        memory=memory,
        seeds=options.seed_list(seeds),
        evaluations=evaluations,
        smoke=smoke,
    )
    how = How(
        device=device,
        precision=precision,
        out=out,
        fresh=fresh,
        fail_fast=fail_fast,
        hung_after=hung_after,
        track=track,
        dry_run=dry_run,
        as_json=as_json,
        tune=tune,
    )
    return train(wishes, how)


@dataclass(frozen=True, kw_only=True, slots=True)
class How:
    """Where and how a plan is carried out, apart from what it holds."""

    device: str
    precision: str
    out: str | None
    fresh: bool
    fail_fast: bool
    hung_after: float
    track: Tracker | None
    dry_run: bool
    as_json: bool
    tune: int = 0


def train(wishes: Wishes, how: How) -> int:
    """Plan, train what is not done, report, and return the exit code."""
    from pathlib import Path

    from cnnbench import api
    from cnnbench.cli.show.progress import Progress
    from cnnbench.cli.show.runs import export_curves, show_outcome, show_plan
    from cnnbench.launch.execute import execute
    from cnnbench.planning.plan import default_folder
    from cnnbench.schema.names import labels
    from cnnbench.store import RunFolder

    plan, opened = api.prepare(
        wishes, device=how.device, precision=how.precision, argv=sys.argv[1:]
    )
    folder = Path(how.out or default_folder(plan, trials=how.tune))
    before = RunFolder(folder)
    if how.dry_run:
        done = None if how.tune else 0  # what the trials will choose is not known yet
        if not (how.fresh or how.tune):
            before.require_same(plan)
            done = sum(before.cell(cell).is_final() for cell in plan.cells)
        show_plan(plan, folder, done=done, as_json=how.as_json)
        return 0
    console = _console()
    if how.tune:
        plan = _tune(plan, folder, how, console)
    all_done = not how.fresh and all(before.cell(cell).is_final() for cell in plan.cells)
    with Progress(plan.cells, console, names=labels(plan)) as progress:
        execute(
            plan,
            opened,
            folder,
            fresh=how.fresh,
            fail_fast=how.fail_fast,
            hung_after_seconds=how.hung_after,
            on_update=progress.update,
            on_decode=progress.decode,
        )
    if how.track:
        export_curves(RunFolder(folder), how.track)
    return show_outcome(folder, as_json=how.as_json, was_done=all_done)


def _tune(plan: Plan, folder: Path, how: How, console: Console) -> Plan:
    from cnnbench import api
    from cnnbench.cli.show.progress import Progress
    from cnnbench.planning.tuning import trial_plan
    from cnnbench.schema.names import labels

    trials = trial_plan(plan, how.tune)
    console.print(
        f"tuning: {len(trials.cells)} trials of {trials.cells[0].budget} each", highlight=False
    )
    with Progress(trials.cells, console, names=labels(trials)) as progress:
        tuned = api.tuned_plan(
            plan,
            folder,
            trials=how.tune,
            fresh=how.fresh,
            on_update=progress.update,
            on_decode=progress.decode,
        )
    for each in tuned.tuned:
        console.print(f"tuning: {each.model} learns at {each.chosen:g}", highlight=False)
    return tuned


@app.command(hidden=True)
def cell(
    run: Annotated[str, typer.Option(help="The run folder.")],
    id: Annotated[str, typer.Option(help="The cell's folder name.")],
    launched: Annotated[
        bool, typer.Option("--launched", help="End when stdin closes: the launcher is gone.")
    ] = False,
) -> int:
    """Run one cell of a plan; `cnnbench run` starts one of these for each cell."""
    from cnnbench.runner.worker import serve_cell
    from cnnbench.store import RunFolder

    code = serve_cell(RunFolder(run), id, started=STARTED, launched=launched)
    # All is on disk; taking torch down politely costs a second that a stopped user would wait.
    os._exit(code)


def _console() -> Console:
    from rich.console import Console

    plain = bool(os.environ.get("CI")) or not sys.stderr.isatty()
    return Console(stderr=True, force_terminal=False if plain else None)


# -- many trainings of one network: sweep and ablate ----------------------------------------------


@app.command(epilog=EXITS)
def sweep(
    models: Annotated[str, typer.Option(help="Names with commas between; see `cnnbench models`.")],
    dataset: options.Dataset = "fruits",
    lr: Annotated[str | None, typer.Option(help="Learning rates, like 0.1,0.01,0.001.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Batch sizes, like 16,32,64.")] = None,
    budget: Annotated[str | None, typer.Option(help="Budgets, like 5ep,10ep,20ep.")] = None,
    recipe: options.RecipeName = "common",
    image_size: options.ImageSize = None,
    memory: options.Memory = None,
    seeds: options.Seeds = "1",
    evaluations: options.Evaluations = None,
    data: options.Data = None,
    skip_broken: options.SkipBroken = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    out: options.Out = None,
    config: options.Config = None,
    fresh: options.Fresh = False,
    fail_fast: options.FailFast = False,
    hung_after: options.HungAfter = 900.0,
    track: options.Track = None,
    dry_run: options.DryRun = False,
    smoke: options.Smoke = False,
    as_json: Json = False,
) -> int:
    """Train models at every combination of learning rates, batch sizes and budgets."""
    from cnnbench.planning.plan import PlanError, Wishes

    wishes = Wishes(
        models=options.listed(models),
        dataset=dataset,
        dataset_options=options.data_options(data, skip_broken),
        budget=budget,
        recipe=recipe,
        lrs=options.numbers("--lr", lr, float),
        batch_sizes=options.numbers("--batch-size", batch_size, int),
        image_size=image_size,
        memory=memory,
        seeds=options.seed_list(seeds),
        evaluations=evaluations,
        smoke=smoke,
    )
    if max(len(wishes.lrs), len(wishes.batch_sizes), len(options.listed(budget or ""))) < 2:
        raise PlanError("a sweep needs several values: give --lr, --batch-size or --budget a list")
    return train(
        wishes,
        How(
            device=device,
            precision=precision,
            out=out,
            fresh=fresh,
            fail_fast=fail_fast,
            hung_after=hung_after,
            track=track,
            dry_run=dry_run,
            as_json=as_json,
        ),
    )


@app.command(epilog=EXITS)
def ablate(
    model: Annotated[str, typer.Argument(help="A network with ablations, like alexnet.")],
    dataset: options.Dataset = "fruits",
    budget: Annotated[str | None, typer.Option(help="As `run`; the same for all.")] = None,
    recipe: options.RecipeName = "common",
    image_size: options.ImageSize = None,
    memory: options.Memory = None,
    seeds: options.Seeds = "1",
    evaluations: options.Evaluations = None,
    data: options.Data = None,
    skip_broken: options.SkipBroken = None,
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    out: options.Out = None,
    config: options.Config = None,
    fresh: options.Fresh = False,
    fail_fast: options.FailFast = False,
    hung_after: options.HungAfter = 900.0,
    track: options.Track = None,
    dry_run: options.DryRun = False,
    smoke: options.Smoke = False,
    as_json: Json = False,
) -> int:
    """Train a network with each of its paper's ingredients left out, under the same budget."""
    import zoo
    from cnnbench.planning.plan import PlanError, Wishes

    whole = zoo.resolve(model)
    variants = zoo.ablations(whole)
    if not variants:
        raise PlanError(f"{whole} has no ablations here; alexnet and cifar4-relu have")
    wishes = Wishes(
        models=[whole, *variants],
        dataset=dataset,
        dataset_options=options.data_options(data, skip_broken),
        budget=budget,
        recipe=recipe,
        image_size=image_size,
        memory=memory,
        seeds=options.seed_list(seeds),
        evaluations=evaluations,
        smoke=smoke,
    )
    return train(
        wishes,
        How(
            device=device,
            precision=precision,
            out=out,
            fresh=fresh,
            fail_fast=fail_fast,
            hung_after=hung_after,
            track=track,
            dry_run=dry_run,
            as_json=as_json,
        ),
    )
