"""What is the loop given, and what changes while a network trains?"""

import math
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from cnnbench.engine.clock import Clock
from cnnbench.engine.device import Device, rng_state, set_rng_state
from cnnbench.engine.evaluate import Evaluation
from cnnbench.engine.ranks import ALONE, Ranks
from cnnbench.schema.budget import Budget, Spent
from cnnbench.schema.events import WINDOW_IMAGES, Window
from cnnbench.schema.origin import Origin
from cnnbench.schema.recipes import Recipe

__all__ = ["Training"]


class BatchSource(Protocol):
    """Training images without end, which may be cut into batches anywhere."""

    @property
    def epoch_images(self) -> int:
        """The number of images in one epoch."""
        ...

    def batch(self, start: int, size: int) -> tuple[Tensor, Tensor]:
        """Return images (size, 3, H, W) and labels (size,) from position `start` on."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """All that the loop is given.

    `evaluate` is of the whole split that the curves are drawn on, `evaluate_sample` of the images
    of it that are tested on the way, where they are fewer. `on_step` is called after each step,
    then `should_stop` is asked. `joules` reads an energy counter, where there is one. `head` names
    the parameters whose rate is the recipe's own, where the others' is its `body_lr`.
    `images_before` went through the network before the first step and count as seen. `ranks` says
    which of several processes this one is, where they share out each batch.
    """

    model: nn.Module
    batches: BatchSource
    evaluate: Callable[[], Evaluation]
    recipe: Recipe
    budget: Budget
    device: Device
    clock: Clock
    params: int
    macs: int
    flops_per_image: float
    evaluations: int
    curve_split: str
    curve_is_headline: bool
    evaluate_sample: Callable[[], Evaluation] | None = None
    checkpoint_seconds: float = 60.0
    should_stop: Callable[[], bool] = lambda: False
    on_step: Callable[[], None] = lambda: None
    micro_batch: int | None = None
    joules: Callable[[], float] | None = None
    origin: Origin = field(default_factory=Origin)
    head: frozenset[str] = frozenset()
    images_before: int = 0
    ranks: Ranks = ALONE


@dataclass(kw_only=True, slots=True)
class Meter:
    """A mean training loss over images, and how many of them were correct."""

    loss_sum: float = 0.0
    correct: int = 0
    n_images: int = 0

    def add(self, loss: float, correct: int, n_images: int) -> None:
        """Add a batch's mean loss and its number of correct images."""
        self.loss_sum += loss * n_images
        self.correct += correct
        self.n_images += n_images

    def mean(self) -> float:
        """Return the mean over the images so far, NaN over none."""
        return self.loss_sum / self.n_images if self.n_images else math.nan

    def state(self) -> list[float]:
        """Return the sums, to travel with a checkpoint."""
        return [self.loss_sum, self.correct, self.n_images]

    @classmethod
    def of(cls, state: list[Any]) -> Self:
        """Return a meter with saved sums."""
        loss_sum, correct, n_images = state
        return cls(loss_sum=loss_sum, correct=correct, n_images=n_images)


@dataclass(kw_only=True, slots=True)
class TrainingState:
    """What changes while a network trains.

    `interval` sums up the steps since the last `Stepped`, `since_evaluation` those since the last
    evaluation, `window` those of the last thousand images; `ended_windows` are not logged yet.
    `recent_costs` are in the budget's currency. `total_images` is what the budget buys, None where
    only a meter can tell. `learner` takes the steps: the model, or what several ranks have around
    it.
    """

    training: Training
    learner: nn.Module
    optimizer: torch.optim.SGD
    total_images: int | None
    images_seen: int = 0
    steps: int = 0
    evaluations_done: int = 0
    last_lr: float = math.nan
    interval: Meter = field(default_factory=Meter)
    since_evaluation: Meter = field(default_factory=Meter)
    window: Meter = field(default_factory=Meter)
    ended_windows: list[Window] = field(default_factory=list)
    joules: float = 0.0
    recent_costs: deque[float] = field(default_factory=lambda: deque(maxlen=5))

    def spent(self) -> Spent:
        """Return what the cell has used so far."""
        return Spent(
            seconds=self.training.clock.charged,
            epochs=self.images_seen / self.training.batches.epoch_images,
            images=self.images_seen,
            flops=(self.images_seen - self.training.images_before) * self.training.flops_per_image,
            steps=self.steps,
            joules=None if self.training.joules is None else self.joules,
        )

    def count(self, loss: float, correct: int, n_images: int) -> None:
        """Count a step that was taken, with its batch's mean loss and its correct images."""
        self.images_seen += n_images
        self.steps += 1
        for meter in (self.interval, self.since_evaluation, self.window):
            meter.add(loss, correct, n_images)
        window = self.window
        if window.n_images >= WINDOW_IMAGES:
            ended = Window(steps=self.steps, correct=window.correct, images=window.n_images)
            self.ended_windows.append(ended)
            self.window = Meter()

    def progress(self) -> float:
        """Return the share of the budget that is spent, in [0, 1]."""
        if self.total_images is not None:
            return self.images_seen / self.total_images
        return self.training.budget.progress(self.spent())

    def next_batch_size(self) -> int:
        """Return the size of the next batch, or 0 where the budget ends.

        Where only a meter can tell, a step that would overshoot is not begun. A single image left
        over, or fewer than two for each rank, joins the batch before it: BatchNorm has no variance
        over one image.
        """
        batch_size, budget = self.training.recipe.batch_size, self.training.budget
        if self.total_images is None:
            left = budget.limit - self.spent().of(budget.currency)
            return batch_size if self.steps == 0 or self.step_cost() <= left else 0
        images_left = self.total_images - self.images_seen
        least = 2 * self.training.ranks.count
        return images_left if images_left < batch_size + least else batch_size

    def step_cost(self) -> float:
        """Predict what the next step costs, in the budget's currency.

        It is the median of the last few, or the mean of all after a restart.
        """
        if self.recent_costs:
            return statistics.median(self.recent_costs)
        return self.spent().of(self.training.budget.currency) / self.steps

    def should_evaluate(self) -> bool:
        """Tell whether the next of the equal shares is reached; the last share is not asked for."""
        done, planned = self.evaluations_done, self.training.evaluations
        return done < planned - 1 and self.progress() >= (done + 1) / planned

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on from here; its keys are those of the checkpoints.

        Windows that ended must be logged before: the log is kept beside the checkpoint.
        """
        return {
            "model": self.training.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": rng_state(self.training.device.torch_device),
            "clock": self.training.clock.state(),
            "images": self.images_seen,
            "steps": self.steps,
            "tested": self.evaluations_done,
            "last_lr": self.last_lr,
            "joules": self.joules,
            "since_test": self.since_evaluation.state(),
            "window": self.window.state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.training.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        set_rng_state(state["rng"], self.training.device.torch_device)
        self.training.clock.restore(state["clock"])
        self.images_seen, self.steps = state["images"], state["steps"]
        self.evaluations_done = state["tested"]
        self.last_lr, self.joules = state["last_lr"], state["joules"]
        self.since_evaluation = Meter.of(state["since_test"])
        self.window = Meter.of(state.get("window", [0.0, 0, 0]))  # older checkpoints have none
