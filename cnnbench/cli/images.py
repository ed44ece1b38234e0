"""The verbs about data: `datasets`."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnbench.cli.app import Json, app


@app.command()
def datasets(
    name: Annotated[str | None, typer.Argument(help="One dataset's card.")] = None,
    as_json: Json = False,
) -> int:
    """List the datasets, or show one's card: source, licence, classes, known results."""
    from cnnbench.listing.images import show_card, show_cards

    if name is None:
        show_cards(as_json=as_json)
    else:
        show_card(name, as_json=as_json)
    return 0
