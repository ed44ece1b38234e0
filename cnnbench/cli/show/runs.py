"""How are plans and their outcomes shown?"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.cli.show.console import print_json, print_table, printable, say
from cnnbench.report.analysis.two_runs import difference_sentence
from cnnbench.report.text.wording import MINUS, NOTHING, p_value, percent, plural
from cnnbench.schema.cell import Plan
from cnnbench.store import RunFolder
from cnnbench.tracking import Tracker, TrackError, track

if TYPE_CHECKING:
    from cnnbench.report.analysis.two_runs import NetworkVerdict, TwoRuns


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
    from cnnbench.report.analysis.rows import ranked, read_rows
    from cnnbench.report.sections.headline import headline
    from cnnbench.report.sections.notices import run_notices
    from cnnbench.schema.names import labels

    store = RunFolder(folder)
    found, names = read_rows(store), labels(store.plan())
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


# -- two runs -------------------------------------------------------------------------------------


def show_two_runs(found: TwoRuns, a: Path, b: Path, *, as_json: bool) -> int:
    """Show what differs and the verdicts; return 1 if a network is worse in B, else 0."""
    if as_json:
        content = {"version": 1, "a": str(a), "b": str(b), "worse": found.worse}
        print_json(content | asdict(found))
        return int(found.worse)
    say(f"A: {a}")
    say(f"B: {b}")
    for one in found.unlike:
        say(f"  {difference_sentence(one)}")
    if not found.unlike:
        say("  the same settings, machine, data and versions")
    print_table(
        ("model", "A %", "B %", "B - A, points", "95 % interval", "p", "test", "verdict", "why"),
        [_line(one) for one in found.judged],
        "lrrrrrlll",
    )
    for name, labels in (("A", found.only_a), ("B", found.only_b)):
        if labels:
            say(f"only in {name}: {', '.join(labels)}")
    for text in _conclusion(found):
        say(text)
    return int(found.worse)


def _line(one: NetworkVerdict) -> tuple[str, ...]:
    spanned = one.low is not None and one.high is not None
    return (
        one.label,
        percent(one.a_top1),
        percent(one.b_top1),
        _points(one.difference),
        f"{_points(one.low)} to {_points(one.high)}" if spanned else NOTHING,
        NOTHING
        if one.p_holm is None
        else p_value(one.p_holm).removeprefix("p ").removeprefix("= "),
        one.method or NOTHING,
        one.verdict,
        one.reason,
    )


def _short(p: float) -> str:
    return p_value(p).removeprefix("p ").removeprefix("= ")


def _points(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:+.1f}".replace("-", MINUS)


def _conclusion(found: TwoRuns) -> list[str]:
    counts = {
        verdict: sum(one.verdict == verdict for one in found.judged)
        for verdict in ("better", "worse", "no evidence")
    }
    said = [
        f"of {plural(len(found.judged), 'network')}: "
        + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        + " (level 5 % after Holm's correction)"
    ]
    if counts["no evidence"]:
        said.append("no evidence is not a proof of no change: the interval says what is possible")
    tested = [one for one in found.judged if one.p is not None]
    if tested and all(max(one.seeds) == 1 for one in tested):
        said.append(
            "each network was trained once: a difference may be the seed's; --seeds 3 would tell"
        )
    return said
