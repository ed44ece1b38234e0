"""Which classes does each network know, and which does it take for which?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnnbench.report.sections.section import Section
from cnnbench.report.stats.intervals import score_interval
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import percent, span

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.report.analysis.entries import Entry
    from cnnbench.store import RunFolder


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
    for entry in comparison.entries:
        counts, seeds = np.zeros((classes, classes), dtype=np.int64), 0
        for one in entry.answers.values():
            if one.truth is None or one.predicted is None:
                continue
            if max(one.truth.max(), one.predicted.max()) < classes:
                np.add.at(counts, (one.truth, one.predicted), 1)
                seeds += 1
        if seeds:
            found.append(Confusion(label=entry.label, seeds=seeds, counts=counts))
    return found


def failures_section(run: RunFolder, comparison: Comparison) -> list[Section]:
    """Return the section on groups of test images, if the data has them."""
    table = failure_table(run, comparison)
    return [] if table is None else [Section(title="Where they fail", table=table, note=NOTE)]


# -- groups of test images ------------------------------------------------------------------------

SLICES_FILE = "slices.json"
FEWEST_IMAGES = 10
_NORMAL_975 = 1.959964
NOTE = (
    "Top-1 in per cent, with Wilson's 95 % interval over the images of a group; with several seeds "
    "the mean over them. The groups overlap, and so many intervals are not corrected: read them as "
    "hints where to look, not as findings."
)


def failure_table(run: RunFolder, comparison: Comparison) -> Table | None:
    """Return right answers by group of test images, or None where no groups are known.

    Groups of fewer than ten images are left out.
    """
    groups = _groups(run)
    entries = [one for one in comparison.entries if one.right is not None]
    if not groups or not entries:
        return None
    lines = [
        (name, str(len(places)), *(_share(one, places) for one in entries))
        for name, places in groups.items()
        if len(places) >= FEWEST_IMAGES
    ]
    header = ("test images", "n", *(one.label for one in entries))
    return Table(header=header, align="lr" + "r" * len(entries), rows=tuple(lines))


def _groups(run: RunFolder) -> dict[str, list[int]]:
    path = run.path / SLICES_FILE
    if not path.exists():
        return {}
    stored: dict[str, Any] = json.loads(path.read_bytes())
    return {str(name): [int(i) for i in places] for name, places in stored["slices"].items()}


def _share(one: Entry, places: list[int]) -> str:
    right = np.asarray(one.right, dtype=np.float64)  # (seeds, images)
    if max(places) >= right.shape[1]:
        return ""
    share = float(right[:, places].mean())
    low, high = score_interval(share, len(places), _NORMAL_975)
    return f"{percent(share)} ({span(low, high)})"
