"""The verb `status`: how a run stands, whoever works on it and wherever."""

import time
from typing import Annotated

import typer

from cnnbench.base.exits import Exit
from cnnbench.cli.options import EXITS, Json, app

FOLLOW_SECONDS = 2.0


@app.command(epilog=EXITS)
def status(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A run folder.")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until every cell has ended.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Say what of a run is done, running and where, failed or waiting; exit 1 if a cell failed."""
    from cnnbench.cli.show.console import print_json
    from cnnbench.cli.show.status import StatusScreen, status_document
    from cnnbench.store import RunFolder
    from cnnbench.store.status import StatusReader

    reader = StatusReader(RunFolder(folder))
    now = reader.read()
    with StatusScreen(folder, shown=not as_json) as screen:
        screen.show(now)
        while follow and not now.has_ended:
            time.sleep(FOLLOW_SECONDS)
            now = reader.read()
            screen.show(now)
    if as_json:
        print_json(status_document(folder, now))
    return Exit.FAILED if now.failed else Exit.OK
