"""What is the loop given, and what changes while a network trains?"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from cnnbench.engine.clock import Clock
from cnnbench.engine.device import Machine, rng_state, set_rng_state
from cnnbench.engine.evaluate import Evaluation
from cnnbench.schema.budget import Budget, Spent
from cnnbench.schema.recipes import Recipe


class Stream(Protocol):
    """An endless stream of training images, cut anywhere."""

    @property
    def epoch_images(self) -> int:
        """The number of images in one epoch."""
        ...

    def batch(self, start: int, size: int) -> tuple[Tensor, Tensor]:
        """Return images (size, 3, H, W) and labels (size,) from position `start` on."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """All that the loop is given. `test` evaluates on the split that the curves are drawn on."""

    model: nn.Module
    stream: Stream
    test: Callable[[], Evaluation]
    recipe: Recipe
    budget: Budget
    machine: Machine
    clock: Clock
    params: int
    macs: int
    flops_per_image: float
    evaluations: int
    curve_split: str
    curve_is_headline: bool
    checkpoint_seconds: float = 60.0
    stop_asked: Callable[[], bool] = lambda: False
    micro_batch: int | None = None
    joules: Callable[[], float] | None = None


@dataclass(kw_only=True, slots=True)
class Meter:
    """A mean training loss over images, and how many of them were right."""

    loss_sum: float = 0.0
    correct: int = 0
    images: int = 0

    def add(self, loss: float, correct: int, images: int) -> None:
        """Add a batch's mean loss and its right answers."""
        self.loss_sum += loss * images
        self.correct += correct
        self.images += images

    def mean(self) -> float:
        """Return the mean over the images so far, NaN over none."""
        return self.loss_sum / self.images if self.images else math.nan


@dataclass(kw_only=True, slots=True)
class RunState:
    """What changes while a network trains."""

    job: Training
    optimizer: torch.optim.SGD
    total_images: int | None
    images: int = 0
    steps: int = 0
    tested: int = 0
    last_lr: float = math.nan
    interval: Meter = field(default_factory=Meter)
    since_test: Meter = field(default_factory=Meter)
    joules: float = 0.0
    costs: deque[float] = field(default_factory=lambda: deque(maxlen=5))

    def spent(self) -> Spent:
        """Return what the cell has used so far."""
        return Spent(
            seconds=self.job.clock.charged,
            epochs=self.images / self.job.stream.epoch_images,
            images=self.images,
            flops=self.images * self.job.flops_per_image,
            steps=self.steps,
            joules=None if self.job.joules is None else self.joules,
        )

    def progress(self) -> float:
        """Return the share of the budget that is spent, in [0, 1]."""
        if self.total_images is not None:
            return self.images / self.total_images
        return self.job.budget.progress(self.spent())

    def next_size(self) -> int:
        """Return the size of the next batch, or 0 where the budget ends.

        Where only a meter can tell, a step that would overshoot is not begun. A single image left
        over joins the batch before it: BatchNorm has no variance over one.
        """
        size = self.job.recipe.batch_size
        if self.total_images is None:
            left = self.job.budget.limit - self.spent().of(self.job.budget.currency)
            return size if self.steps == 0 or self.step_cost() <= left else 0
        left_images = self.total_images - self.images
        return left_images if left_images <= size + 1 else size

    def step_cost(self) -> float:
        """Predict what the next step costs, in the budget's currency.

        It is the median of the last few, or the mean of all after a restart.
        """
        if self.costs:
            return statistics.median(self.costs)
        return self.spent().of(self.job.budget.currency) / self.steps

    def test_is_due(self) -> bool:
        """Tell whether the next of the equal shares is reached; the last test is apart."""
        share = (self.tested + 1) / self.job.evaluations
        return self.tested < self.job.evaluations - 1 and self.progress() >= share

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on from here."""
        return {
            "model": self.job.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": rng_state(self.job.machine.device),
            "clock": self.job.clock.state(),
            "images": self.images,
            "steps": self.steps,
            "tested": self.tested,
            "last_lr": self.last_lr,
            "joules": self.joules,
            "since_test": [
                self.since_test.loss_sum,
                self.since_test.correct,
                self.since_test.images,
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.job.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        set_rng_state(state["rng"], self.job.machine.device)
        self.job.clock.restore(state["clock"])
        self.images, self.steps, self.tested = state["images"], state["steps"], state["tested"]
        self.last_lr, self.joules = state["last_lr"], state["joules"]
        loss_sum, correct, images = state["since_test"]
        self.since_test = Meter(loss_sum=loss_sum, correct=correct, images=images)
