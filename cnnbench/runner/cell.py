"""How does one cell go from its spec to its result?"""

import traceback
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cnnbench.base.words import escape_bytes, first_line
from cnnbench.data import DataError
from cnnbench.engine.clock import Clock
from cnnbench.engine.device import canary_gflops, origin_of, prepare_device
from cnnbench.engine.evaluate import Evaluation
from cnnbench.engine.ranks import has_lost_neighbour
from cnnbench.engine.state import Training
from cnnbench.engine.train import CheckpointDue, Scored, train
from cnnbench.runner.devices import whole_network
from cnnbench.runner.gallery import write_cell_gallery
from cnnbench.runner.head import head_training
from cnnbench.runner.inputs import (
    CellContext,
    Inputs,
    evaluate_split,
    evaluate_training_sample,
    open_inputs,
    prepare_training,
)
from cnnbench.runner.keep import keep_network
from cnnbench.schema.budget import Spent
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Checkpointed, Evaluated, Failed, Finished, origins_of
from cnnbench.schema.origin import continued_words, origin_fields
from cnnbench.schema.result import Result, Seconds, Status, planned, usage
from cnnbench.store import DamagedError, Predictions, StoreError

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class Interrupted(Exception):
    """The cell was asked to stop; its checkpoint is on disk."""


class NeighbourLost(Exception):
    """Another of the processes that train the cell is gone; this one has done nothing wrong."""


def run_cell(context: CellContext) -> Result:
    """Train a cell, or go on where its checkpoint left it, and write its result.

    A network that cannot be built or trained gives a result with the reason; the traceback goes
    to stderr, which the launcher keeps as `log.txt`.

    Raises:
        DataError: if the dataset is not what the plan saw.
        StoreError: if the disk refuses.
        Interrupted: if `context.should_stop` said so; a checkpoint was written.
        NeighbourLost: if one of several ranks is gone.
    """
    cell = context.cell
    try:
        prepare_device(
            context.device,
            threads=context.threads,
            memory_bytes=cell.memory_bytes,
            deterministic=cell.deterministic,
        )
        return _train_cell(context)
    except DamagedError as error:
        return write_failure(context, "failed", str(error))
    except (DataError, StoreError, Interrupted, KeyboardInterrupt):
        raise
    except Exception as error:
        if context.ranks.count > 1 and has_lost_neighbour(error):
            raise NeighbourLost from error
        traceback.print_exc()
        return write_failure(context, *failure_reason(error, cell))


def _train_cell(context: CellContext) -> Result:
    folder, clock = context.folder, context.clock
    canary = canary_gflops(context.device)
    with clock.measure("build"):
        inputs = open_inputs(context.cell, context.typed, beat=folder.beat)
        training = prepare_training(context, inputs)
        folder.require_room(training.params, keeps=context.keeps)
        folder.forget_network()  # of an attempt that was killed before its result
        checkpoint = folder.load_checkpoint()
        folder.rewind(checkpoint.log_bytes if checkpoint else 0)
    network = training.model
    if context.cell.train == "head":
        training = head_training(context, inputs, training, resumed=checkpoint is not None)
    last: Scored | None = None
    for event in train(training, checkpoint=checkpoint.state if checkpoint else None):
        if isinstance(event, CheckpointDue):
            _save_checkpoint(context, event)
            continue
        if isinstance(event, Failed):
            return write_failure(context, event.status, event.reason, spent=event.spent)
        if isinstance(event, Scored):
            last = event
        with clock.measure("logging"):
            folder.append(event.event if isinstance(event, Scored) else event)
    assert last is not None
    assert isinstance(event, Finished)  # a loop that was asked to stop raised Interrupted
    network = whole_network(network, context.device, context.cell, len(inputs.dataset.classes))
    curve = [logged for logged in folder.events() if isinstance(logged, Evaluated)]
    headline = _headline(context, training, network, inputs, last)
    with clock.measure("eval"):
        memorised = evaluate_training_sample(context, network, inputs)
    if context.keeps:
        with clock.measure("checkpoint"):
            keep_network(context, inputs, training, network, headline=headline, spent=event.spent)
    result = write_success(
        context,
        training,
        inputs,
        headline=headline,
        memorised=memorised,
        best=best_of(curve),
        finished=event,
        notice=checkpoint.notice if checkpoint else "",
        canary=canary,
    )
    return _write_gallery(context, inputs, network, headline, result)


def best_of(curve: Sequence[Evaluated]) -> Evaluated:
    """Return the best evaluation, and of equal ones the last: an earlier one was no better.

    Only those on as many images as the last count: the best of several small samples is luck.
    """
    comparable = [evaluated for evaluated in curve if evaluated.images == curve[-1].images]
    return max(reversed(comparable), key=lambda evaluated: evaluated.top1)


def _write_gallery(
    context: CellContext, inputs: Inputs, network: nn.Module, headline: Scored, result: Result
) -> Result:
    """Add the pictures to a cell whose result is on disk, and what they took to that result."""
    with context.clock.measure("gallery"):
        write_cell_gallery(context, inputs, network, headline, macs=result.macs or 0)
    result = result.model_copy(update={"seconds": _seconds(context.clock)})
    context.folder.write_result(result)
    return result


def _save_checkpoint(context: CellContext, event: CheckpointDue) -> None:
    with context.clock.measure("checkpoint"):
        context.folder.save_checkpoint(event.state(), steps=event.spent.steps)
    context.folder.append(Checkpointed(spent=event.spent))
    if event.last:
        raise Interrupted


def _headline(
    context: CellContext, training: Training, network: nn.Module, inputs: Inputs, last: Scored
) -> Scored:
    """Return the last evaluation of the curve where it counts, else read the test split, once."""
    if training.curve_is_headline:
        return last
    split, views = inputs.dataset.headline_split, context.cell.recipe.test_views
    with context.clock.measure("eval"):
        evaluation = evaluate_split(context, network, inputs, split, views=views)
    changes = {"split": split, "headline": True, **evaluation.metrics()}
    event = last.event.model_copy(update=changes)
    context.folder.append(event)
    return Scored(event=event, evaluation=evaluation)


def write_success(
    context: CellContext,
    training: Training,
    inputs: Inputs,
    *,
    headline: Scored,
    memorised: Evaluation,
    best: Evaluated,
    finished: Finished,
    notice: str,
    canary: float,
) -> Result:
    """Write the predictions and the result of a cell that spent its budget.

    `headline` is the evaluation that the row reports, `memorised` that of a few training images,
    `best` the best of the curve. `notice` is what loading the checkpoint had to say, `canary` the
    machine's rate at the start.
    """
    event = headline.event
    _write_predictions(context, inputs, headline)
    result = planned(context.cell).model_copy(
        update={
            "status": "done",
            **event.model_dump(include={"split", "correct", "top1", "top5", "train_loss"}),
            "test_images": event.images,
            "test_loss": event.loss,
            "train_eval_loss": memorised.loss,
            "train_eval_top1": memorised.correct / memorised.n_images,
            "best_top1": best.top1,
            "best_progress": best.progress,
            "params": training.params,
            "macs": training.macs,
            "images_per_second": finished.spent.images / finished.spent.seconds,
            "last_lr": finished.last_lr,
            "canary_gflops": (canary, canary_gflops(context.device)),
            **_usage(context, finished.spent, context.device.peak_memory_bytes()),
        }
    )
    notices = filter(None, (notice, continued_words(result.origins)))
    result = result.model_copy(update={"reason": "; ".join(notices)})
    context.folder.write_result(result)
    context.folder.forget_checkpoints()
    return result


def _write_predictions(context: CellContext, inputs: Inputs, headline: Scored) -> None:
    evaluation, names = headline.evaluation, inputs.splits[headline.event.split].names
    predictions = Predictions(labels=evaluation.labels, logits=evaluation.logits, names=names)
    with context.clock.measure("logging"):
        context.folder.write_predictions(predictions)


def write_failure(
    context: CellContext, status: Status, reason: str, *, spent: Spent | None = None
) -> Result:
    """Log that a cell failed and write its result; `spent` is what the log tells unless given."""
    folder, reason = context.folder, escape_bytes(reason)
    if spent is None:
        spent = next((event.spent for event in reversed(folder.events())), Spent())
    peak_memory_bytes = context.device.peak_memory_bytes() if status == "oom" else None
    folder.append(Failed(spent=spent, status=status, reason=reason))
    facts = {"status": status, "reason": reason, **_usage(context, spent, peak_memory_bytes)}
    result = planned(context.cell).model_copy(update=facts)
    folder.write_result(result)
    if folder.is_final():  # a cell that is tried again goes on where it was
        folder.forget_checkpoints()
    return result


def _usage(context: CellContext, spent: Spent, peak_memory_bytes: int | None) -> dict[str, Any]:
    """Return what a cell has spent, and with what it was trained by this process and others."""
    origins = [*origins_of(context.folder.events()), origin_of(context.device.torch_device)]
    facts = usage(context.cell, spent) | origin_fields(origins)
    # Else the clock of an earlier process was never taken over.
    if context.clock.charged >= spent.seconds:
        facts["seconds"] = _seconds(context.clock)
    return {**facts, "peak_memory_bytes": peak_memory_bytes}


def _seconds(clock: Clock) -> Seconds:
    """Return where the seconds went; a gallery that is not made yet took no known time."""
    gallery = clock.seconds["gallery"] or None
    return Seconds(**{**clock.seconds, "gallery": gallery}, total=clock.total())


def failure_reason(error: Exception, cell: Cell) -> tuple[Status, str]:
    """Return the status and the line that a row keeps of an error."""
    text = first_line(error)
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in text.lower() for words in OUT_OF_MEMORY
    )
    if out_of_memory:
        smaller = max(1, cell.recipe.batch_size // 2)
        return "oom", f"out of memory: {text[:200]}; try --batch-size {smaller}"
    return "failed", f"{type(error).__name__}: {text[:300]}"
