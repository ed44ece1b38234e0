"""How did each cell get on while it trained? Events to arrays, one point an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnbench.schema.events import Evaluated, Event

if TYPE_CHECKING:
    from cnnbench.store import RunFolder

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One cell's evaluations on the curve's split; every array is `(evaluations,)`.

    `top1` is a share in [0, 1]; `train_loss` is the mean since the evaluation before.
    """

    cell: str
    label: str
    seed: int
    split: str
    finished: bool
    epochs: Floats
    seconds: Floats
    images: Floats
    flops: Floats
    correct: Floats
    total: Floats
    top1: Floats
    test_loss: Floats
    train_loss: Floats


def curves(run: RunFolder, names: Mapping[str, str]) -> list[Curve]:
    """Return the curves of the cells that `names` calls by their ids, in plan order.

    A cell that was never evaluated has none.
    """
    plan = run.plan()
    split = plan.dataset.curve_split
    found = (
        curve(run.events(cell), cell=cell.id, label=names[cell.id], seed=cell.seed, split=split)
        for cell in plan.cells
        if cell.id in names
    )
    return [one for one in found if len(one.top1)]


def curve(events: Iterable[Event], *, cell: str, label: str, seed: int, split: str) -> Curve:
    """Reduce one cell's events to its evaluations on a split."""
    kinds: set[str] = set()
    points: list[Evaluated] = []
    for event in events:
        kinds.add(event.kind)
        if isinstance(event, Evaluated) and event.split == split:
            points.append(event)
    return Curve(
        cell=cell,
        label=label,
        seed=seed,
        split=split,
        finished="finished" in kinds,
        epochs=_array(point.spent.epochs for point in points),
        seconds=_array(point.spent.seconds for point in points),
        images=_array(point.spent.images for point in points),
        flops=_array(point.spent.flops for point in points),
        correct=_array(point.correct for point in points),
        total=_array(point.images for point in points),
        top1=_array(point.top1 for point in points),
        test_loss=_array(point.loss for point in points),
        train_loss=_array(point.train_loss for point in points),
    )


def _array(values: Iterable[float]) -> Floats:
    return np.fromiter(values, dtype=np.float64)
