"""How do curves get into Weights & Biases?"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from cnnbench.tracking.numbers import points, settings

if TYPE_CHECKING:
    from cnnbench.store import RunFolder

_PROJECT = "cnnbench"


def export(run: RunFolder) -> str:
    """Log one W&B run a cell, in a group of the run folder's name, and return the project.

    Who is logged in, and whether `WANDB_MODE` is `offline`, is W&B's own affair; offline runs lie
    in the run folder's `wandb`. The step is the number of images seen. A cell has the same id each
    time, so that it is replaced and not repeated.
    """
    import wandb

    group = run.path.resolve().name
    for cell in run.plan().cells:
        logged = wandb.init(
            project=_PROJECT,
            group=group,
            id=cell.id,
            name=cell.id,
            dir=str(run.path),
            config=settings(cell),
            settings=wandb.Settings(silent=True, console="off"),
        )
        found = sorted(points(run.events(cell)), key=lambda point: point.images)
        for images, together in groupby(found, key=lambda point: point.images):
            logged.log({point.tag: point.value for point in together}, step=images)
        result = run.result(cell)
        logged.summary["status"] = result.status
        logged.finish(exit_code=0 if result.status == "done" else 1)
    return f"{_PROJECT}, group {group}"
