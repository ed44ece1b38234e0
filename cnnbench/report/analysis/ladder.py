"""How does accuracy grow with the budget, and where do two networks change places?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from cnnbench.report.analysis.comparison import Comparison, Pair
from cnnbench.report.analysis.rows import grouped
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
    starved: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """Two networks change places between two rungs.

    `established` says that both orders are, the one before and the one after. Otherwise `p_before`
    and `p_after` say how far from it they are.
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
    return [
        Point(
            line=lines[entry.label],
            budget=rung.budget,
            top1=entry.top1,
            low=entry.interval[0],
            high=entry.interval[1],
            seeds=len(entry.answers),
            tie=letters,
            starved=entry.is_starved,
        )
        for rung in comparison.rungs
        if rung.budget is not None
        for entry, letters in rung.lettered
    ]


def crossings(comparison: Comparison, lines: Mapping[str, str]) -> list[Crossing]:
    """Return where networks change places, the established crossings first."""
    rungs = [(rung.budget, pair) for rung in comparison.rungs if rung.budget for pair in rung.pairs]
    pairs_of = grouped(rungs, lambda rung: frozenset((lines[rung[1].better], lines[rung[1].worse])))
    every = [
        crossing
        for networks in combinations(dict.fromkeys(lines.values()), 2)
        for crossing in _crossings_of(pairs_of.get(frozenset(networks), []), lines)
    ]
    return sorted(every, key=lambda crossing: not crossing.established)


def _crossings_of(pairs: Sequence[tuple[Budget, Pair]], lines: Mapping[str, str]) -> list[Crossing]:
    """Return the established changes of two networks, or if there are none the ones only seen."""
    established = [(budget, pair) for budget, pair in pairs if pair.separated]
    seen = [(budget, pair) for budget, pair in pairs if pair.test.difference > 0]
    return _changes(established, lines) or _changes(seen, lines)


def _changes(pairs: Sequence[tuple[Budget, Pair]], lines: Mapping[str, str]) -> list[Crossing]:
    return [
        Crossing(
            ahead=lines[after.better],
            behind=lines[after.worse],
            before=smaller,
            after=larger,
            established=before.separated and after.separated,
            p_before=before.decision.p_holm,
            p_after=after.decision.p_holm,
        )
        for (smaller, before), (larger, after) in pairwise(pairs)
        if lines[before.better] != lines[after.better]
    ]


def ladder_data(comparison: Comparison, lines: Mapping[str, str]) -> dict[str, Any]:
    """Return the points and crossings as plain values for `comparison.json`."""
    return {
        "points": [
            {"model": point.line, "budget": str(point.budget)}
            | {
                key: getattr(point, key)
                for key in ("top1", "low", "high", "seeds", "tie", "starved")
            }
            for point in points(comparison, lines)
        ],
        "crossings": [
            {
                "ahead": crossing.ahead,
                "behind": crossing.behind,
                "after": str(crossing.before),
                "by": str(crossing.after),
                "established": crossing.established,
            }
            for crossing in crossings(comparison, lines)
        ],
    }
