"""How do curves get into MLflow?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cnnbench.tracking.numbers import export_id, points, settings

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell
    from cnnbench.store import RunFolder

_AT_ONCE = 1000  # metrics that MLflow takes in one batch
_START = 1  # milliseconds; MLflow takes 0 for "now"
_CELL_TAG = "cnnbench.cell"


def export(run: RunFolder) -> str:
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
