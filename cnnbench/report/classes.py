"""Which classes does each network know, and which does it take for which?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cnnbench.report.compare import Comparison

MOST_CLASSES_AS_MATRIX = 24  # a wider matrix is not read any more; its mix-ups are listed
MOST_MIXUPS = 8

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """What one contender answered: `counts[truth, answer]`, summed over its seeds."""

    label: str
    seeds: int
    counts: Counts

    @property
    def images(self) -> Counts:
        """The test images of each class, `(C,)`, once for every seed."""
        return np.asarray(self.counts.sum(axis=1))

    @property
    def right(self) -> Counts:
        """How many of them were named right, `(C,)`."""
        return np.asarray(np.diagonal(self.counts))

    def mixups(self, limit: int = MOST_MIXUPS) -> list[tuple[int, int, int]]:
        """Return the most frequent (truth, answer, count) among the wrong answers."""
        wrong = self.counts - np.diag(np.diagonal(self.counts))
        order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
        pairs = [divmod(int(place), len(wrong)) for place in order]
        return [
            (truth, said, int(wrong[truth, said])) for truth, said in pairs if wrong[truth, said]
        ]


def confusions(comparison: Comparison, *, classes: int) -> list[Confusion]:
    """Count the answers of every finished contender, best first; those that kept none are left out.

    Answers outside the plan's `classes` are left out too.
    """
    found = []
    for contender in comparison.contenders:
        counts, seeds = np.zeros((classes, classes), dtype=np.int64), 0
        for one in contender.answers.values():
            if one.truth is None or one.said is None:
                continue
            if max(one.truth.max(), one.said.max()) < classes:
                np.add.at(counts, (one.truth, one.said), 1)
                seeds += 1
        if seeds:
            found.append(Confusion(label=contender.label, seeds=seeds, counts=counts))
    return found
