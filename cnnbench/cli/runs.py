"""The verbs about runs: `run`, `sweep` and `ablate` train; `report` and `compare` read."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cnnbench.cli.options import STARTED, Display, Json, Track, app, training_verb
from cnnbench.planning.request import Flag, PlanError, Request, RunOptions, split_commas


@training_verb()
def run(request: Request, options: RunOptions, display: Display) -> int:
    """Train models under one budget and write the comparison. The same command continues."""
    return _train(request, options, display)


@training_verb(
    without={"tune"},
    lr=Flag("Learning rates, like 0.1,0.01,0.001.", typed=str),
    batch_size=Flag("Batch sizes, like 16,32,64.", typed=str),
    budget=Flag("Budgets, like 5ep,10ep,20ep."),
)
def sweep(request: Request, options: RunOptions, display: Display) -> int:
    """Train models at every combination of learning rates, batch sizes and budgets."""
    if max(len(request.lrs), len(request.batch_sizes), len(split_commas(request.budget))) < 2:
        raise PlanError("a sweep needs several values: give --lr, --batch-size or --budget a list")
    return _train(request, _keeping_none(options), display)


@training_verb(
    without={"lr", "batch_size", "tune"},
    models=Flag("A network with ablations, like alexnet.", name="model", is_argument=True),
    budget=Flag("As `run`; the same for all."),
)
def ablate(request: Request, options: RunOptions, display: Display) -> int:
    """Train a network with each of its paper's ingredients left out, under the same budget."""
    import zoo

    whole = zoo.resolve(str(request.models))
    variants = zoo.ablations(whole)
    if not variants:
        raise PlanError(f"{whole} has no ablations here; alexnet and cifar4-relu have")
    return _train(replace(request, models=[whole, *variants]), _keeping_none(options), display)


def _keeping_none(options: RunOptions) -> RunOptions:
    """Return options that keep no trained network, unless it was typed which."""
    return replace(options, keep=options.keep or "none")


def _train(request: Request, options: RunOptions, display: Display) -> int:
    """Plan, train what is not done, report, and return the exit code."""
    from cnnbench import api
    from cnnbench.cli.show.console import stderr_console
    from cnnbench.cli.show.progress import Progress
    from cnnbench.cli.show.runs import export_curves, show_outcome, show_plan
    from cnnbench.launch.execute import Callbacks

    argv = sys.argv[1:]
    with Progress(stderr_console()) as progress:
        callbacks = Callbacks(
            on_measure=progress.measure,
            on_start=progress.start,
            on_decode=progress.decode,
            on_update=progress.update,
            on_wait=progress.wait,
        )
        if display.dry_run:
            checked = api.dry_run(request, options, argv=argv, on_measure=progress.measure)
            show_plan(*checked, as_json=display.as_json)
            return 0
        folder = api.run(**vars(request), **vars(options), argv=argv, callbacks=callbacks)
    if display.track:
        export_curves(folder, display.track)
    return show_outcome(folder, as_json=display.as_json, was_done=progress.was_done)


@app.command(hidden=True)
def cell(
    run: Annotated[str, typer.Option(help="The run folder.")],
    id: Annotated[str, typer.Option(help="The cell's folder name.")],
    dataset: Annotated[str | None, typer.Option(help="Its images, as they are typed here.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="As `run`, with that dataset.")] = None,
    launched: Annotated[
        bool, typer.Option("--launched", help="End when stdin closes: the launcher is gone.")
    ] = False,
    started: Annotated[float, typer.Option(help="When, on the monotonic clock.")] = STARTED,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the trained network.")] = False,
    threads: Annotated[int | None, typer.Option(help="Of a processor shared by cells.")] = None,
    rank: Annotated[
        bool, typer.Option("--rank", help="Be one of the processes that train it together.")
    ] = False,
) -> int:
    """Run one cell of a plan; `cnnbench run` starts one of these for each cell."""
    from cnnbench.runner.worker import serve_cell
    from cnnbench.store import RunFolder

    typed = Request("", dataset, dataset_options=data) if dataset else None
    code = serve_cell(
        RunFolder(run),
        id,
        typed=typed,
        started=started,
        launched=launched,
        keeps=keep,
        threads=threads,
        is_rank=rank,
    )
    # All is on disk; taking torch down politely costs a second that a stopped user would wait.
    os._exit(code)


@app.command(hidden=True)
def cells(run: Annotated[str, typer.Option(help="The run folder, for whoever looks.")]) -> None:
    """Run the verbs that stdin has, each in a fork of this process; see `launch.warm`."""
    del run
    from cnnbench.runner.worker import fork_for_each_line

    app(fork_for_each_line(), prog_name="cnnbench")


# -- what runs left behind ------------------------------------------------------------------------


@app.command()
def report(
    folder: Annotated[str, typer.Argument(help="A run folder, like reports/fruits-1a2b3c4d5e.")],
    readme: Annotated[
        str | None, typer.Option(help="Put the table between the markers of this file.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(help="Add what it took to reach this accuracy, like 0.9.")
    ] = None,
    across_machines: Annotated[
        bool | None,
        typer.Option(
            "--across-machines/--no-across-machines",
            help="Rank under a budget in seconds though machines differ.  [as the run has it]",
        ),
    ] = None,
    track: Track = None,
    as_json: Json = False,
) -> int:
    """Draw a run's tables, plots and pages again; with --readme, place the table in a file."""
    from cnnbench.cli.show.runs import export_curves, show_outcome
    from cnnbench.report.pages.render import update_readme
    from cnnbench.report.write import write_report
    from cnnbench.schema.result import Ranking
    from cnnbench.store import RunFolder

    if target is not None and not 0 < target <= 1:
        share = f"; for {target:g} % write {target / 100:g}" if 1 < target <= 100 else ""
        raise PlanError(f"--target must be a share above 0 and up to 1, saw {target:g}{share}")
    run_folder = RunFolder(folder)
    run_folder.plan()  # says at once if this is no run folder
    with run_folder.lock():
        if across_machines is not None:
            run_folder.write_ranking(Ranking(across_machines=across_machines))
        write_report(run_folder, target=target)
        if readme:
            update_readme(Path(readme), run_folder)
        if track:
            export_curves(run_folder.path, track)
    return show_outcome(run_folder.path, as_json=as_json, was_done=False)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="DIR_A", help="The run to compare with.")],
    b: Annotated[str, typer.Argument(metavar="DIR_B", help="The run to judge.")],
    across_machines: Annotated[
        bool, typer.Option("--across-machines", help="Compare though the machines differ.")
    ] = False,
    across_data: Annotated[
        bool, typer.Option("--across-data", help="Compare though the images differ.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Say for each network whether run B is better or worse than run A; exit 1 on worse."""
    from cnnbench.cli.show.runs import show_two_runs
    from cnnbench.report.analysis.two_runs import compare_runs
    from cnnbench.store import RunFolder

    first, second = RunFolder(a), RunFolder(b)
    comparison = compare_runs(
        first, second, across_machines=across_machines, across_data=across_data
    )
    return show_two_runs(comparison, first.path, second.path, as_json=as_json)
