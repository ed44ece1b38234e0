"""The verbs that read what runs left behind: `report`."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnbench.cli.app import Json, app


@app.command()
def report(
    folder: Annotated[str, typer.Argument(help="A run folder, like reports/fruits-1a2b3c4d5e.")],
    readme: Annotated[
        str | None, typer.Option(help="Put the table between the markers of this file.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Draw a run's tables, plots and pages again; with --readme, place the table in a file."""
    from cnnbench.listing.runs import show_outcome
    from cnnbench.report.pages import write_report
    from cnnbench.store import RunFolder

    store = RunFolder(folder)
    store.plan()  # says at once if this is no run folder
    with store.lock():
        write_report(store)
        if readme:
            from pathlib import Path

            from cnnbench.report.readme import update_readme

            update_readme(Path(readme), store)
    return show_outcome(store.path, as_json=as_json, was_done=False)
