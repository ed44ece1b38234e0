"""The verbs about networks and datasets: `models`, `verify`, `datasets`, `check`, `fetch`."""

from typing import Annotated

import typer

from cnnbench.base.exits import Exit
from cnnbench.cli.options import Json, app
from cnnbench.planning.request import SKIP_HELP, PlanError, Request


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="One network, layer by layer.")] = None,
    as_json: Json = False,
) -> None:
    """List the networks, or show one: its layers, its paper and departures, and its weights."""
    from cnnbench.cli.show.networks import show_model, show_models

    if name is None:
        show_models(as_json=as_json)
    else:
        show_model(name, as_json=as_json)


@app.command(epilog="exit codes: 0 all agree, 1 something disagrees, 2 usage")
def verify(
    name: Annotated[str | None, typer.Argument(help="One network, or a family.")] = None,
    as_json: Json = False,
) -> int:
    """Hold the networks against their papers, statement by statement; nothing is trained."""
    from cnnbench.cli.show.networks import show_verdicts

    return show_verdicts(name, as_json=as_json)


@app.command()
def datasets(
    name: Annotated[str | None, typer.Argument(help="One dataset's card.")] = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove all decoded images; runs decode them again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the datasets, or show one's card: source, licence, classes, known results."""
    from cnnbench.cli.show.data import show_card, show_cards, show_cleaned

    if clean:
        from cnnbench.data.pixels.cache import clean_cache

        show_cleaned(clean_cache(), as_json=as_json)
    elif name is None:
        show_cards(as_json=as_json)
    else:
        show_card(name, as_json=as_json)


@app.command()
def check(
    dataset: Annotated[str, typer.Argument(help="A card's name, a folder of images, or a .csv.")],
    data: Annotated[
        list[str] | None, typer.Option(help="An option of the images, KEY=VALUE; may be repeated.")
    ] = None,
    skip_broken: Annotated[int | None, typer.Option(help=SKIP_HELP)] = None,
    as_json: Json = False,
) -> int:
    """Look at every image for damage, odd formats, copies and leaks; exit code 3 for errors."""
    from cnnbench.cli.show.console import counting
    from cnnbench.cli.show.data import show_diagnosis
    from cnnbench.data.thorough_check import examine

    options = Request("", dataset, dataset_options=data, skip_broken=skip_broken).data
    with counting("looking at images") as progress:
        diagnosis = examine(dataset, options=options, progress=progress)
    show_diagnosis(diagnosis, as_json=as_json)
    return Exit.OK if diagnosis.usable else Exit.DATA


@app.command()
def fetch(
    what: Annotated[
        str,
        typer.Argument(
            metavar="DATASET|weights",
            help="A card's name or path, or torchvision:NAME; or the word weights.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Argument(help="After weights: a model with its start, like resnet18@torchvision."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="A file or address to use in place of the card's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Download and verify a dataset or trained weights; the only verb that uses the network."""
    if (what == "weights") != (model is not None):
        raise PlanError(
            "one thing is fetched at a time: a dataset, or `weights` and a model with its start, "
            "as in cnnbench fetch weights resnet18@torchvision"
        )
    if model is not None:
        _fetch_weights(model, source, as_json=as_json)
    else:
        _fetch_dataset(what, source, as_json=as_json)


def _fetch_dataset(dataset: str, source: str | None, *, as_json: bool) -> None:
    from cnnbench.cli.show.console import counting
    from cnnbench.cli.show.data import show_fetched
    from cnnbench.data.catalog.fetch import fetch as bring
    from cnnbench.data.open import require_card

    card = require_card(dataset)
    with counting("fetching", in_bytes=True) as progress:
        folder = bring(card, source=source, progress=progress)
    show_fetched(card, folder, as_json=as_json)


def _fetch_weights(model: str, source: str | None, *, as_json: bool) -> None:
    from cnnbench.cli.show.console import counting
    from cnnbench.cli.show.networks import show_fetched_weights
    from cnnbench.data.catalog.weights import fetch_weights
    from zoo.weights import weights_card

    card = weights_card(model)
    with counting("fetching", in_bytes=True) as progress:
        file = fetch_weights(card, source=source, progress=progress)
    show_fetched_weights(card, file, as_json=as_json)
