"""Which classes does each network know, which does it take for which, and where does it fail?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.sections import Grid, Paragraph, RunReport, Section
from cnnbench.report.stats.intervals import quantile, score_interval
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, percent, span
from cnnbench.store import RunFolder

MOST_CLASSES_AS_MATRIX = 24  # a wider matrix is not read any more; its mix-ups are listed
_MOST_MATRICES = 12
_MOST_MIXUPS = 8
_NOTE = (
    "Of the test images of each class, the share that each network named right, in per cent. With "
    "few images a class these numbers are coarse."
)

Counts = npt.NDArray[np.int64]


def section(report: RunReport) -> Section | None:
    """Show the accuracy class by class and who takes what for what."""
    classes = report.plan.dataset.classes
    counted = confusions(report.comparison, classes=len(classes))
    if not counted:
        return None
    table = per_class_table(counted, classes)
    return Section(
        title="Class by class",
        anchor="classes",
        menu="Class by class",
        blocks=[Paragraph(_NOTE, note=True), Grid(table, "Right answers by class", filtered=True)],
        template="classes.html.jinja",
        content={
            "classes": classes,
            "confusions": counted[:_MOST_MATRICES],
            "as_matrix": len(classes) <= MOST_CLASSES_AS_MATRIX,
        },
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """What one entry answered: `counts[label, prediction]`, summed over its seeds."""

    label: str
    seeds: int
    counts: Counts

    @property
    def n_images(self) -> Counts:
        """The test images of each class, `(C,)`, once for every seed."""
        return np.asarray(self.counts.sum(axis=1))

    @property
    def correct(self) -> Counts:
        """How many of them were named right, `(C,)`."""
        return np.asarray(np.diagonal(self.counts))

    @property
    def shades(self) -> Counts:
        """Every count in per cent of its class, `(C, C)`."""
        return np.round(100 * self.counts / np.maximum(1, self.n_images)[:, None]).astype(np.int64)

    def mixups(self, limit: int = _MOST_MIXUPS) -> list[tuple[int, int, int]]:
        """Return the most frequent (label, prediction, count) among the wrong answers."""
        wrong = self.counts - np.diag(self.correct)
        order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
        pairs = [divmod(int(place), len(wrong)) for place in order]
        counted = [(*pair, int(wrong[pair])) for pair in pairs]
        return [mixup for mixup in counted if mixup[2]]


def confusions(comparison: Comparison, *, classes: int) -> list[Confusion]:
    """Count the answers of every finished entry, best first; those that kept none are left out.

    Answers outside the plan's `classes` are left out too.
    """
    counted = []
    for entry in comparison.entries:
        counts, seeds = np.zeros((classes, classes), dtype=np.int64), 0
        for answers in entry.answers.values():
            if answers.labels is None or answers.predicted is None:
                continue
            if max(answers.labels.max(), answers.predicted.max()) < classes:
                np.add.at(counts, (answers.labels, answers.predicted), 1)
                seeds += 1
        if seeds:
            counted.append(Confusion(label=entry.label, seeds=seeds, counts=counts))
    return counted


def per_class_table(counted: Sequence[Confusion], classes: Sequence[str]) -> Table:
    """Return right answers in per cent, a class a line and an entry a column."""
    lines = []
    for index, name in enumerate(classes):
        n_images = int(counted[0].n_images[index]) // counted[0].seeds
        shares = [_share(int(c.correct[index]), int(c.n_images[index])) for c in counted]
        lines.append((name, str(n_images), *shares))
    header = ("class", "test images", *(f"{confusion.label} %" for confusion in counted))
    return Table(header=header, align="l" + "r" * (len(header) - 1), rows=tuple(lines))


def _share(correct: int, n_images: int) -> str:
    return percent(correct / n_images, digits=0) if n_images else NOTHING


# -- groups of test images ------------------------------------------------------------------------

SLICES_FILE = "slices.json"  # a slice is a group of test images that share a difficulty
FEWEST_IMAGES = 10
_SLICES_NOTE = (
    "Top-1 in per cent, with Wilson's 95 % interval over the images of a group; with several seeds "
    "the mean over them. The groups overlap, and so many intervals are not corrected: read them as "
    "hints where to look, not as findings."
)


def slices_section(report: RunReport) -> Section | None:
    """Show the accuracy on groups of test images, if the data has them."""
    table = slices_table(report.run, report.comparison)
    if table is None:
        return None
    note = Paragraph(_SLICES_NOTE, note=True)
    return Section(title="Where they fail", blocks=[Grid(table), note])


def slices_table(run: RunFolder, comparison: Comparison) -> Table | None:
    """Return right answers by group of test images, or None where no groups are known.

    Groups of fewer than ten images are left out.
    """
    slices = _slices(run)
    entries = [entry for entry in comparison.entries if entry.is_correct is not None]
    if not slices or not entries:
        return None
    lines = [
        (name, str(len(places)), *(_share_of_slice(entry, places) for entry in entries))
        for name, places in slices.items()
        if len(places) >= FEWEST_IMAGES
    ]
    header = ("test images", "n", *(entry.label for entry in entries))
    return Table(header=header, align="lr" + "r" * len(entries), rows=tuple(lines))


def _slices(run: RunFolder) -> dict[str, list[int]]:
    path = run.path / SLICES_FILE
    if not path.exists():
        return {}
    stored: dict[str, Any] = json.loads(path.read_bytes())
    return {str(name): [int(i) for i in places] for name, places in stored["slices"].items()}


def _share_of_slice(entry: Entry, places: Sequence[int]) -> str:
    is_correct = np.asarray(entry.is_correct, dtype=np.float64)  # (seeds, images)
    if max(places) >= is_correct.shape[1]:
        return ""
    share = float(is_correct[:, places].mean())
    low, high = score_interval(share, len(places), quantile(0.975))
    return f"{percent(share)} ({span(low, high)})"
