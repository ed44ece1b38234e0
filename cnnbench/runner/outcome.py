"""What is written when a cell has ended, well or badly?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cnnbench.engine.canary import canary_gflops
from cnnbench.engine.state import Training
from cnnbench.engine.train import Scored
from cnnbench.runner.inputs import Inputs
from cnnbench.runner.setting import Job
from cnnbench.schema.budget import Spent
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Evaluated, Failed, Finished
from cnnbench.schema.result import BudgetUsed, Result, Seconds, Status, planned
from cnnbench.store import Predictions

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a training ended that spent its budget; `canary` is the machine's rate at its start."""

    training: Training
    data: Inputs
    headline: Scored
    finished: Finished
    best: Evaluated
    notice: str
    canary: float


def write_success(job: Job, ended: Ended) -> Result:
    """Write the predictions and the result of a cell that spent its budget."""
    event, spent, training = ended.headline.event, ended.finished.spent, ended.training
    evaluation = ended.headline.evaluation
    with job.clock.measure("logging"):
        job.folder.write_predictions(
            Predictions(
                labels=evaluation.labels,
                logits=evaluation.logits,
                names=ended.data.splits[event.split].names,
            )
        )
    result = planned(job.cell).model_copy(
        update={
            "status": "done",
            "reason": ended.notice,
            "split": event.split,
            "test_images": event.images,
            "correct": event.correct,
            "top1": event.top1,
            "top5": event.top5,
            "test_loss": event.loss,
            "train_loss": event.train_loss,
            "best_top1": ended.best.top1,
            "best_progress": ended.best.progress,
            "params": training.params,
            "macs": training.macs,
            "images_per_second": spent.images / spent.seconds,
            "last_lr": ended.finished.last_lr,
            "canary_gflops": (ended.canary, canary_gflops(job.machine)),
            **_used(job, spent, job.machine.peak_memory_bytes()),
        }
    )
    job.folder.write_result(result)
    job.folder.forget_checkpoints()
    return result


def write_failure(job: Job, status: Status, reason: str) -> Result:
    """Write the result of a cell that failed, with what it had spent."""
    events = job.folder.events()
    spent = events[-1].spent if events else Spent()
    peak = job.machine.peak_memory_bytes() if status == "oom" else None
    job.folder.append(Failed(spent=spent, status=status, reason=reason))
    used = _used(job, spent, peak)
    result = planned(job.cell).model_copy(update={"status": status, "reason": reason, **used})
    job.folder.write_result(result)
    if job.folder.is_final():  # what is tried again goes on where it was
        job.folder.forget_checkpoints()
    return result


def _used(job: Job, spent: Spent, peak_memory_bytes: int | None) -> dict[str, Any]:
    budget = job.cell.budget
    used = spent.of(budget.currency)
    return {
        "epochs": spent.epochs,
        "images_seen": spent.images,
        "steps": spent.steps,
        "joules": spent.joules,
        "peak_memory_bytes": peak_memory_bytes,
        "budget": BudgetUsed(currency=budget.currency, limit=budget.limit, used=used),
        "seconds": Seconds(**job.clock.seconds, total=job.clock.total()),
        "machine": job.setting.machine_line or None,
    }


def reason_of(error: Exception, cell: Cell) -> tuple[Status, str]:
    """Return the status and the one line that a row keeps of an error."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in text.lower() for words in OUT_OF_MEMORY
    )
    if memory:
        smaller = max(1, cell.recipe.batch_size // 2)
        return "oom", f"out of memory: {text[:200]}; try --batch-size {smaller}"
    return "failed", f"{type(error).__name__}: {text[:300]}"
