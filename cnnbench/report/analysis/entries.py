"""What did each network of a run answer on the test images, over all its seeds?

An entry is one network with one group of settings. It has a row for each seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cnnbench.base.digests import digest_of
from cnnbench.report.stats.differences import Difference, difference_of, difference_of_counts
from cnnbench.report.stats.intervals import (
    CorrectMask,
    Interval,
    bootstrap_both,
    mean_share,
    over_both,
    wilson,
)
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.foresight import STARVED_EPOCHS
from cnnbench.schema.names import labels, line_names
from cnnbench.schema.result import Row
from cnnbench.store import RunFolder

__all__ = ["entries_of"]

_BOOTSTRAP_SEED = 0  # the same folder gives the same bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """One row with its answers on the test images; None where they were not kept.

    `labels` and `predicted` are `(N,)`: each image's class, and the class that the network found
    most probable. `images_digest` is of the images' names and classes, so that only answers on the
    same images are paired.
    """

    row: Row
    labels: npt.NDArray[np.int64] | None = None
    predicted: npt.NDArray[np.int64] | None = None
    images_digest: str | None = None

    @property
    def is_correct(self) -> npt.NDArray[np.bool_] | None:
        """Which images the network got right, `(N,)`."""
        if self.labels is None or self.predicted is None:
            return None
        return np.asarray(self.labels == self.predicted)

    @property
    def largest_class(self) -> float | None:
        """The share of the test images that the most frequent class has."""
        labels = self.labels
        return None if labels is None else float(np.bincount(labels).max() / len(labels))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One network with one group of settings: its finished rows by seed.

    `planned_seeds` counts the seeds in the plan, finished or not. `line` is the label without the
    budget, which is the same on every rung of a ladder.
    """

    label: str
    answers: Mapping[int, Answers]
    planned_seeds: int = 1
    line: str = ""

    @property
    def several_seeds(self) -> bool:
        """Whether more than one seed finished."""
        return len(self.answers) > 1

    @property
    def rows(self) -> list[Row]:
        """The row of each seed."""
        return [answers.row for answers in self.answers.values()]

    @property
    def counts(self) -> list[tuple[int, int]]:
        """How many test images each seed got right, and of how many."""
        return [(row.correct or 0, row.test_images or 1) for row in self.rows]

    @property
    def top1(self) -> float:
        """The mean over the seeds of the share of test images that were right."""
        return mean_share(self.counts)

    @property
    def test_images(self) -> int:
        """The number of test images, the smallest where seeds differ."""
        return min(total for _, total in self.counts)

    @property
    def epochs(self) -> float | None:
        """How many epochs the seeds saw in the mean; None where that was not recorded."""
        known = [row.epochs for row in self.rows if row.epochs is not None]
        return sum(known) / len(known) if known else None

    @property
    def is_starved(self) -> bool:
        """Whether the network saw too few epochs for its rank to mean anything."""
        from_scratch = all(row.start is None for row in self.rows)
        return from_scratch and self.epochs is not None and self.epochs < STARVED_EPOCHS

    @property
    def images_digest(self) -> str | None:
        """The digest of the test images, or None where seeds differ or no answers were kept."""
        digests = {answers.images_digest for answers in self.answers.values()}
        return digests.pop() if len(digests) == 1 else None

    @cached_property
    def is_correct(self) -> CorrectMask | None:
        """The answers of all seeds, `(S, N)`, or None where they are not on the same images."""
        kept = [mask for each in self.answers.values() if (mask := each.is_correct) is not None]
        return np.stack(kept) if self.images_digest and len(kept) == len(self.answers) else None

    @cached_property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy, for another seed on other images.

        Where the answers are lost it spans the Wilson intervals of the seeds.
        """
        if self.is_correct is not None:
            return over_both(self.is_correct)
        lows, highs = zip(*(wilson(*counts) for counts in self.counts), strict=True)
        return min(lows), max(highs)

    @cached_property
    def bootstrap(self) -> Interval | None:
        """The interval over resampled seeds and images; None for one seed or without answers."""
        if self.is_correct is None or not self.several_seeds:
            return None
        return bootstrap_both(self.is_correct, seed=_BOOTSTRAP_SEED)


def difference_between(a: Entry, b: Entry) -> Difference:
    """Test the difference a - b: on the same images where the answers are kept, else by counts."""
    if a.is_correct is not None and b.is_correct is not None and a.images_digest == b.images_digest:
        return difference_of(a.is_correct, b.is_correct)
    return difference_of_counts(a.counts, b.counts)


def entries_of(run: RunFolder, plan: Plan, rows: Sequence[Row]) -> list[Entry]:
    """Return the finished entries in plan order."""
    names, lines = labels(plan), line_names(plan)
    cells = {cell.id: cell for cell in plan.cells}
    planned = list(names.values())
    answers: dict[str, dict[int, Answers]] = {}
    for row in rows:
        if row.status == "done" and row.correct is not None and row.test_images:
            by_seed = answers.setdefault(names[row.cell], {})
            by_seed[row.seed] = _read_answers(run, cells[row.cell], row)
    return [
        Entry(label=label, answers=by_seed, planned_seeds=planned.count(label), line=lines[label])
        for label, by_seed in answers.items()
    ]


def _read_answers(run: RunFolder, cell: Cell, row: Row) -> Answers:
    predictions = run.predictions(cell)
    if predictions is None or len(predictions.labels) == 0:
        return Answers(row=row)
    return Answers(
        row=row,
        labels=predictions.labels,
        predicted=predictions.logits.argmax(axis=1),
        images_digest=digest_of([predictions.names, predictions.labels.tolist()]),
    )
