"""What happens during a training, as values that are appended to `events.jsonl`."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from cnnbench.schema import Value
from cnnbench.schema.budget import Spent
from cnnbench.schema.result import Status

__all__ = [
    "EVENT",
    "Checkpointed",
    "Evaluated",
    "Event",
    "Failed",
    "Finished",
    "Started",
    "Stepped",
]


class _Event(Value):
    spent: Spent


class Started(_Event):
    """Training begins, or goes on from a checkpoint (`resumed`)."""

    kind: Literal["started"] = "started"
    resumed: bool
    params: int
    macs: int
    train_images: int
    total_images: int | None = Field(description="images the budget buys; None if only time tells")


class Stepped(_Event):
    """An interval of training steps is done; logged about once a second, not once a step."""

    kind: Literal["stepped"] = "stepped"
    progress: float
    lr: float
    train_loss: float = Field(description="mean over the images of the interval")
    train_top1: float | None = Field(
        default=None, description="share of the interval's images that were right, as trained on"
    )
    images: int = Field(description="images of the interval")
    images_per_second: float


class Evaluated(_Event):
    """The network was tested on a split, off the clock."""

    kind: Literal["evaluated"] = "evaluated"
    progress: float
    split: str
    headline: bool = Field(description="the last evaluation, on the headline split")
    loss: float
    top1: float
    top5: float
    correct: int
    images: int
    train_loss: float = Field(description="mean over the images since the last evaluation")


class Checkpointed(_Event):
    """A checkpoint is on disk."""

    kind: Literal["checkpointed"] = "checkpointed"


class Finished(_Event):
    """The budget is spent."""

    kind: Literal["finished"] = "finished"
    last_lr: float


class Failed(_Event):
    """The cell ended early, with the reason."""

    kind: Literal["failed"] = "failed"
    status: Status
    reason: str


Event = Annotated[
    Started | Stepped | Evaluated | Checkpointed | Finished | Failed, Field(discriminator="kind")
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
