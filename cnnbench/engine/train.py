"""How does a network learn under a budget? The one training loop, as a generator of events.

It touches no disk and prints nothing. Only the clock's bucket `train`, the steps, is charged to the
budget; warm-up, evaluation and whatever the caller does with an event are not.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnbench.engine.evaluate import Evaluation
from cnnbench.engine.optim import lr_at, make_optimizer
from cnnbench.engine.state import Meter, Training, TrainingState
from cnnbench.engine.step import accumulate_gradients, preserve_state, training_step
from cnnbench.schema.budget import Spent
from cnnbench.schema.events import Evaluated, Failed, Finished, Started, Stepped

__all__ = ["CheckpointDue", "Scored", "train"]

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


def train(training: Training, *, checkpoint: dict[str, Any] | None = None) -> Iterator[TrainEvent]:
    """Train until the budget is spent, saying what happens; go on from `checkpoint` if given.

    The first event is `Started`, the last is `Finished`, `Failed`, or `CheckpointDue` where a stop
    was asked for. Evaluations come at equal shares of the budget, the last after the last step;
    it is of the whole split, those before it may be of a sample.
    """
    clock = training.clock
    state = TrainingState(
        training=training,
        learner=training.ranks.wrap(training.model, training.device.torch_device),
        optimizer=make_optimizer(training.model, training.recipe, head=training.head),
        total_images=training.budget.total_images(
            train_images=training.batches.epoch_images, flops_per_image=training.flops_per_image
        ),
    )
    state.images_seen = training.images_before
    if checkpoint is not None:
        state.load_state_dict(checkpoint)
    with clock.measure("warmup"):
        warm_up(training, state.learner)
    yield Started(
        spent=state.spent(),
        resumed=checkpoint is not None,
        params=training.params,
        macs=training.macs,
        train_images=training.batches.epoch_images,
        total_images=state.total_images,
        origin=training.origin,
    )
    stepped_at = checkpoint_at = clock.charged
    training.model.train()
    while batch_size := state.next_batch_size():
        loss = _charged_step(state, batch_size)
        if not math.isfinite(loss):
            yield _diverged(state, f"the training loss became {loss} at step {state.steps + 1}")
            return
        if clock.charged - stepped_at >= STEPPED_EVERY_SECONDS:
            yield _stepped(state, clock.charged - stepped_at)
            stepped_at = clock.charged
        if state.should_evaluate() and state.next_batch_size():  # the last weights wait for the end
            scored = _evaluate(state, final=False)
            yield scored
            if not math.isfinite(scored.event.loss):
                yield _diverged_in_evaluation(state, scored)
                return
        training.on_step()
        stopping = bool(training.ranks.first_says(training.should_stop()))
        if stopping or clock.charged - checkpoint_at >= training.checkpoint_seconds:
            if state.interval.n_images:  # what is logged goes with the checkpoint
                yield _stepped(state, clock.charged - stepped_at)
                stepped_at = clock.charged
            yield CheckpointDue(spent=state.spent(), state=state.state_dict, last=stopping)
            checkpoint_at = clock.charged
        if stopping:
            return
    if state.interval.n_images:
        yield _stepped(state, clock.charged - stepped_at)
    scored = _evaluate(state, final=True)
    yield scored
    if math.isfinite(scored.event.loss):
        yield Finished(spent=state.spent(), last_lr=state.last_lr)
    else:
        yield _diverged_in_evaluation(state, scored)


def warm_up(training: Training, learner: nn.Module) -> None:
    """Run a forward and a backward pass on blank images, uncharged; nothing in the network moves.

    The first passes pick kernels and ask for memory; no model should pay for that. The optimizer
    takes no step: its momentum is allocated in a charged one. A recipe's `warmup` is another thing.
    """
    device, ranks, batch_size = training.device, training.ranks, training.recipe.batch_size
    images, labels = training.batches.batch(*ranks.part(0, batch_size))
    blank = torch.zeros_like(images)
    with preserve_state(learner, device.torch_device):
        accumulate_gradients(
            learner,
            blank,
            labels,
            device,
            micro_batch=training.micro_batch,
            ranks=ranks,
            batch_size=batch_size,
        )
    learner.zero_grad(set_to_none=True)
    device.synchronise()


def _charged_step(state: TrainingState, batch_size: int) -> float:
    """Take one step, charge it to the budget, and return its loss."""
    training, clock, ranks = state.training, state.training.clock, state.training.ranks
    before, joules_before = state.spent(), training.joules() if training.joules else 0.0

    def measure(part: str) -> AbstractContextManager[None]:
        return clock.waiting() if part == "data" else contextlib.nullcontext()

    with clock.measure("train"):
        lr = lr_at(training.recipe, state.progress())
        ranks.reseed(state.steps)
        loss, correct = training_step(
            state.learner,
            state.optimizer,
            lambda: training.batches.batch(*ranks.part(state.images_seen, batch_size)),
            training.device,
            lr=lr,
            velocity=training.recipe.velocity,
            micro_batch=training.micro_batch,
            measure=measure,
            ranks=ranks,
            batch_size=batch_size,
        )
    clock.take_over(ranks.first_says(clock.charged))  # so all decide alike what comes next
    state.joules += training.joules() - joules_before if training.joules else 0.0
    if math.isfinite(loss):
        state.last_lr = lr
        state.count(loss, correct, batch_size)
    currency = training.budget.currency
    state.recent_costs.append(state.spent().of(currency) - before.of(currency))
    return loss


def _stepped(state: TrainingState, seconds: float) -> Stepped:
    """Sum up the steps since the last such event, and start counting again."""
    interval, windows = state.interval, tuple(state.ended_windows)
    state.interval, state.ended_windows = Meter(), []
    return Stepped(
        spent=state.spent(),
        progress=state.progress(),
        lr=state.last_lr,
        train_loss=interval.mean(),
        train_top1=interval.correct / interval.n_images,
        images=interval.n_images,
        images_per_second=interval.n_images / seconds if seconds > 0 else math.nan,
        windows=windows,
    )


def _evaluate(state: TrainingState, *, final: bool) -> Scored:
    """Evaluate, uncharged, and start the mean training loss again."""
    training = state.training
    with training.clock.measure("eval"):
        sample = None if final else training.evaluate_sample
        evaluation = (sample or training.evaluate)()
    state.evaluations_done += 1
    event = Evaluated(
        spent=state.spent(),
        progress=state.progress(),
        split=training.curve_split,
        headline=final and training.curve_is_headline,
        train_loss=state.since_evaluation.mean(),
        **evaluation.metrics(),
    )
    state.since_evaluation = Meter()
    return Scored(event=event, evaluation=evaluation)


def _diverged_in_evaluation(state: TrainingState, scored: Scored) -> Failed:
    """Tell a network whose last step left weights that are not finite from a bad network."""
    event = scored.event
    reason = f"the loss on the {event.split} split became {event.loss} after step {state.steps}"
    return _diverged(state, reason)


def _diverged(state: TrainingState, reason: str) -> Failed:
    return Failed(spent=state.spent(), status="diverged", reason=reason)
