"""How do curves get into MLflow?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cnnbench.tracking.numbers import points, settings

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell
    from cnnbench.store import RunFolder

_AT_ONCE = 1000  # metrics that MLflow takes in one batch
_CELL_TAG = "cnnbench.cell"


def export(run: RunFolder) -> str:
    """Log one MLflow run a cell and return the tracking server's address.

    It is `MLFLOW_TRACKING_URI`, or else `mlflow.db` in the run folder. The experiment bears the run
    folder's name; a cell that was logged before is replaced. The step is the number of images
    seen, the time the charged seconds.
    """
    from mlflow.tracking import MlflowClient

    address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{run.path.resolve()}/mlflow.db"
    client = MlflowClient(tracking_uri=address)
    name = run.path.resolve().name
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    for cell in run.plan().cells:
        for old in client.search_runs([experiment], f"tags.`{_CELL_TAG}` = '{cell.id}'"):
            client.delete_run(old.info.run_id)
        _log(client, experiment, run, cell)
    return address


def _log(client: Any, experiment: str, run: RunFolder, cell: Cell) -> None:
    from mlflow.entities import Metric, Param

    started = client.create_run(
        experiment, run_name=cell.id, tags={_CELL_TAG: cell.id}, start_time=0
    )
    logged = started.info.run_id
    params = [Param(key, value) for key, value in settings(cell).items()]
    client.log_batch(logged, params=params)
    found = list(points(run.events(cell)))
    for start in range(0, len(found), _AT_ONCE):
        batch = found[start : start + _AT_ONCE]
        metrics = [Metric(p.tag, p.value, int(1000 * p.seconds), p.images) for p in batch]
        client.log_batch(logged, metrics=metrics)
    result = run.result(cell)
    client.set_tag(logged, "cnnbench.status", result.status)
    client.set_terminated(
        logged,
        status="FINISHED" if result.status == "done" else "FAILED",
        end_time=int(1000 * result.seconds.total),
    )
