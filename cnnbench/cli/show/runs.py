"""How are a plan, its outcome and the comparison of two runs shown?"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.base.words import printable
from cnnbench.cli.show.console import counts, print_json, print_table, say
from cnnbench.cli.show.foresight import foresight_lines, time_lines
from cnnbench.cli.show.starts import start_lines
from cnnbench.report.text.escape import shell_command
from cnnbench.report.text.wording import (
    NOTHING,
    epochs_seen,
    marked,
    p_value,
    percent,
    plural,
    signed_points,
    significant,
    span,
)
from cnnbench.schema.cell import Plan
from cnnbench.store import RunFolder
from cnnbench.tracking import Tracker, TrackError, track

if TYPE_CHECKING:
    from cnnbench.report.analysis.two_runs import TwoRuns
    from cnnbench.report.analysis.verdicts import NetworkVerdict


def show_plan(plan: Plan, folder: Path, n_final: int | None, *, as_json: bool) -> None:
    """Show what a command would do; `n_final` cells need no training, None if that is unknown."""
    if as_json:
        document = {"folder": str(folder), "done": n_final, "plan": plan.model_dump(mode="json")}
        return print_json(document)
    facts = plan.dataset
    say(f"dataset {facts.name}: {len(facts.classes)} classes, {counts(facts.images)} images")
    for notice in facts.notices:
        say(f"  note: {notice}")
    rows = [
        (
            cell.name,
            str(cell.seed),
            str(cell.budget),
            f"{cell.recipe.name} lr {cell.recipe.lr:g} batch {cell.recipe.batch_size}",
            str(cell.image_size),
            f"{f'{cell.devices} x ' if cell.devices > 1 else ''}{cell.device} {cell.precision}"
            f"{' deterministic' if cell.deterministic else ''}",
        )
        for cell in plan.cells
    ]
    print_table(("model", "seed", "budget", "recipe", "pixels", "device"), rows, "lrllrl")
    if plan.machine.get("precision_why"):
        say(f"  precision: {plan.machine['precision_why']}")
    for line in start_lines(plan) + foresight_lines(plan) + time_lines(plan):
        say(f"  {line}")
    if n_final == len(plan.cells):
        return say(f"every cell is done already in {folder}; without --dry-run it is reported anew")
    there = f" ({n_final} of {len(plan.cells)} cells are done there)" if n_final else ""
    return say(f"would write {folder}{there}; leave out --dry-run to start")


def show_outcome(folder: Path, *, as_json: bool, was_done: bool) -> int:
    """Show the rows of a run and where its report is; return 1 if a cell is not done, else 0."""
    from cnnbench.report.analysis.machines import machines_of
    from cnnbench.report.analysis.rows import ranked, read_rows
    from cnnbench.report.sections.headline import headline
    from cnnbench.report.sections.notices import run_notices
    from cnnbench.report.sections.results import starved_note
    from cnnbench.schema.names import labels

    run_folder = RunFolder(folder)
    plan, cells = run_folder.plan(), read_rows(run_folder)
    code = int(any(row.status != "done" for row in cells))
    if as_json:
        sys.stdout.write((folder / "results.json").read_text("utf-8"))
        return code
    if was_done:
        say("every cell was done already; the report was drawn again (--fresh trains anew)")
    names = labels(plan)
    are_withheld = machines_of(run_folder, cells, names).are_withheld
    lines = [
        (
            marked(names[row.cell], row.starved),
            str(row.seed),
            row.status,
            percent(row.top1),
            span(row.top1_low, row.top1_high),
            NOTHING if row.correct is None else f"{row.correct}/{row.test_images}",
            epochs_seen(row.epochs),
            significant(row.images_per_second),
            *([row.reason] if any(cell.reason for cell in cells) else []),
        )
        for row in (cells if are_withheld else ranked(cells, names))
    ]
    titles = ["model", "seed", "status", "top-1 %", "95 % interval", "right", "epochs", "images/s"]
    titles += ["reason"] if any(cell.reason for cell in cells) else []
    print_table(titles, lines, "lrlrrrrrl"[: len(titles)])
    if note := starved_note(cells):
        say(note)
    for sentence in headline(run_folder):
        say(sentence)
    for notice in run_notices(plan, cells):
        say(f"note: {notice}")
    say(f"report: {folder / 'report.md'}")
    if any(run_folder.cell(cell).has_network() for cell in plan.cells):
        say(f"next: {shell_command(['cnnbench', 'predict', str(folder)])} PHOTOS")
    return code


def export_curves(folder: Path, tracker: Tracker) -> None:
    """Export the curves of a run; that this cannot be done is said and changes no exit code.

    Both are told on stderr: stdout may be one JSON document.
    """
    try:
        outcome = f"{tracker}: {track(RunFolder(folder), tracker)}"
    except TrackError as error:
        outcome = f"not exported: {error}"
    print(printable(outcome), file=sys.stderr)


# -- two runs -------------------------------------------------------------------------------------


def show_two_runs(comparison: TwoRuns, a: Path, b: Path, *, as_json: bool) -> int:
    """Show what differs and the verdicts; return 1 if a network is worse in B, else 0."""
    from cnnbench.report.analysis.two_runs import difference_sentence

    if as_json:
        content = {"version": 1, "a": str(a), "b": str(b), "worse": comparison.worse}
        print_json(content | asdict(comparison))
        return int(comparison.worse)
    say(f"A: {a}")
    say(f"B: {b}")
    for difference in comparison.unlike:
        say(f"  {difference_sentence(difference)}")
    if not comparison.unlike and comparison.versions_recorded:
        say("  the same settings, machine, data and versions")
    if not comparison.versions_recorded:
        say("  not all rows recorded their versions and threads: those may differ")
    print_table(
        ("model", "A %", "B %", "B - A, points", "95 % interval", "Holm's p", "test", "verdict"),
        [_line(network) for network in comparison.judged],
        "lrrrrrll",
    )
    for network in comparison.judged:
        if network.reason:
            say(f"{network.label} ({network.verdict}): {network.reason}")
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            say(f"only in {name}, not judged: {', '.join(only)}")
    for sentence in _conclusion(comparison):
        say(sentence)
    return int(comparison.worse)


def _line(network: NetworkVerdict) -> tuple[str, ...]:
    has_interval = network.low is not None and network.high is not None
    return (
        network.label,
        percent(network.a_top1),
        percent(network.b_top1),
        signed_points(network.difference),
        f"{signed_points(network.low)} to {signed_points(network.high)}"
        if has_interval
        else NOTHING,
        NOTHING if network.p_holm is None else p_value(network.p_holm).lstrip("p= "),
        network.method or NOTHING,
        network.verdict,
    )


def _conclusion(comparison: TwoRuns) -> Iterator[str]:
    judged = comparison.judged
    verdicts = Counter(network.verdict for network in judged)
    of_each = (f"{verdicts[verdict]} {verdict}" for verdict in ("better", "worse", "no evidence"))
    yield (
        f"of {plural(len(judged), 'network')}: {', '.join(of_each)}"
        " (level 5 % after Holm's correction)"
    )
    if any(sum(network.unfinished) for network in judged):
        yield "not every seed is finished: these verdicts may still change"
    if any(network.verdict == "no evidence" and network.low is not None for network in judged):
        yield "no evidence is not a proof of no change: the interval says what is possible"
    tested = [network for network in judged if network.p is not None]
    if tested and all(max(network.seeds) == 1 for network in tested):
        yield "each network was trained once: a difference may be the seed's; --seeds 3 would tell"
