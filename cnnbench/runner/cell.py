"""How does one cell go from its spec to its result?"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

import torch

from cnnbench.data import DataError
from cnnbench.engine import device as machines
from cnnbench.engine.clock import Clock
from cnnbench.engine.device import canary_gflops
from cnnbench.engine.state import Training
from cnnbench.engine.train import CheckpointDue, Scored, evaluated, train
from cnnbench.runner.context import Job, Setting
from cnnbench.runner.gallery import keep_gallery
from cnnbench.runner.inputs import Inputs, evaluate_split, open_inputs, prepare, view_of
from cnnbench.schema.budget import Spent
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Checkpointed, Evaluated, Failed, Finished
from cnnbench.schema.result import BudgetUsed, Result, Seconds, Status, planned
from cnnbench.store import CellFolder, DamagedError, Predictions, StoreError


class Interrupted(Exception):
    """The cell was asked to stop; its checkpoint is on disk."""


def run_cell(cell: Cell, folder: CellFolder, setting: Setting) -> Result:
    """Train a cell, or go on where its checkpoint left it, and write its result.

    A network that cannot be built or trained gives a result with the reason; the traceback goes
    to stderr, which the launcher keeps as `log.txt`.

    Raises:
        DataError: if the dataset is not what the plan saw.
        StoreError: if the disk refuses.
        Interrupted: if `setting.stop_asked` said so; a checkpoint was written.
    """
    machine = machines.Machine(device=torch.device(cell.device), precision=cell.precision)
    clock = Clock(started=setting.started, synchronise=machine.synchronise)
    job = Job(cell=cell, folder=folder, clock=clock, machine=machine, setting=setting)
    try:
        machines.prepare(
            cell.device, cell.precision, threads=setting.threads, memory_bytes=cell.memory_bytes
        )
        return _train_cell(job)
    except DamagedError as error:
        return write_failure(job, "failed", str(error))
    except (DataError, StoreError, Interrupted, KeyboardInterrupt):
        raise
    except Exception as error:
        traceback.print_exc()
        return write_failure(job, *reason_of(error, cell))


def _train_cell(job: Job) -> Result:
    folder, clock = job.folder, job.clock
    canary = canary_gflops(job.machine)
    with clock.measure("build"):
        data = open_inputs(job.cell)
        training = prepare(job, data)
        folder.require_room(training.params)
        checkpoint = folder.load_checkpoint()
        folder.rewind(checkpoint.log_bytes if checkpoint else 0)
    last: Scored | None = None
    for event in train(training, state=checkpoint.state if checkpoint else None):
        if isinstance(event, CheckpointDue):
            _save(job, event)
            continue
        if isinstance(event, Scored):
            last = event
        with clock.measure("logging"):
            folder.append(event.event if isinstance(event, Scored) else event)
        if isinstance(event, Failed):
            return write_failure(job, event.status, event.reason)
        if isinstance(event, Finished):
            assert last is not None
            curve = [e for e in folder.events() if isinstance(e, Evaluated)]
            if not training.curve_is_headline:
                last = _headline(job, training, data, last)
            ended = Ended(
                training=training,
                data=data,
                headline=last,
                finished=event,
                best=max(curve, key=lambda e: e.top1),
                notice=checkpoint.notice if checkpoint else "",
                canary=canary,
            )
            result = write_success(job, ended)
            keep_gallery(
                folder,
                training.model,
                last.evaluation,
                view_of(job, data, last.event.split, macs=training.macs),
            )
            return result
    raise AssertionError("the loop ended without saying how")


def _save(job: Job, event: CheckpointDue) -> None:
    with job.clock.measure("checkpoint"):
        job.folder.save_checkpoint(event.state(), steps=event.spent.steps)
    job.folder.append(Checkpointed(spent=event.spent))
    if event.last:
        raise Interrupted


def _headline(job: Job, training: Training, data: Inputs, last: Scored) -> Scored:
    """Read the test split, once, after the budget is spent."""
    split = data.dataset.headline_split
    with job.clock.measure("eval"):
        found = evaluate_split(job, training.model, data, split, views=job.cell.recipe.test_views)
    event = evaluated(
        found,
        spent=last.event.spent,
        progress=last.event.progress,
        split=split,
        headline=True,
        train_loss=last.event.train_loss,
    )
    job.folder.append(event)
    return Scored(event=event, evaluation=found)


# -- the result -----------------------------------------------------------------------------------

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
