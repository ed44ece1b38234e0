"""How did each cell get on while it trained: its curve, and when it reached a target?"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from cnnbench.schema.budget import Spent
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import WINDOW_IMAGES, Evaluated, Event, Started, Stepped, Window
from cnnbench.store import RunFolder

TRAINING_ERROR = 0.25  # figure 1 of the AlexNet paper

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One cell's evaluations on the curve's split; every array is `(evaluations,)`.

    `images` counts the training images so far, `total` those it was tested on. `top1` is a share
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
    points = [event for event in events if isinstance(event, Evaluated) and event.split == split]
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


# -- targets --------------------------------------------------------------------------------------


class TimeToAccuracy(BaseModel, frozen=True):
    """When a cell first reached the target on the curve's split.

    `spent` is what it had spent at that evaluation, None for a miss, and `before` at the one
    before it: the target was passed in between. `best_top1` is the best of all evaluations.
    """

    label: str
    seed: int
    spent: Spent | None
    before: Spent | None
    best_top1: float | None


def times_to_accuracy(
    run: RunFolder, names: Mapping[str, str], target: float
) -> list[TimeToAccuracy]:
    """Return for every cell of a run when it first reached `target`, in plan order."""
    plan = run.plan()
    split = plan.dataset.curve_split
    return [
        time_to_accuracy(run.events(c), target, split=split, label=names[c.id], seed=c.seed)
        for c in plan.cells
    ]


def time_to_accuracy(
    events: Iterable[Event], target: float, *, split: str, label: str, seed: int
) -> TimeToAccuracy:
    """Return when a cell's evaluations on a split first reached `target`, a share in (0, 1]."""
    before = spent = best = None
    for event in events:
        if isinstance(event, Started) and before is None:
            before = event.spent
        if not isinstance(event, Evaluated) or event.split != split:
            continue
        best = max(best or 0.0, event.top1)
        if spent is None and event.top1 >= target:
            spent = event.spent
        elif spent is None:
            before = event.spent
    return TimeToAccuracy(label=label, seed=seed, spent=spent, before=before, best_top1=best)


@dataclass(frozen=True, kw_only=True, slots=True)
class Racer:
    """How many steps a cell took to 25 % training error; None for a miss or where none is known."""

    label: str
    seed: int
    steps: int | None
    measured: bool


def race(run: RunFolder, names: Mapping[str, str]) -> list[Racer]:
    """Return for every cell the first window of images whose training error is low enough."""
    return [
        steps_to_training_error(run.events(cell), label=names[cell.id], seed=cell.seed)
        for cell in run.plan().cells
    ]


def steps_to_training_error(events: Iterable[Event], *, label: str, seed: int) -> Racer:
    """Return the steps at the end of the first window with at most 25 % training error.

    The answers are those given while training, with its augmentation and dropout. A log that is
    shorter than one window measures nothing.
    """
    stepped = [e for e in events if isinstance(e, Stepped) and e.train_top1 is not None]
    windows = [window for event in stepped for window in event.windows] or _summed_up(stepped)
    arrived = (w.steps for w in windows if w.correct >= (1 - TRAINING_ERROR) * w.images)
    return Racer(label=label, seed=seed, steps=next(arrived, None), measured=bool(windows))


def _summed_up(stepped: Sequence[Stepped]) -> list[Window]:
    """Cut the answers of a log without windows at every so many images.

    Its intervals are what a machine did in a second: a short one is right enough by luck. Where
    one spans a cut, its answers are shared out evenly.
    """
    images = np.cumsum([0, *(event.images for event in stepped)])
    answers = [(event.train_top1 or 0.0) * event.images for event in stepped]
    cuts = np.arange(0, images[-1] + 1, WINDOW_IMAGES)
    correct = np.diff(np.interp(cuts, images, np.cumsum([0.0, *answers])))
    steps = np.interp(cuts, images, [0, *(event.spent.steps for event in stepped)])[1:]
    return [
        Window(steps=math.ceil(end), correct=round(right), images=WINDOW_IMAGES)
        for end, right in zip(steps, correct, strict=True)
    ]
