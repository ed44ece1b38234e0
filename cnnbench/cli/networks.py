"""The verbs about networks that a run kept: `predict` and `export`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cnnbench.base.exits import Exit
from cnnbench.base.words import plural, printable
from cnnbench.cli.options import EXITS, Json, app
from cnnbench.inference import ExportFormat
from cnnbench.planning.request import PlanError

Target = Annotated[
    str,
    typer.Argument(
        metavar="DIR[:MODEL]",
        help="A run folder, with the network's name after a colon.  [the one that ranked first]",
    ),
]


@app.command(epilog=EXITS)
def predict(
    target: Target,
    images: Annotated[
        list[str],
        typer.Argument(metavar="FILES|FOLDER...", help="Image files, or folders of them."),
    ],
    top: Annotated[int, typer.Option(help="How many classes to show.", min=1)] = 3,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV file to stdout.")] = False,
    as_json: Json = False,
) -> int:
    """Say what a network that a run kept sees in images, with the probability of each class."""
    from cnnbench.cli.show.console import counting
    from cnnbench.cli.show.predictions import show_predictions
    from cnnbench.inference.files import image_files
    from cnnbench.report.analysis.choice import choose_network
    from cnnbench.store import RunFolder

    if as_json and as_csv:
        raise PlanError("--json and --csv are two forms of one answer; leave one out")
    for word in images if as_csv else []:
        if word.endswith(".csv") and not _exists(word):
            raise PlanError(f"--csv prints to stdout and takes no name: leave {word} out, > {word}")
    folder, model = split_target(target)
    run = RunFolder(folder)
    choice = choose_network(run, model)
    files = image_files(images)

    from cnnbench.inference.network import load_network  # torch, once nothing can be wrong

    network = load_network(run.cell(choice.cell))
    _say(choice.why)
    for notice in network.notices:
        _say(notice)
    start = time.monotonic()
    with counting("predicting") as progress:
        predictions = network.predict(files, progress=progress)
    seconds = time.monotonic() - start
    show_predictions(predictions, choice, network.kept, top=top, as_json=as_json, as_csv=as_csv)
    rate = len(files) / seconds
    _say(f"{plural(len(files), 'file')} in {seconds:.1f} s, {rate:.0f} a second")
    return Exit.OK if any(each.logits is not None for each in predictions) else Exit.DATA


@app.command(epilog=EXITS)
def export(
    target: Target,
    to: Annotated[ExportFormat, typer.Option(help="What other program it is for.")],
    out: Annotated[str | None, typer.Option(help="The new folder.  [exports/<cell>-<to>]")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="The run's images, where they are not where they were.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a network that a run kept as one folder for another program, once it is checked."""
    from cnnbench.cli.show.console import counting, print_json, say
    from cnnbench.networks import export_model
    from cnnbench.report.analysis.choice import choose_network
    from cnnbench.store import RunFolder

    folder, model = split_target(target)
    choice = choose_network(RunFolder(folder), model)
    _say(choice.why)
    with counting("checking") as progress:
        made = export_model(folder, choice, to=to, out=out, dataset=dataset, progress=progress)
    files = sorted(path.name for path in made.iterdir())
    if as_json:
        print_json({"version": 1, "folder": str(made), "cell": choice.cell.id, "files": files})
    else:
        say(f"{made}: {', '.join(files)}")


def split_target(text: str) -> tuple[str, str | None]:
    """Split `DIR[:MODEL]`; a folder's name may hold a colon, so the longest that exists counts."""
    ends = [len(text), *(place for place in range(len(text) - 1, 0, -1) if text[place] == ":")]
    for end in ends:
        if _exists(text[:end]):
            return text[:end], text[end + 1 :] or None
    return text, None


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # too long for a file's name
        return False


def _say(text: str) -> None:
    """Tell what is no part of the answer."""
    if text:
        print(printable(text), file=sys.stderr)
