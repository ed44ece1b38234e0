"""How does a network learn under a budget? The one training loop, as a generator of events.

It touches no disk and prints nothing. The clock runs only inside a step: it stands still while
an event is out with the caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cnnbench.engine.device import rng_put_back
from cnnbench.engine.evaluate import Evaluation
from cnnbench.engine.optim import lr_at, make_optimizer, set_lr
from cnnbench.engine.state import Meter, RunState, Training
from cnnbench.schema.budget import Spent
from cnnbench.schema.events import Evaluated, Failed, Finished, Started, Stepped

STEPPED_EVERY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointDue:
    """A moment to keep the state; `last` if the caller asked the loop to stop after it."""

    spent: Spent
    state: Callable[[], dict[str, Any]]
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """An evaluation: the event for the log, and the logits for whoever keeps them."""

    event: Evaluated
    evaluation: Evaluation


TrainEvent = Started | Stepped | Scored | CheckpointDue | Finished | Failed


def train(job: Training, *, state: dict[str, Any] | None = None) -> Iterator[TrainEvent]:
    """Train until the budget is spent, saying what happens; go on from `state` if given.

    The first event is `Started`, the last is `Finished`, `Failed`, or `CheckpointDue` where a stop
    was asked for. Evaluations come at equal shares of the budget, the last after the last step.
    """
    run = RunState(
        job=job,
        optimizer=make_optimizer(job.model, job.recipe),
        total_images=job.budget.total_images(
            train_images=job.stream.epoch_images, flops_per_image=job.flops_per_image
        ),
    )
    if state is not None:
        run.restore(state)
    with job.clock.measure("warmup"):
        warm_up(job)
    yield Started(
        spent=run.spent(),
        resumed=state is not None,
        params=job.params,
        macs=job.macs,
        train_images=job.stream.epoch_images,
        total_images=run.total_images,
    )
    said, saved = job.clock.charged, job.clock.charged
    job.model.train()
    while size := run.next_size():
        loss = _step(run, size)
        if not math.isfinite(loss):
            reason = f"the training loss became {loss} at step {run.steps + 1}"
            yield Failed(spent=run.spent(), status="diverged", reason=reason)
            return
        if job.clock.charged - said >= STEPPED_EVERY_SECONDS:
            yield _stepped(run, job.clock.charged - said)
            said = job.clock.charged
        if run.test_is_due():
            scored = _test(run, final=False)
            yield scored
            if failed := _blown_up(run, scored):
                yield failed
                return
        stopping = job.stop_asked()
        if stopping or job.clock.charged - saved >= job.checkpoint_seconds:
            yield CheckpointDue(spent=run.spent(), state=run.state, last=stopping)
            saved = job.clock.charged
        if stopping:
            return
    if run.interval.images:
        yield _stepped(run, job.clock.charged - said)
    scored = _test(run, final=True)
    yield scored
    yield _blown_up(run, scored) or Finished(spent=run.spent(), last_lr=run.last_lr)


def _step(run: RunState, size: int) -> float:
    """Take one charged step and return its loss; a loss that is not finite moves no weight."""
    job = run.job
    before, joules = run.spent(), job.joules() if job.joules else 0.0
    with job.clock.measure("train"):
        with job.clock.waiting():
            images, labels = job.stream.batch(run.images, size)
        lr = lr_at(job.recipe, run.progress())
        set_lr(run.optimizer, lr, velocity=job.recipe.velocity)
        run.optimizer.zero_grad(set_to_none=True)
        # sync point: the loss is looked at before the weights move
        loss, correct = _backward(job, images, labels).tolist()
        if math.isfinite(loss):
            run.optimizer.step()
    run.joules += job.joules() - joules if job.joules else 0.0
    if math.isfinite(loss):
        run.images += size
        run.steps += 1
        run.last_lr = lr
        run.interval.add(loss, int(correct), size)
        run.since_test.add(loss, int(correct), size)
    currency = job.budget.currency
    run.costs.append(run.spent().of(currency) - before.of(currency))
    return float(loss)


def _backward(job: Training, images: Tensor, labels: Tensor) -> Tensor:
    """Add up the gradients of a batch, in one pass or several; return (mean loss, right answers).

    Several passes give the gradient of the whole batch, apart from BatchNorm, whose statistics
    are then those of each pass.
    """
    size = len(labels)
    counted = torch.zeros(2, device=labels.device)
    pieces = job.micro_batch or size
    for some, answers in zip(torch.split(images, pieces), torch.split(labels, pieces), strict=True):
        total, loss, logits = _losses(job, some, answers)
        share = len(answers) / size
        (total * share if share < 1 else total).backward()  # type: ignore[no-untyped-call]
        right = (logits.detach().argmax(dim=1) == answers).sum()
        counted += torch.stack([loss.detach() * share, right])
    return counted


def _blown_up(run: RunState, scored: Scored) -> Failed | None:
    """Tell a network whose last step left weights that are not finite from one that is bad."""
    loss = scored.event.loss
    if math.isfinite(loss):
        return None
    reason = f"the test loss became {loss} after step {run.steps}"
    return Failed(spent=run.spent(), status="diverged", reason=reason)


def _losses(job: Training, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss to minimise, auxiliary heads included, the main head's own, its logits."""
    with job.machine.autocast():
        output = job.model(images)
    if isinstance(output, Tensor):
        loss = functional.cross_entropy(output.float(), labels)
        return loss, loss, output
    main, *others = (functional.cross_entropy(logits.float(), labels) for logits in output)
    weights: tuple[float, ...] = job.model.aux_weights  # type: ignore[assignment]
    extra = sum(weight * other for weight, other in zip(weights, others, strict=True))
    return main + extra, main, output[0]


def _stepped(run: RunState, seconds: float) -> Stepped:
    event = Stepped(
        spent=run.spent(),
        progress=run.progress(),
        lr=run.last_lr,
        train_loss=run.interval.mean(),
        train_top1=run.interval.correct / run.interval.images,
        images=run.interval.images,
        images_per_second=run.interval.images / seconds if seconds > 0 else math.nan,
    )
    run.interval = Meter()
    return event


def _test(run: RunState, *, final: bool) -> Scored:
    job = run.job
    with job.clock.measure("eval"):
        found = job.test()
    train_loss = run.since_test.mean()
    run.tested += 1
    run.since_test = Meter()
    event = evaluated(
        found,
        spent=run.spent(),
        progress=run.progress(),
        split=job.curve_split,
        headline=final and job.curve_is_headline,
        train_loss=train_loss,
    )
    return Scored(event=event, evaluation=found)


def evaluated(
    found: Evaluation,
    *,
    spent: Spent,
    progress: float,
    split: str,
    headline: bool,
    train_loss: float,
) -> Evaluated:
    """Turn an evaluation into the event that is logged."""
    return Evaluated(
        spent=spent,
        progress=progress,
        split=split,
        headline=headline,
        loss=found.loss,
        top1=found.correct / found.images,
        top5=found.correct_top5 / found.images,
        correct=found.correct,
        images=found.images,
        train_loss=train_loss,
    )


def warm_up(job: Training) -> None:
    """Run one step's work on dummy data, then put weights, statistics and generators back.

    The first pass through a network picks kernels and asks for memory; no model should pay for
    that out of its budget.
    """
    model, recipe = job.model, job.recipe
    images, labels = job.stream.batch(0, recipe.batch_size)
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    model.train()
    with rng_put_back(job.machine.device):
        _backward(job, torch.zeros_like(images), labels)
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, value in model.named_buffers():
            value.copy_(buffers[name])
    job.machine.synchronise()
