"""The verbs that train: `run`, and the hidden `cell` that it starts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnbench.cli.app import EXITS, STARTED, Json, app

if TYPE_CHECKING:
    from rich.console import Console


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
        from cnnbench.listing.runs import show_plan

        show_plan(plan, folder, as_json=as_json)
        return 0
    return _run(plan, opened, folder, fresh=fresh, as_json=as_json)


def _run(plan: Any, opened: Any, folder: Any, *, fresh: bool, as_json: bool) -> int:
    from cnnbench import api
    from cnnbench.listing.runs import show_outcome
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


@app.command(hidden=True)
def cell(
    run: Annotated[str, typer.Option(help="The run folder.")],
    id: Annotated[str, typer.Option(help="The cell's folder name.")],
) -> int:
    """Run one cell of a plan; `cnnbench run` starts one of these for each cell."""
    from cnnbench.launch import serve_cell
    from cnnbench.store import RunFolder

    return serve_cell(RunFolder(run), id, started=STARTED)


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
