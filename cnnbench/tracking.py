"""How do a run's curves get into TensorBoard? After the fact, from the events on disk."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.schema.events import Evaluated, Event, Stepped

if TYPE_CHECKING:
    from cnnbench.store import RunFolder

Point = tuple[str, float, int, float]  # tag, value, images seen, charged seconds


class TrackError(Exception):
    """The curves could not be exported; the run and its report are untouched."""


def points(events: list[Event]) -> Iterator[Point]:
    """Yield every number of a cell's log as (tag, value, images seen, charged seconds)."""
    for event in events:
        images, seconds = event.spent.images, event.spent.seconds
        if isinstance(event, Stepped):
            yield "train/loss", event.train_loss, images, seconds
            yield "train/lr", event.lr, images, seconds
            yield "train/images_per_second", event.images_per_second, images, seconds
        elif isinstance(event, Evaluated):
            yield f"{event.split}/top1", event.top1, images, seconds
            yield f"{event.split}/top5", event.top5, images, seconds
            yield f"{event.split}/loss", event.loss, images, seconds


def to_tensorboard(run: RunFolder) -> Path:
    """Write `tensorboard/<cell>/` into the run folder, anew, and return its path.

    The step is the number of images seen, the relative time the charged seconds. A value that is
    not finite is left out.

    Raises:
        TrackError: if the package is missing or the folder cannot be written.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event as Record
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise TrackError(
            "--track tensorboard needs a package that is not installed; "
            "pip install 'cnnbench[track]'"
        ) from None
    home = run.path / "tensorboard"
    try:
        shutil.rmtree(home, ignore_errors=True)
        for cell in run.plan().cells:
            writer = EventFileWriter(str(home / cell.id))
            for tag, value, step, seconds in points(run.events(cell)):
                if math.isfinite(value):
                    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                    writer.add_event(Record(wall_time=seconds, step=step, summary=summary))
            writer.close()
    except OSError as error:
        raise TrackError(f"{home} cannot be written: {error.strerror or error}") from error
    return home
