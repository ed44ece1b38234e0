"""Which numbers of a cell are exported, under which names?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from cnnbench.schema.cell import digest_of
from cnnbench.schema.events import Evaluated, Event, Stepped

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell
    from cnnbench.store import RunFolder


class Point(NamedTuple):
    """One number of a curve, after so many images and charged seconds."""

    tag: str
    value: float
    images: int
    seconds: float


def points(events: Iterable[Event]) -> Iterator[Point]:
    """Yield every number of a cell's log that is finite."""
    for event in events:
        images, seconds = event.spent.images, event.spent.seconds
        for tag, value in _numbers(event):
            if math.isfinite(value):
                yield Point(tag, value, images, seconds)


def _numbers(event: Event) -> Iterator[tuple[str, float]]:
    if isinstance(event, Stepped):
        yield "train/loss", event.train_loss
        yield "train/lr", event.lr
        yield "train/images_per_second", event.images_per_second
    elif isinstance(event, Evaluated):
        yield f"{event.split}/top1", event.top1
        yield f"{event.split}/top5", event.top5
        yield f"{event.split}/loss", event.loss


def export_id(run: RunFolder, cell: Cell) -> str:
    """Return what names a cell of this very run folder: another folder's is never replaced."""
    return f"{cell.id}-{digest_of(str(run.path.resolve()))}"


def settings(cell: Cell) -> dict[str, str]:
    """Return what a cell was trained with, flat: `recipe.lr`, `budget`, `seed`."""
    kept = cell.model_dump(mode="json", exclude={"version", "recipe", "budget"})
    recipe = cell.recipe.model_dump(mode="json")
    flat = kept | {f"recipe.{key}": value for key, value in recipe.items()}
    return {key: str(value) for key, value in flat.items()} | {"budget": str(cell.budget)}
