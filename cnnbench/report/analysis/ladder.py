"""How does accuracy grow with the budget, and where do two networks change places?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

from cnnbench.report.stats.intervals import letters, wilson
from cnnbench.report.stats.seeds import over_both

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison, Entry
    from cnnbench.report.analysis.pairs import Pair
    from cnnbench.schema.budget import Budget


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One network on one rung: its mean accuracy with its 95 % interval, shares in [0, 1]."""

    line: str
    budget: Budget
    top1: float
    low: float
    high: float
    seeds: int
    tie: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """Two networks change places between two rungs.

    `established` says that both orders are, the one before and the one after; else `p_before` and
    `p_after` say how far from it they are.
    """

    ahead: str
    behind: str
    before: Budget
    after: Budget
    established: bool
    p_before: float
    p_after: float


def points(comparison: Comparison, lines: Mapping[str, str]) -> list[Point]:
    """Return every point of a ladder, smallest budget first."""
    found = []
    for rung in comparison.rungs:
        marks = letters(len(rung.entries), rung.groups)
        for one, mark in zip(rung.entries, marks, strict=True):
            assert rung.budget is not None  # a ladder's rungs have theirs
            low, high = interval(one)
            found.append(
                Point(
                    line=lines[one.label],
                    budget=rung.budget,
                    top1=one.top1,
                    low=low,
                    high=high,
                    seeds=len(one.answers),
                    tie=mark,
                )
            )
    return found


def interval(one: Entry) -> tuple[float, float]:
    """Return a contender's 95 % interval, over its seeds too.

    Where answers are lost it spans the Wilson intervals of the seeds.
    """
    right = one.right
    if right is not None:
        return over_both(right)
    bounds = [wilson(*counts) for counts in one.counts]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def crossings(comparison: Comparison, lines: Mapping[str, str]) -> list[Crossing]:
    """Return where networks change places, the established crossings first."""
    rungs = [_by_lines(rung, lines) for rung in comparison.rungs]
    budgets = [rung.budget for rung in comparison.rungs]
    names = list(dict.fromkeys(lines.values()))
    found: list[Crossing] = []
    for both in combinations(names, 2):
        key = frozenset(both)
        seen = [
            (budget, rung[key])
            for budget, rung in zip(budgets, rungs, strict=True)
            if budget is not None and key in rung
        ]
        found += _changes(seen, lines)
    return sorted(found, key=lambda one: not one.established)


def _by_lines(rung: Comparison, lines: Mapping[str, str]) -> dict[frozenset[str], Pair]:
    return {frozenset((lines[pair.better], lines[pair.worse])): pair for pair in rung.pairs}


def _changes(seen: list[tuple[Budget, Pair]], lines: Mapping[str, str]) -> list[Crossing]:
    """Return the established changes of one pair, or if there are none the ones only seen."""
    proven = [(budget, pair) for budget, pair in seen if pair.separated]
    apart = [(budget, pair) for budget, pair in seen if pair.difference > 0]
    return [
        Crossing(
            ahead=lines[after.better],
            behind=lines[after.worse],
            before=first,
            after=second,
            established=before.separated and after.separated,
            p_before=before.p_holm,
            p_after=after.p_holm,
        )
        for steps in (_turns(proven, lines) or _turns(apart, lines),)
        for (first, before), (second, after) in steps
    ]


def _turns(
    seen: list[tuple[Budget, Pair]], lines: Mapping[str, str]
) -> list[tuple[tuple[Budget, Pair], tuple[Budget, Pair]]]:
    return [(a, b) for a, b in pairwise(seen) if lines[a[1].better] != lines[b[1].better]]


def ladder_data(comparison: Comparison, lines: Mapping[str, str]) -> dict[str, Any]:
    """Return the points and crossings as plain values for `comparison.json`."""
    return {
        "points": [
            {
                "model": point.line,
                "budget": str(point.budget),
                "top1": point.top1,
                "low": point.low,
                "high": point.high,
                "seeds": point.seeds,
                "tie": point.tie,
            }
            for point in points(comparison, lines)
        ],
        "crossings": [
            {
                "ahead": one.ahead,
                "behind": one.behind,
                "after": str(one.before),
                "by": str(one.after),
                "established": one.established,
            }
            for one in crossings(comparison, lines)
        ],
    }
