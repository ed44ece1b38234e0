"""How do a run's curves get into other programs? After the fact, from the events on disk."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnbench.base.digests import digest_of
from cnnbench.base.words import first_line

if TYPE_CHECKING:  # `cnnbench --help` shows the trackers and needs none of these
    from cnnbench.schema.cell import Cell
    from cnnbench.schema.events import Event
    from cnnbench.store import RunFolder

__all__ = ["TrackError", "Tracker", "track"]


class Tracker(StrEnum):
    """The programs that curves can be exported to; each is an extra of the same name."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class TrackError(Exception):
    """The curves could not be exported; the run and its report are untouched."""


def track(run: RunFolder, tracker: Tracker) -> str:
    """Export every cell's curves and return where they are; doing it again adds nothing.

    Raises:
        TrackError: if the package is missing, or for whatever it runs into, such as a server
            that does not answer.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is ours: it may be a JSON document
            return _EXPORTERS[tracker](run)
    except ImportError:
        raise TrackError(
            f"--track {tracker} needs a package that is not installed; "
            f"pip install 'cnnbench[{tracker}]'"
        ) from None
    except Exception as error:  # other people's programs fail in their own ways
        raise TrackError(f"{tracker}: {first_line(error)[:300]}") from error


# -- what is exported -----------------------------------------------------------------------------


class Point(NamedTuple):
    """One number of a curve, after so many images and charged seconds."""

    tag: str
    value: float
    images: int
    seconds: float


def points(events: Iterable[Event]) -> Iterator[Point]:
    """Yield every number of a cell's log that is finite."""
    for event in events:
        for tag, value in _numbers(event):
            if math.isfinite(value):
                yield Point(tag, value, event.spent.images, event.spent.seconds)


def _numbers(event: Event) -> Iterator[tuple[str, float]]:
    if event.kind == "stepped":
        yield "train/loss", event.train_loss
        yield "train/lr", event.lr
        yield "train/images_per_second", event.images_per_second
    elif event.kind == "evaluated":
        yield f"{event.split}/top1", event.top1
        yield f"{event.split}/top5", event.top5
        yield f"{event.split}/loss", event.loss


def _export_id(run: RunFolder, cell: Cell) -> str:
    """Name a cell of this very folder, so that another folder's export is never replaced."""
    return f"{cell.id}-{digest_of(str(run.path.resolve()))}"


def _settings(cell: Cell) -> dict[str, str]:
    """Return what a cell was trained with, flat: `recipe.lr`, `budget`, `seed`."""
    kept = cell.model_dump(mode="json", exclude={"version", "recipe", "budget"})
    recipe = cell.recipe.model_dump(mode="json")
    flat = kept | {f"recipe.{key}": value for key, value in recipe.items()}
    return {key: str(value) for key, value in flat.items()} | {"budget": str(cell.budget)}


# -- TensorBoard ----------------------------------------------------------------------------------


def _export_to_tensorboard(run: RunFolder) -> str:
    """Write `tensorboard/<cell>/` into the run folder, anew, and return its path.

    The step is the number of images seen, the relative time the charged seconds.
    """
    from tensorboard.compat.proto.event_pb2 import Event as Record
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    home = run.path / "tensorboard"
    if home.exists():
        shutil.rmtree(home)
    for cell in run.plan().cells:
        writer = EventFileWriter(str(home / cell.id))
        for point in points(run.events(cell)):
            summary = Summary(value=[Summary.Value(tag=point.tag, simple_value=point.value)])
            record = Record(wall_time=point.seconds, step=point.images, summary=summary)
            writer.add_event(record)
        writer.close()
    return str(home)


# -- MLflow ---------------------------------------------------------------------------------------

_BATCH_SIZE = 1000  # metrics that MLflow takes at once
_START = 1  # milliseconds; MLflow takes 0 for "now"
_CELL_TAG = "cnnbench.cell"


def _export_to_mlflow(run: RunFolder) -> str:
    """Log one MLflow run a cell and return the tracking server's address.

    The address is `MLFLOW_TRACKING_URI`, or else `mlflow.db` in the run folder. The experiment has
    the run folder's name; a cell that was logged before is replaced. The step is the number of
    images seen, the time the charged seconds.
    """
    from mlflow.tracking import MlflowClient

    home, files = run.path.resolve(), None
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        address, files = f"sqlite:///{home}/mlflow.db", (home / "mlruns").as_uri()
    client = MlflowClient(tracking_uri=address)
    known = client.get_experiment_by_name(home.name)
    experiment = known.experiment_id if known else client.create_experiment(home.name, files)
    for cell in run.plan().cells:
        key = _export_id(run, cell)
        for old in client.search_runs([experiment], f"tags.`{_CELL_TAG}` = '{key}'"):
            client.delete_run(old.info.run_id)
        if run.result(cell).status != "planned":
            _log_to_mlflow(client, experiment, run, cell)
    return address


def _log_to_mlflow(client: Any, experiment: str, run: RunFolder, cell: Cell) -> None:
    from mlflow.entities import Metric, Param

    tags = {_CELL_TAG: _export_id(run, cell)}
    started = client.create_run(experiment, run_name=cell.id, tags=tags, start_time=_START)
    run_id = started.info.run_id
    params = [Param(key, value) for key, value in _settings(cell).items()]
    client.log_batch(run_id, params=params)
    metrics = [
        Metric(point.tag, point.value, _milliseconds(point.seconds), point.images)
        for point in points(run.events(cell))
    ]
    for start in range(0, len(metrics), _BATCH_SIZE):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH_SIZE])
    result = run.result(cell)
    client.set_tag(run_id, "cnnbench.status", result.status)
    if result.status != "running":
        status = "FINISHED" if result.status == "done" else "FAILED"
        end = _milliseconds(result.seconds.total or result.seconds.train or 0.0)
        client.set_terminated(run_id, status=status, end_time=end)


def _milliseconds(seconds: float) -> int:
    return _START + int(1000 * seconds)


# -- Weights & Biases -----------------------------------------------------------------------------

_PROJECT = "cnnbench"


def _export_to_wandb(run: RunFolder) -> str:
    """Log one W&B run a cell, in a group of the run folder's name, and return the project.

    W&B itself knows who is logged in, and whether `WANDB_MODE` is `offline`; offline runs lie in
    the run folder's `wandb`. A cell has the same id each time, so that it is replaced and not
    repeated. The step is the number of images seen; `seconds` is the charged time.
    """
    import wandb

    group = run.path.resolve().name
    for cell in run.plan().cells:
        result, key = run.result(cell), _export_id(run, cell)
        for old in (run.path / "wandb").glob(f"offline-run-*-{key}"):
            shutil.rmtree(old)
        if result.status == "planned":
            continue
        logged = wandb.init(
            project=_PROJECT,
            group=group,
            id=key,
            name=cell.id,
            dir=str(run.path),
            config=_settings(cell),
            settings=wandb.Settings(silent=True, console="off"),
        )
        in_order = sorted(points(run.events(cell)), key=lambda point: point.images)
        for n_images, together in groupby(in_order, key=lambda point: point.images):
            values: dict[str, float] = {}
            for point in together:
                values |= {point.tag: point.value, "seconds": point.seconds}
            logged.log(values, step=n_images)
        logged.summary["status"] = result.status
        logged.finish(exit_code=0 if result.status == "done" else 1)
    return f"{_PROJECT}, group {group}"


_EXPORTERS = {
    Tracker.TENSORBOARD: _export_to_tensorboard,
    Tracker.MLFLOW: _export_to_mlflow,
    Tracker.WANDB: _export_to_wandb,
}
