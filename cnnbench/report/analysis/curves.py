"""How did each cell get on while it trained? Events to arrays, one point an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Evaluated, Event
from cnnbench.store import RunFolder

__all__ = ["Curve", "Floats", "curves"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One cell's evaluations on the curve's split; every array is `(evaluations,)`.

    `images` counts the training images so far, `total` the images of the split. `top1` is a share
    in [0, 1]; `train_loss` is the mean since the evaluation before.
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
    cells = [cell for cell in plan.cells if cell.id in names]
    every = (
        _curve(cell, run.events(cell), label=names[cell.id], split=plan.dataset.curve_split)
        for cell in cells
    )
    return [curve for curve in every if len(curve.top1)]


def _curve(cell: Cell, events: Sequence[Event], *, label: str, split: str) -> Curve:
    """Reduce one cell's events to its evaluations on a split."""
    evaluated = (event for event in events if isinstance(event, Evaluated))
    points = [event for event in evaluated if event.split == split]
    return Curve(
        cell=cell.id,
        label=label,
        seed=cell.seed,
        split=split,
        finished=any(event.kind == "finished" for event in events),
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
