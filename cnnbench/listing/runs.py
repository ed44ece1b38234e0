"""How are plans and their outcomes shown?"""

from __future__ import annotations

import sys
from pathlib import Path

from cnnbench.listing.printing import print_json, print_table, printable, say
from cnnbench.schema.cell import Plan
from cnnbench.store import RunFolder
from cnnbench.tracking import Tracker, TrackError, track


def show_plan(plan: Plan, folder: Path, *, done: int | None, as_json: bool) -> None:
    """Show what a command would do, without doing it.

    `done` cells of it are in the folder, None where that is not known.
    """
    if as_json:
        document = {"folder": str(folder), "done": done, "plan": plan.model_dump(mode="json")}
        return print_json(document)
    counts = ", ".join(f"{name} {count}" for name, count in plan.dataset.images.items())
    say(f"dataset {plan.dataset.name}: {len(plan.dataset.classes)} classes, {counts} images")
    for notice in plan.dataset.notices:
        say(f"  note: {notice}")
    rows = [
        (
            cell.model,
            str(cell.seed),
            str(cell.budget),
            f"{cell.recipe.name} lr {cell.recipe.lr:g} batch {cell.recipe.batch_size}",
            str(cell.image_size),
            f"{cell.device} {cell.precision}",
        )
        for cell in plan.cells
    ]
    print_table(("model", "seed", "budget", "recipe", "pixels", "device"), rows, "lrllrl")
    if done == len(plan.cells):
        return say(f"every cell is done already in {folder}; without --dry-run it is reported anew")
    there = f" ({done} of {len(plan.cells)} cells are done there)" if done else ""
    return say(f"would write {folder}{there}; leave out --dry-run to start")


def show_outcome(folder: Path, *, as_json: bool, was_done: bool) -> int:
    """Show the rows of a run and where its report is; return the exit code."""
    from cnnbench.report.contenders import labels
    from cnnbench.report.headline import headline
    from cnnbench.report.notices import run_notices
    from cnnbench.report.tables import ranked, rows

    store = RunFolder(folder)
    found, names = rows(store), labels(store.plan())
    failed = [row for row in found if row.status != "done"]
    if as_json:
        content = (folder / "results.json").read_text()
        sys.stdout.write(content)
        return 1 if failed else 0
    if was_done:
        say("every cell was done already; the report was drawn again (--fresh trains anew)")
    table = [
        (
            names[row.cell],
            str(row.seed),
            row.status,
            "" if row.top1 is None else f"{row.top1:.1%}",
            "" if row.top1_low is None else f"{row.top1_low:.1%} to {row.top1_high:.1%}",
            "" if row.correct is None else f"{row.correct}/{row.test_images}",
            "" if row.images_per_second is None else f"{row.images_per_second:.1f}",
            row.reason,
        )
        for row in ranked(found, names=names)
    ]
    titles = ("model", "seed", "status", "top-1", "95 % interval", "right", "images/s", "reason")
    print_table(titles, table, "lrlrrrrl")
    for sentence in headline(store):
        say(sentence)
    for notice in run_notices(store.plan(), found):
        say(f"note: {notice}")
    say(f"report: {folder / 'report.md'}")
    return 1 if failed else 0


def export_curves(run: RunFolder, tracker: Tracker) -> None:
    """Export the curves of a run; that this cannot be done is said and changes no exit code.

    Both are told on stderr: stdout may be one JSON document.
    """
    try:
        told = f"{tracker}: {track(run, tracker)}"
    except TrackError as error:
        told = f"not exported: {error}"
    print(printable(told), file=sys.stderr)
