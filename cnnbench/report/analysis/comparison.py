"""Which networks of a run can be told apart on the same test images, and which cannot?

All seeds of an entry are compared together. Where a plan trains several networks under several
budgets, a ladder, only entries of the same budget are compared; all pairs of the run share one
correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from operator import attrgetter
from typing import Any

import numpy as np

from cnnbench.report.analysis.entries import Entry, difference_between, entries_of
from cnnbench.report.analysis.machines import ALIKE, Machines, machines_of
from cnnbench.report.analysis.rows import grouped
from cnnbench.report.stats.differences import Decision, Difference, decide
from cnnbench.report.stats.intervals import over_images, over_seeds, spread_of
from cnnbench.report.stats.power import images_needed, images_needed_with_seeds
from cnnbench.report.stats.significance import letters, tie_groups
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Plan
from cnnbench.schema.names import labels
from cnnbench.schema.result import Row
from cnnbench.store import RunFolder

MOST_COMPARED = 60  # more entries than a reader, or a picture, can take in


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two entries, the more accurate one first, and what is decided of their difference.

    Every section of a report reads this one decision, corrected over all pairs of the run. `needed`
    is how many test images would separate them, or None where no number would.
    """

    better: str
    worse: str
    decision: Decision
    seeds: tuple[int, int]
    needed: int | None

    @property
    def test(self) -> Difference:
        """What is known of the difference."""
        return self.decision.test

    @property
    def separated(self) -> bool:
        """Whether the difference is established at the 5 % level."""
        return self.decision.separated


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The finished entries, best first, every pair of them, and which are tied.

    `ties` are the largest groups of ranks that cannot be told apart. `left_out` counts the finished
    entries after the best sixty, which are in the table only.
    `largest_class` is the share of the test images that the most frequent class has: the accuracy
    of a network that always names that class; None where no answers were kept. On a ladder
    `budget` is the rung, the largest one, and `smaller` has the other rungs, smallest first.

    Where `machines` withhold the ranks, the entries stand as planned and no pair is tested.
    """

    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    ties: tuple[tuple[int, ...], ...]
    largest_class: float | None
    left_out: int
    budget: Budget | None = None
    smaller: tuple[Comparison, ...] = ()
    machines: Machines = ALIKE

    @property
    def rungs(self) -> tuple[Comparison, ...]:
        """The comparisons of all budgets, the smallest first; one where there is no ladder."""
        return (*self.smaller, self)

    @property
    def lettered(self) -> list[tuple[Entry, str]]:
        """The entries, best first, each with its letters: entries that share a letter are tied."""
        return list(zip(self.entries, letters(len(self.entries), self.ties), strict=True))

    @property
    def letter(self) -> dict[str, str]:
        """The letters of each row on every rung, by the id of its cell; none if withheld."""
        if self.machines.are_withheld:
            return {}
        lettered = [pair for rung in self.rungs for pair in rung.lettered]
        return {row.cell: tied for entry, tied in lettered for row in entry.rows}

    @property
    def starved(self) -> list[Entry]:
        """The entries that saw too little to be ranked, under the largest budget.

        Where the budget is what varies, a network is as well fed as its best-fed entry.
        """
        lines = grouped(self.entries, lambda entry: entry.line or entry.label)
        return [
            entry
            for of_line in lines.values()
            if all(entry.is_starved for entry in of_line)
            for entry in of_line
        ]

    def without(self, entries: Sequence[Entry]) -> Comparison:
        """Leave some of the entries out; what is decided of the others stays as it is."""
        dropped = {entry.label for entry in entries}
        kept = tuple(entry for entry in self.entries if entry.label not in dropped)
        pairs = tuple(p for p in self.pairs if not {p.better, p.worse} & dropped)
        return replace(self, entries=kept, pairs=pairs, ties=tuple(_ties_of(kept, pairs)))


# -- from a run to its comparison ------------------------------------------------------------------


def is_ladder(plan: Plan) -> bool:
    """Tell whether a plan trains several networks under several budgets."""
    return len({cell.budget for cell in plan.cells}) > 1 < len({cell.name for cell in plan.cells})


def compare(run: RunFolder, rows: Sequence[Row]) -> Comparison:
    """Compare the finished entries of a run on the same test images.

    On a ladder the answer is the comparison under the largest budget, which holds the others.
    """
    plan = run.plan()
    names, entries = labels(plan), entries_of(run, plan, rows)
    machines = machines_of(run, rows, names)
    if not is_ladder(plan):
        return compare_rungs([entries], budgets=[None], machines=machines)
    budgets = sorted({cell.budget for cell in plan.cells}, key=attrgetter("currency", "limit"))
    budget_of = {names[cell.id]: cell.budget for cell in plan.cells}
    rungs = [[entry for entry in entries if budget_of[entry.label] == b] for b in budgets]
    return compare_rungs(rungs, budgets=budgets, machines=machines)


def compare_rungs(
    rungs: Sequence[Sequence[Entry]],
    *,
    budgets: Sequence[Budget | None],
    machines: Machines = ALIKE,
) -> Comparison:
    """Compare the entries of every rung among each other; the last rung is returned."""
    withheld = machines.are_withheld
    answers = [kept for rung in rungs for entry in rung for kept in entry.answers.values()]
    shares = [kept.largest_class for kept in answers]
    ranked = [rung if withheld else sorted(rung, key=lambda entry: -entry.top1) for rung in rungs]
    compared = [rung[:MOST_COMPARED] for rung in ranked]
    pairs_of = [[] for _ in compared] if withheld else _pairs_of(compared)
    comparisons = [
        Comparison(
            entries=tuple(entries),
            pairs=tuple(pairs),
            ties=() if withheld else tuple(_ties_of(entries, pairs)),
            largest_class=max((share for share in shares if share is not None), default=None),
            left_out=len(rung) - len(entries),
            budget=budget,
            machines=machines,
        )
        for rung, entries, pairs, budget in zip(ranked, compared, pairs_of, budgets, strict=True)
    ]
    return replace(comparisons[-1], smaller=tuple(comparisons[:-1]))


def _ties_of(entries: Sequence[Entry], pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    rank = {entry.label: index for index, entry in enumerate(entries)}
    separated = [(rank[pair.better], rank[pair.worse]) for pair in pairs if pair.separated]
    return tie_groups(len(entries), separated)


def _pairs_of(rungs: Sequence[Sequence[Entry]]) -> list[list[Pair]]:
    """Test every pair within each rung and decide the pairs of all rungs together.

    Each rung is sorted, best first.
    """
    pairs = [list(combinations(rung, 2)) for rung in rungs]
    decisions = decide([difference_between(*pair) for of_rung in pairs for pair in of_rung])
    decided, comparisons = iter(decisions), len(decisions)
    return [[_pair(*pair, next(decided), comparisons) for pair in of_rung] for of_rung in pairs]


def _pair(better: Entry, worse: Entry, decision: Decision, comparisons: int) -> Pair:
    return Pair(
        better=better.label,
        worse=worse.label,
        decision=decision,
        seeds=(len(better.answers), len(worse.answers)),
        needed=_needed(decision, comparisons),
    )


def _needed(decision: Decision, comparisons: int) -> int | None:
    """Return how many images would separate a pair; where it is tied, more than there were."""
    test = decision.test
    if test.several_seeds:
        needed = images_needed_with_seeds(test, comparisons=comparisons)
    else:
        needed = images_needed(test.difference, test.discordant, comparisons=comparisons)
    return needed if needed is None or decision.separated else max(needed, test.n_images + 1)


# -- comparison.json -------------------------------------------------------------------------------


def comparison_data(comparison: Comparison) -> list[dict[str, Any]]:
    """Return every group and pair of every rung as plain values for `comparison.json`."""
    return [
        {
            "budget": None if rung.budget is None else str(rung.budget),
            "groups": [_entry_data(entry) for entry in rung.entries],
            "pairs": [_pair_data(pair) for pair in rung.pairs],
            "ties": [[rung.entries[rank].label for rank in group] for group in rung.ties],
        }
        for rung in comparison.rungs
    ]


def _entry_data(entry: Entry) -> dict[str, Any]:
    shares = [correct / total for correct, total in entry.counts]
    data: dict[str, Any] = {
        "label": entry.label,
        "cells": [row.cell for row in entry.rows],
        "seeds": list(entry.answers),
        "seeds_asked": entry.planned_seeds,
        "top1_by_seed": shares,
        "top1_mean": entry.top1,
        "top1_deviation": float(np.std(shares, ddof=1)) if entry.several_seeds else None,
        "test_images": entry.test_images,
        "epochs": entry.epochs,
        "starved": entry.is_starved,
    }
    if entry.is_correct is None:
        return data
    spread = spread_of(entry.is_correct)
    return data | {
        "interval": entry.interval,
        "interval_seeds": over_seeds(entry.is_correct),
        "interval_images": over_images(entry.is_correct),
        "interval_bootstrap": entry.bootstrap,
        "variance_images": spread.image_variance,
        "variance_seeds": spread.seed_variance,
        "variance_residual": spread.residual_variance,
    }


def _pair_data(pair: Pair) -> dict[str, Any]:
    test = pair.test
    low, high = pair.decision.interval
    return {
        "better": pair.better,
        "worse": pair.worse,
        "difference": test.difference,
        "low": low,
        "high": high,
        "discordant": test.discordant,
        "p_networks": test.p_networks,
        "p": test.p,
        "p_holm": pair.decision.p_holm,
        "separated": pair.separated,
        "images": test.n_images,
        "seeds": pair.seeds,
        "needed_images": pair.needed,
        "paired": test.paired,
    }
