"""How do curves get into MLflow?"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnbench.base.digests import digest_of
from cnnbench.schema.events import Evaluated, Event, Stepped

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell
    from cnnbench.store import RunFolder


_AT_ONCE = 1000  # metrics that MLflow takes in one batch
_START = 1  # milliseconds; MLflow takes 0 for "now"
_CELL_TAG = "cnnbench.cell"


def export_to_mlflow(run: RunFolder) -> str:
    """Log one MLflow run a cell and return the tracking server's address.

    It is `MLFLOW_TRACKING_URI`, or else `mlflow.db` in the run folder. The experiment bears the run
    folder's name; a cell that was logged before is replaced. The step is the number of images
    seen, the time the charged seconds.
    """
    from mlflow.tracking import MlflowClient

    home, files = run.path.resolve(), None
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        address, files = f"sqlite:///{home}/mlflow.db", (home / "mlruns").as_uri()
    client = MlflowClient(tracking_uri=address)
    name = home.name
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name, files)
    for cell in run.plan().cells:
        key = export_id(run, cell)
        for old in client.search_runs([experiment], f"tags.`{_CELL_TAG}` = '{key}'"):
            client.delete_run(old.info.run_id)
        if run.result(cell).status != "planned":
            _log(client, experiment, run, cell)
    return address


def _log(client: Any, experiment: str, run: RunFolder, cell: Cell) -> None:
    from mlflow.entities import Metric, Param

    tags = {_CELL_TAG: export_id(run, cell)}
    started = client.create_run(experiment, run_name=cell.id, tags=tags, start_time=_START)
    logged = started.info.run_id
    params = [Param(key, value) for key, value in settings(cell).items()]
    client.log_batch(logged, params=params)
    found = list(points(run.events(cell)))
    for start in range(0, len(found), _AT_ONCE):
        batch = found[start : start + _AT_ONCE]
        metrics = [Metric(p.tag, p.value, _time(p.seconds), p.images) for p in batch]
        client.log_batch(logged, metrics=metrics)
    result = run.result(cell)
    client.set_tag(logged, "cnnbench.status", result.status)
    if result.status != "running":
        status = "FINISHED" if result.status == "done" else "FAILED"
        client.set_terminated(logged, status=status, end_time=_time(result.seconds.total))


def _time(seconds: float) -> int:
    return _START + int(1000 * seconds)


# -- numbers and names ----------------------------------------------------------------------------


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


# -- TensorBoard ----------------------------------------------------------------------------------


def export_to_tensorboard(run: RunFolder) -> str:
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


# -- Weights & Biases -----------------------------------------------------------------------------

_PROJECT = "cnnbench"


def export_to_wandb(run: RunFolder) -> str:
    """Log one W&B run a cell, in a group of the run folder's name, and return the project.

    Who is logged in, and whether `WANDB_MODE` is `offline`, is W&B's own affair; offline runs lie
    in the run folder's `wandb`. The step is the number of images seen. A cell has the same id each
    time, so that it is replaced and not repeated; `seconds` is the charged time.
    """
    import wandb

    group = run.path.resolve().name
    for cell in run.plan().cells:
        result, key = run.result(cell), export_id(run, cell)
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
            config=settings(cell),
            settings=wandb.Settings(silent=True, console="off"),
        )
        found = sorted(points(run.events(cell)), key=lambda point: point.images)
        for images, together in groupby(found, key=lambda point: point.images):
            values: dict[str, float] = {}
            for point in together:
                values |= {point.tag: point.value, "seconds": point.seconds}
            logged.log(values, step=images)
        logged.summary["status"] = result.status
        logged.finish(exit_code=0 if result.status == "done" else 1)
    return f"{_PROJECT}, group {group}"
