"""Which networks of a run can be told apart on the same test images, and which cannot?

A contender is one network with one group of settings; it has a row for each seed. Two contenders
are separated only if every seed they share says so, in the same direction: the largest of the
seeds' p-values counts. Seeds are not pooled, because they are tested on the same images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnbench.report.stats import (
    ALPHA,
    discordant_if_independent,
    fisher,
    holm,
    images_needed,
    letters,
    mcnemar,
    tie_groups,
    wilson,
)
from cnnbench.schema.cell import digest_of

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell, Plan
    from cnnbench.schema.result import Row
    from cnnbench.store import RunFolder

MOST_COMPARED = 60  # more contenders than a reader, or a picture, can take in


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """One row with its answers on the test images, where they were kept.

    `right` is `(N,)`: which images the network got right; `images` is a digest of their names and
    labels, so that only answers on the same images are paired.
    """

    row: Row
    right: npt.NDArray[np.bool_] | None
    images: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One network with one group of settings: its finished rows by seed."""

    label: str
    answers: Mapping[int, Answers]

    @property
    def top1(self) -> float:
        """The mean over the seeds of the share of test images that were right."""
        return float(np.mean([_top1(one.row) for one in self.answers.values()]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two contenders, the more accurate one first, and what is known of their difference.

    `p` is the largest over the shared seeds, `p_holm` the same after Holm's correction over all
    pairs of the run. `paired` is False where a row has no answers on the same images and only its
    counts could be compared.
    """

    better: str
    worse: str
    difference: float
    discordant: float
    p: float
    p_holm: float
    images: int
    needed: int | None
    paired: bool

    @property
    def separated(self) -> bool:
        """Whether the difference is established at the 5 % level."""
        return self.p_holm < ALPHA


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The finished contenders, best first, every pair of them, and who is tied with whom.

    `groups` are ranks that cannot be told apart, as the largest such groups. `left_out` counts
    the finished contenders after the best sixty, which are in the table only.
    `largest_class` is the share of the test images that the most frequent class has: the accuracy
    of a network that always names that class; None where no answers were kept.
    """

    contenders: tuple[Contender, ...]
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[int, ...], ...]
    largest_class: float | None
    left_out: int

    @property
    def letter(self) -> dict[str, str]:
        """The letters of the groups that each row is in, by the id of its cell."""
        marks = letters(len(self.contenders), self.groups)
        return {
            one.row.cell: mark
            for contender, mark in zip(self.contenders, marks, strict=True)
            for one in contender.answers.values()
        }

    def above_chance(self, contender: Contender) -> bool:
        """Tell whether every seed is right more often than always naming the largest class."""
        if self.largest_class is None:
            return True
        return all(
            wilson(one.row.correct or 0, one.row.test_images or 1)[0] > self.largest_class
            for one in contender.answers.values()
        )


def labels(plan: Plan) -> dict[str, str]:
    """Name every cell of a plan by its model and by the settings that vary within that model.

    The seed is left out: cells that differ in the seed alone are one contender.
    """
    settings = {cell.id: _settings(cell) for cell in plan.cells}
    values: dict[tuple[str, str], set[str]] = {}
    for cell in plan.cells:
        for key, value in settings[cell.id].items():
            values.setdefault((cell.model, key), set()).add(value)
    return {
        cell.id: " ".join(
            [cell.model]
            + [f"{k} {v}" for k, v in settings[cell.id].items() if len(values[cell.model, k]) > 1]
        )
        for cell in plan.cells
    }


def _settings(cell: Cell) -> dict[str, str]:
    """Flatten all that decides a cell's result, apart from its model and its seed."""
    kept = cell.model_dump(mode="json", exclude={"version", "model", "seed", "budget", "recipe"})
    recipe = cell.recipe.model_dump(mode="json")
    values = {"recipe": recipe.pop("name"), "budget": str(cell.budget)} | recipe | kept
    return {
        key.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in values.items()
    }


def compare(run: RunFolder, rows: Sequence[Row]) -> Comparison:
    """Compare every pair of finished contenders of a run on the same test images."""
    plan = run.plan()
    names = labels(plan)
    cells = {cell.id: cell for cell in plan.cells}
    table: dict[str, dict[int, Answers]] = {}
    largest: list[float] = []
    for row in rows:
        if row.status == "done" and row.correct is not None and row.test_images:
            answers, share = _answers(run, cells[row.cell], row)
            table.setdefault(names[row.cell], {})[row.seed] = answers
            largest += [] if share is None else [share]
    contenders = [Contender(label=label, answers=answers) for label, answers in table.items()]
    contenders.sort(key=lambda one: -one.top1)
    compared = contenders[:MOST_COMPARED]
    pairs = _pairs(compared)
    return Comparison(
        contenders=tuple(compared),
        pairs=tuple(pairs),
        groups=tuple(_groups(compared, pairs)),
        largest_class=max(largest, default=None),
        left_out=len(contenders) - len(compared),
    )


def _groups(contenders: Sequence[Contender], pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    rank = {one.label: index for index, one in enumerate(contenders)}
    separated = [(rank[pair.better], rank[pair.worse]) for pair in pairs if pair.separated]
    return tie_groups(len(contenders), separated)


def _answers(run: RunFolder, cell: Cell, row: Row) -> tuple[Answers, float | None]:
    kept = run.predictions(cell)
    if kept is None or len(kept.labels) == 0:
        return Answers(row=row, right=None, images=None), None
    right = kept.logits.argmax(axis=1) == kept.labels
    share = float(np.bincount(kept.labels).max() / len(kept.labels))
    images = digest_of([kept.names, kept.labels.tolist()])
    return Answers(row=row, right=right, images=images), share


def _pairs(contenders: Sequence[Contender]) -> list[Pair]:
    both = list(combinations(contenders, 2))
    drafts = [_difference(better, worse) for better, worse in both]
    corrected = holm([draft.p for draft in drafts])
    return [
        Pair(
            better=better.label,
            worse=worse.label,
            difference=draft.difference,
            discordant=draft.discordant,
            p=draft.p,
            p_holm=p_holm,
            images=draft.images,
            needed=images_needed(draft.difference, draft.discordant, comparisons=len(both)),
            paired=draft.paired,
        )
        for (better, worse), draft, p_holm in zip(both, drafts, corrected, strict=True)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Difference:
    difference: float
    discordant: float
    p: float
    images: int
    paired: bool


def _difference(better: Contender, worse: Contender) -> _Difference:
    seeds = sorted(better.answers.keys() & worse.answers.keys())
    tests = [_one_seed(better.answers[seed], worse.answers[seed]) for seed in seeds]
    if not tests:  # no seed in common, so nothing that differs in the network alone
        return _Difference(difference=0.0, discordant=1.0, p=1.0, images=0, paired=False)
    return _Difference(
        difference=float(np.mean([test.difference for test in tests])),
        discordant=float(np.mean([test.discordant for test in tests])),
        p=max(test.p if test.difference > 0 else 1.0 for test in tests),
        images=min(test.images for test in tests),
        paired=all(test.paired for test in tests),
    )


def _one_seed(a: Answers, b: Answers) -> _Difference:
    difference = _top1(a.row) - _top1(b.row)
    images = min(a.row.test_images or 0, b.row.test_images or 0)
    if a.right is not None and b.right is not None and a.images == b.images:
        return _Difference(
            difference=difference,
            discordant=float(np.mean(a.right != b.right)),
            p=mcnemar(a.right, b.right),
            images=images,
            paired=True,
        )
    a_top1, b_top1 = _top1(a.row), _top1(b.row)
    a_total, b_total = a.row.test_images or 1, b.row.test_images or 1
    return _Difference(
        difference=difference,
        discordant=discordant_if_independent(a_top1, b_top1),
        p=fisher(a.row.correct or 0, a_total, b.row.correct or 0, b_total),
        images=images,
        paired=False,
    )


def _top1(row: Row) -> float:
    return (row.correct or 0) / (row.test_images or 1)
