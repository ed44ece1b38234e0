"""Which networks of a run are compared, what are they called, and what did each answer?

A contender is one network with one group of settings; it has a row for each seed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnbench.report.seeds import bootstrap_both
from cnnbench.schema.cell import digest_of

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell, Plan
    from cnnbench.schema.result import Row
    from cnnbench.store import RunFolder

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
class Contender:
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


def labels(plan: Plan, *, apart: Collection[str] = ()) -> dict[str, str]:
    """Name every cell of a plan by its model and by the settings that vary within that model.

    The seed is left out: cells that differ in the seed alone are one contender. `apart` leaves out
    more settings, such as `budget` for the lines of a ladder.
    """
    settings = {cell.id: settings_of(cell, apart=apart) for cell in plan.cells}
    values: dict[tuple[str, str], set[str]] = {}
    for cell in plan.cells:
        for key, value in settings[cell.id].items():
            values.setdefault((cell.model, key), set()).add(value)
    return {
        cell.id: " ".join(
            [cell.model]
            + [
                f"at {value}" if key == "budget" else f"{key} {value}"
                for key, value in settings[cell.id].items()
                if len(values[cell.model, key]) > 1
            ]
        )
        for cell in plan.cells
    }


def line_names(plan: Plan) -> dict[str, str]:
    """Return by the label of a contender the name of its line, which leaves the budget out."""
    full, lines = labels(plan), labels(plan, apart={"budget"})
    return {full[cell.id]: lines[cell.id] for cell in plan.cells}


def settings_of(cell: Cell, *, apart: Collection[str] = ()) -> dict[str, str]:
    """Flatten all that decides a cell's result, apart from its model, its seed and `apart`."""
    kept = cell.model_dump(mode="json", exclude={"version", "model", "seed", "budget", "recipe"})
    recipe = cell.recipe.model_dump(mode="json")
    values = {"recipe": recipe.pop("name"), "budget": str(cell.budget)} | recipe | kept
    return {
        key.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in values.items()
        if key.replace("_", " ") not in apart
    }


def contenders_of(
    run: RunFolder, plan: Plan, rows: Sequence[Row]
) -> tuple[list[Contender], float | None]:
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
    contenders = [
        Contender(label=label, answers=answers, asked=asked.count(label), line=lines[label])
        for label, answers in table.items()
    ]
    return contenders, max(largest, default=None)


def read_answers(run: RunFolder, cell: Cell, row: Row) -> tuple[Answers, float | None]:
    """Return a row's answers, and the share of its images that the most frequent class has."""
    kept = run.predictions(cell)
    if kept is None or len(kept.labels) == 0:
        return Answers(row=row, truth=None, said=None, images=None), None
    said = kept.logits.argmax(axis=1)
    share = float(np.bincount(kept.labels).max() / len(kept.labels))
    images = digest_of([kept.names, kept.labels.tolist()])
    return Answers(row=row, truth=kept.labels, said=said, images=images), share
