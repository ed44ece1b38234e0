"""How does one cell go from its spec to its result?"""

from __future__ import annotations

import traceback

import torch

from cnnbench.data.errors import DataError
from cnnbench.engine import machine as machines
from cnnbench.engine.canary import canary_gflops
from cnnbench.engine.clock import Clock
from cnnbench.engine.state import Training
from cnnbench.engine.train import CheckpointDue, Scored, evaluated, train
from cnnbench.runner.inputs import Inputs, evaluate_split, open_inputs, prepare, view_of
from cnnbench.runner.looking import keep_gallery
from cnnbench.runner.outcome import Ended, reason_of, write_failure, write_success
from cnnbench.runner.setting import Job, Setting
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Checkpointed, Evaluated, Failed, Finished
from cnnbench.schema.result import Result
from cnnbench.store import CellFolder, DamagedError, StoreError


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
