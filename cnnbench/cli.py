"""Words in, exit code out: what `cnnbench` understands. Every verb imports its room inside."""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

STARTED = time.monotonic()  # before torch is imported, so that a cell's total includes it

EXITS = """\
exit codes: 0 all done, 1 a cell failed, 2 usage, 3 data, 4 disk, 5 busy elsewhere,
70 internal error, 130/143 interrupted and resumable"""


def _leave(code: int) -> None:
    """Every verb returns its exit code."""
    raise typer.Exit(code)


app = typer.Typer(
    result_callback=_leave,
    pretty_exceptions_enable=False,
    name="cnnbench",
    help="Which classic CNN is best for my images, if each gets the same budget?",
    epilog="First try: cnnbench run --models alexnet,vgg,resnet --dataset fruits",
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")]


@app.command(epilog=EXITS)
def run(
    models: Annotated[str, typer.Option(help="Names with commas between; see `cnnbench models`.")],
    dataset: Annotated[str, typer.Option(help="A card's name, or a folder of images.")] = "fruits",
    budget: Annotated[
        str | None, typer.Option(help="90s, 2m, 1h, 20ep, 30000img, 1e15flop.  [default: 2m]")
    ] = None,
    recipe: Annotated[str, typer.Option(help="How to train: common, one for all.")] = "common",
    lr: Annotated[float | None, typer.Option(help="Learning rate for every model.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.  [default: 16]")] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels.  [default: the paper's]")] = None,
    seeds: Annotated[str, typer.Option(help="How many seeds (3), or which (0,1,5).")] = "1",
    evaluations: Annotated[int | None, typer.Option(help="Tests on the way.  [default: 5]")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="A card's option, KEY=VALUE; may be repeated.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    out: Annotated[str | None, typer.Option(help="Run folder.  [reports/<data>-<digest>]")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train anew what is there.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and show the plan only.")
    ] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="A whole tiny run, for CI.")] = False,
    as_json: Json = False,
) -> int:
    """Train models under one budget and write the comparison. The same command continues."""
    from pathlib import Path

    from cnnbench import api
    from cnnbench.plan import Wishes, default_folder

    wishes = Wishes(
        models=[name.strip() for name in models.split(",") if name.strip()],
        dataset=dataset,
        dataset_options=_pairs(data or []),
        budget=budget,
        recipe=recipe,
        lr=lr,
        batch_size=batch_size,
        image_size=image_size,
        seeds=_seeds(seeds),
        evaluations=evaluations,
        smoke=smoke,
    )
    plan, opened = api.prepare(wishes, device=device, precision=precision, argv=sys.argv[1:])
    folder = Path(out or default_folder(plan))
    if dry_run:
        from cnnbench.listing import show_plan

        show_plan(plan, folder, as_json=as_json)
        return 0
    return _run(plan, opened, folder, fresh=fresh, as_json=as_json)


def _run(plan: Any, opened: Any, folder: Any, *, fresh: bool, as_json: bool) -> int:
    from cnnbench import api
    from cnnbench.listing import show_outcome
    from cnnbench.progress import Progress
    from cnnbench.store import RunFolder

    console = _console()
    before = RunFolder(folder)
    all_done = not fresh and all(before.cell(cell).is_final() for cell in plan.cells)
    with Progress(plan.cells, console) as progress:
        api.execute(
            plan,
            opened,
            folder,
            fresh=fresh,
            on_update=progress.update,
            on_decode=progress.decode,
        )
    return show_outcome(folder, as_json=as_json, was_done=all_done)


@app.command()
def report(
    folder: Annotated[str, typer.Argument(help="A run folder, like reports/fruits-1a2b3c4d5e.")],
    readme: Annotated[
        str | None, typer.Option(help="Put the table between the markers of this file.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Draw a run's tables, plots and pages again; with --readme, place the table in a file."""
    from cnnbench.listing import show_outcome
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


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="One network, layer by layer.")] = None,
    as_json: Json = False,
) -> int:
    """List the networks, or show one with its layers, its paper and its departures from it."""
    from cnnbench.listing import show_model, show_models

    if name is None:
        show_models(as_json=as_json)
    else:
        show_model(name, as_json=as_json)
    return 0


@app.command()
def datasets(
    name: Annotated[str | None, typer.Argument(help="One dataset's card.")] = None,
    as_json: Json = False,
) -> int:
    """List the datasets, or show one's card: source, licence, classes, known results."""
    from cnnbench.listing import show_card, show_cards

    if name is None:
        show_cards(as_json=as_json)
    else:
        show_card(name, as_json=as_json)
    return 0


@app.command(hidden=True)
def cell(
    run: Annotated[str, typer.Option(help="The run folder.")],
    id: Annotated[str, typer.Option(help="The cell's folder name.")],
) -> int:
    """Run one cell of a plan; `cnnbench run` starts one of these for each cell."""
    from cnnbench.launch import serve_cell
    from cnnbench.store import RunFolder

    return serve_cell(RunFolder(run), id, started=STARTED)


def main() -> None:
    """Run the command line and leave with the documented exit code."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app()
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        sys.exit(_explain(error))


def _explain(error: BaseException) -> int:
    """Print one clear message to stderr and return the exit code that belongs to it."""
    from cnnbench.data.errors import DataError
    from cnnbench.launch import CellError, Stopped
    from cnnbench.plan import PlanError
    from cnnbench.store import BusyError, StoreError
    from zoo import UnknownModel

    if isinstance(error, Stopped):
        _say("stopped; all finished work and a checkpoint are saved. To continue, type again:")
        _say(f"  cnnbench {' '.join(sys.argv[1:])}")
        return error.exit_code
    if isinstance(error, CellError):
        _say(f"error: {error}")
        return error.exit_code
    codes: list[tuple[tuple[type[BaseException], ...], int]] = [
        ((PlanError, UnknownModel), 2),
        ((DataError,), 3),
        ((BusyError,), 5),
        ((StoreError, OSError), 4),
        ((KeyboardInterrupt,), 130),
    ]
    for kinds, code in codes:
        if isinstance(error, kinds):
            _say("interrupted" if code == 130 else f"error: {error}")
            return code
    _say(f"internal error: {type(error).__name__}: {error}")
    _say("this is a fault of cnnbench; --debug shows where, please report it")
    return 70


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _console() -> Console:
    from rich.console import Console

    plain = bool(os.environ.get("CI")) or not sys.stderr.isatty()
    return Console(stderr=True, force_terminal=False if plain else None)


def _seeds(text: str) -> list[int]:
    from cnnbench.plan import PlanError

    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise PlanError(f"--seeds {text!r}: write how many (3) or which ones (0,1,5)") from None
    if len(numbers) > 1:
        return numbers
    if numbers[0] < 1:
        raise PlanError(f"--seeds {text!r}: at least one seed is needed")
    return list(range(numbers[0]))


def _pairs(words: list[str]) -> dict[str, str]:
    from cnnbench.plan import PlanError

    pairs = [word.partition("=") for word in words]
    for word, (key, equals, _) in zip(words, pairs, strict=True):
        if not key or not equals:
            raise PlanError(f"--data {word!r} must be KEY=VALUE, like --data seed=1")
    return {key: value for key, _, value in pairs}
