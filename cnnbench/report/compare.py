"""Which networks of a run can be told apart on the same test images, and which cannot?

A contender is one network with one group of settings; it has a row for each seed, and all its seeds
are compared together. Where a plan trains several networks under several budgets, a ladder, only
contenders of the same budget are compared; all pairs of the run share one correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnbench.report.contenders import Contender, contenders_of, labels
from cnnbench.report.pairs import Pair, groups_of, pairs_of
from cnnbench.report.seeds import over_both
from cnnbench.report.stats import letters, wilson

if TYPE_CHECKING:
    from cnnbench.schema.budget import Budget
    from cnnbench.schema.cell import Cell, Plan
    from cnnbench.schema.result import Row
    from cnnbench.store import RunFolder

MOST_COMPARED = 60  # more contenders than a reader, or a picture, can take in


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The finished contenders, best first, every pair of them, and who is tied with whom.

    `groups` are ranks that cannot be told apart, as the largest such groups. `left_out` counts
    the finished contenders after the best sixty, which are in the table only.
    `largest_class` is the share of the test images that the most frequent class has: the accuracy
    of a network that always names that class; None where no answers were kept. On a ladder
    `budget` is the rung, the largest one, and `smaller` has the other rungs, smallest first.
    """

    contenders: tuple[Contender, ...]
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[int, ...], ...]
    largest_class: float | None
    left_out: int
    budget: Budget | None = None
    smaller: tuple[Comparison, ...] = ()

    @property
    def rungs(self) -> tuple[Comparison, ...]:
        """The comparisons of all budgets, the smallest first; one where there is no ladder."""
        return (*self.smaller, self)

    @property
    def letter(self) -> dict[str, str]:
        """The letters of the groups that each row is in, by the id of its cell."""
        found: dict[str, str] = {}
        for rung in self.rungs:
            marks = letters(len(rung.contenders), rung.groups)
            for contender, mark in zip(rung.contenders, marks, strict=True):
                found |= {one.row.cell: mark for one in contender.answers.values()}
        return found

    def above_chance(self, contender: Contender) -> bool:
        """Tell whether a network is shown to be better than always naming the largest class.

        The interval for another seed on other images decides; where the answers were not kept,
        each seed's own.
        """
        if self.largest_class is None:
            return True
        if contender.right is not None:
            return over_both(contender.right)[0] > self.largest_class
        return all(wilson(*counts)[0] > self.largest_class for counts in contender.counts)


def is_ladder(plan: Plan) -> bool:
    """Tell whether a plan trains several networks under several budgets."""
    return len({cell.budget for cell in plan.cells}) > 1 < len({cell.model for cell in plan.cells})


def compare(run: RunFolder, rows: Sequence[Row]) -> Comparison:
    """Compare the finished contenders of a run on the same test images.

    On a ladder the answer is the comparison under the largest budget, which holds the others.
    """
    plan = run.plan()
    contenders, largest_class = contenders_of(run, plan, rows)
    budgets: list[Budget | None] = [None]
    rungs = [contenders]
    if is_ladder(plan):
        budgets = [*sorted({cell.budget for cell in plan.cells}, key=_rung_order)]
        rung_of = {label: cell.budget for label, cell in _cells_by_label(plan).items()}
        rungs = [[one for one in contenders if rung_of[one.label] == b] for b in budgets]
    return compare_rungs(rungs, budgets=budgets, largest_class=largest_class)


def compare_rungs(
    rungs: Sequence[Sequence[Contender]],
    *,
    budgets: Sequence[Budget | None],
    largest_class: float | None,
) -> Comparison:
    """Compare the contenders of every rung among each other; the last rung is returned."""
    ranked = [sorted(rung, key=lambda one: -one.top1) for rung in rungs]
    compared = [rung[:MOST_COMPARED] for rung in ranked]
    found = [
        Comparison(
            contenders=tuple(rung),
            pairs=tuple(pairs),
            groups=tuple(groups_of(rung, pairs)),
            largest_class=largest_class,
            left_out=len(everyone) - len(rung),
            budget=budget,
        )
        for everyone, rung, pairs, budget in zip(
            ranked, compared, pairs_of(compared), budgets, strict=True
        )
    ]
    last = found[-1]
    return Comparison(
        contenders=last.contenders,
        pairs=last.pairs,
        groups=last.groups,
        largest_class=last.largest_class,
        left_out=last.left_out,
        budget=last.budget,
        smaller=tuple(found[:-1]),
    )


def _rung_order(budget: Budget) -> tuple[str, float]:
    return budget.currency.value, budget.limit


def _cells_by_label(plan: Plan) -> dict[str, Cell]:
    names = labels(plan)
    return {names[cell.id]: cell for cell in plan.cells}
