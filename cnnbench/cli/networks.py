"""The verbs about the zoo: `models`, `verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnbench.cli.app import Json, app


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="One network, layer by layer.")] = None,
    as_json: Json = False,
) -> int:
    """List the networks, or show one with its layers, its paper and its departures from it."""
    from cnnbench.cli.show.networks import show_model, show_models

    if name is None:
        show_models(as_json=as_json)
    else:
        show_model(name, as_json=as_json)
    return 0


@app.command(epilog="exit codes: 0 all agree, 1 something disagrees, 2 usage")
def verify(
    name: Annotated[str | None, typer.Argument(help="One network, or a family.")] = None,
    as_json: Json = False,
) -> int:
    """Hold the networks against their papers, statement by statement; nothing is trained."""
    from cnnbench.cli.show.networks import show_verdicts

    return show_verdicts(name, as_json=as_json)
