"""The verbs that train one network many times: `sweep` and `ablate`."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnbench.cli import options
from cnnbench.cli.app import EXITS, Json, app
from cnnbench.cli.run import How, train


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
    from cnnbench.plan import PlanError, Wishes

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
    from cnnbench.plan import PlanError, Wishes

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
