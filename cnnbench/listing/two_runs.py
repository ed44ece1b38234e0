"""How is the comparison of two runs shown?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.listing.printing import print_json, print_table, say
from cnnbench.report.differences import sentence
from cnnbench.report.wording import MINUS, NOTHING, p_value, percent, plural

if TYPE_CHECKING:
    from cnnbench.report.two_runs import Judged, TwoRuns


def show_two_runs(found: TwoRuns, a: Path, b: Path, *, as_json: bool) -> int:
    """Show what differs and the verdicts; return 1 if a network is worse in B, else 0."""
    if as_json:
        content = {"version": 1, "a": str(a), "b": str(b), "worse": found.worse}
        print_json(content | asdict(found))
        return int(found.worse)
    say(f"A: {a}")
    say(f"B: {b}")
    for one in found.unlike:
        say(f"  {sentence(one)}")
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


def _line(one: Judged) -> tuple[str, ...]:
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
