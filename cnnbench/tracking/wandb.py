"""How do curves get into Weights & Biases?"""

from __future__ import annotations

import shutil
from itertools import groupby
from typing import TYPE_CHECKING

from cnnbench.tracking.numbers import export_id, points, settings

if TYPE_CHECKING:
    from cnnbench.store import RunFolder

_PROJECT = "cnnbench"


def export(run: RunFolder) -> str:
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
