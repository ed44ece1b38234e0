"""The verbs that read what runs left behind: `report`, `compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnbench.cli import options
from cnnbench.cli.app import Json, app


@app.command()
def report(
    folder: Annotated[str, typer.Argument(help="A run folder, like reports/fruits-1a2b3c4d5e.")],
    readme: Annotated[
        str | None, typer.Option(help="Put the table between the markers of this file.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(help="Add what it took to reach this accuracy, like 0.9.")
    ] = None,
    track: options.Track = None,
    as_json: Json = False,
) -> int:
    """Draw a run's tables, plots and pages again; with --readme, place the table in a file."""
    from cnnbench.cli.show.runs import export_curves, show_outcome
    from cnnbench.planning.plan import PlanError
    from cnnbench.report.write import write_report
    from cnnbench.store import RunFolder

    if target is not None and not 0 < target <= 1:
        share = f"; for {target:g} % write {target / 100:g}" if 1 < target <= 100 else ""
        raise PlanError(f"--target must be a share above 0 and up to 1, saw {target:g}{share}")
    store = RunFolder(folder)
    store.plan()  # says at once if this is no run folder
    with store.lock():
        write_report(store, target=target)
        if readme:
            from pathlib import Path

            from cnnbench.report.pages.render import update_readme

            update_readme(Path(readme), store)
        if track:
            export_curves(store, track)
    return show_outcome(store.path, as_json=as_json, was_done=False)


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
    found = compare_runs(first, second, across_machines=across_machines, across_data=across_data)
    return show_two_runs(found, first.path, second.path, as_json=as_json)
