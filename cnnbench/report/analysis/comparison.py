"""Which networks of a run can be told apart on the same test images, and which cannot?

A contender is one network with one group of settings; it has a row for each seed, and all its seeds
are compared together. Where a plan trains several networks under several budgets, a ladder, only
contenders of the same budget are compared; all pairs of the run share one correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnbench.base.digests import digest_of
from cnnbench.report.analysis.pairs import Pair, groups_of, pairs_of
from cnnbench.report.stats.intervals import letters, wilson
from cnnbench.report.stats.seeds import bootstrap_both, over_both
from cnnbench.schema.names import labels, line_names

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

    entries: tuple[Entry, ...]
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
            marks = letters(len(rung.entries), rung.groups)
            for entry, mark in zip(rung.entries, marks, strict=True):
                found |= {one.row.cell: mark for one in entry.answers.values()}
        return found

    def above_chance(self, entry: Entry) -> bool:
        """Tell whether a network is shown to be better than always naming the largest class.

        The interval for another seed on other images decides; where the answers were not kept,
        each seed's own.
        """
        if self.largest_class is None:
            return True
        if entry.right is not None:
            return over_both(entry.right)[0] > self.largest_class
        return all(wilson(*counts)[0] > self.largest_class for counts in entry.counts)


def is_ladder(plan: Plan) -> bool:
    """Tell whether a plan trains several networks under several budgets."""
    return len({cell.budget for cell in plan.cells}) > 1 < len({cell.model for cell in plan.cells})


def compare(run: RunFolder, rows: Sequence[Row]) -> Comparison:
    """Compare the finished contenders of a run on the same test images.

    On a ladder the answer is the comparison under the largest budget, which holds the others.
    """
    plan = run.plan()
    entries, largest_class = entries_of(run, plan, rows)
    budgets: list[Budget | None] = [None]
    rungs = [entries]
    if is_ladder(plan):
        budgets = [*sorted({cell.budget for cell in plan.cells}, key=_rung_order)]
        rung_of = {label: cell.budget for label, cell in _cells_by_label(plan).items()}
        rungs = [[one for one in entries if rung_of[one.label] == b] for b in budgets]
    return compare_rungs(rungs, budgets=budgets, largest_class=largest_class)


def compare_rungs(
    rungs: Sequence[Sequence[Entry]],
    *,
    budgets: Sequence[Budget | None],
    largest_class: float | None,
) -> Comparison:
    """Compare the contenders of every rung among each other; the last rung is returned."""
    ranked = [sorted(rung, key=lambda one: -one.top1) for rung in rungs]
    compared = [rung[:MOST_COMPARED] for rung in ranked]
    found = [
        Comparison(
            entries=tuple(rung),
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
        entries=last.entries,
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


# -- entries and their answers --------------------------------------------------------------------
# A contender is one network with one group of settings; it has a row for each seed.

_BOOTSTRAP_SEED = 0  # the same folder gives the same bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """One row with its answers on the test images, where they were kept.

    `truth` and `said` are `(N,)`: each image's class, and the one that the network found most
    probable. `images` is a digest of names and classes, so that only answers on the same images
    are paired.
    """

    row: Row
    truth: npt.NDArray[np.int64] | None
    said: npt.NDArray[np.int64] | None
    images: str | None

    @property
    def right(self) -> npt.NDArray[np.bool_] | None:
        """Which images the network got right, `(N,)`."""
        return None if self.truth is None or self.said is None else self.truth == self.said


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One network with one group of settings: its finished rows by seed.

    `asked` is the number of seeds in the plan, finished or not; `line` is the label without the
    budget, which is the same on every rung of a ladder.
    """

    label: str
    answers: Mapping[int, Answers]
    asked: int = 1
    line: str = ""

    @property
    def top1(self) -> float:
        """The mean over the seeds of the share of test images that were right."""
        return float(np.mean([correct / total for correct, total in self.counts]))

    @property
    def counts(self) -> list[tuple[int, int]]:
        """How many test images each seed got right, and of how many."""
        rows = [one.row for one in self.answers.values()]
        return [(row.correct or 0, row.test_images or 1) for row in rows]

    @property
    def test_images(self) -> int:
        """The number of test images, the smallest where seeds differ."""
        return min(total for _, total in self.counts)

    @property
    def images(self) -> str | None:
        """The digest of the test images, or None where seeds differ or no answers were kept."""
        found = {one.images for one in self.answers.values()}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def right(self) -> npt.NDArray[np.bool_] | None:
        """The answers of all seeds, `(S, N)`, or None where they are not on the same images."""
        kept = [one.right for one in self.answers.values() if one.right is not None]
        together = self.images is not None and len(kept) == len(self.answers)
        return np.stack(kept) if together else None

    @cached_property
    def bootstrap(self) -> tuple[float, float] | None:
        """The interval over resampled seeds and images; None for one seed or without answers."""
        if self.right is None or len(self.right) == 1:
            return None
        return bootstrap_both(self.right, seed=_BOOTSTRAP_SEED)


def entries_of(run: RunFolder, plan: Plan, rows: Sequence[Row]) -> tuple[list[Entry], float | None]:
    """Return the finished contenders in plan order, and the share of the largest class."""
    names = labels(plan)
    cells = {cell.id: cell for cell in plan.cells}
    asked, lines = list(names.values()), line_names(plan)
    table: dict[str, dict[int, Answers]] = {}
    largest: list[float] = []
    for row in rows:
        if row.status == "done" and row.correct is not None and row.test_images:
            answers, share = read_answers(run, cells[row.cell], row)
            table.setdefault(names[row.cell], {})[row.seed] = answers
            largest += [] if share is None else [share]
    entries = [
        Entry(label=label, answers=answers, asked=asked.count(label), line=lines[label])
        for label, answers in table.items()
    ]
    return entries, max(largest, default=None)


def read_answers(run: RunFolder, cell: Cell, row: Row) -> tuple[Answers, float | None]:
    """Return a row's answers, and the share of its images that the most frequent class has."""
    kept = run.predictions(cell)
    if kept is None or len(kept.labels) == 0:
        return Answers(row=row, truth=None, said=None, images=None), None
    said = kept.logits.argmax(axis=1)
    share = float(np.bincount(kept.labels).max() / len(kept.labels))
    images = digest_of([kept.names, kept.labels.tolist()])
    return Answers(row=row, truth=kept.labels, said=said, images=images), share
