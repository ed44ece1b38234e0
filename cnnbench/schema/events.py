"""What happens during a training, as values that are appended to `events.jsonl`."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from cnnbench.schema import Value
from cnnbench.schema.budget import Spent
from cnnbench.schema.origin import Origin
from cnnbench.schema.result import Status

__all__ = [
    "EVENT",
    "WINDOW_IMAGES",
    "Checkpointed",
    "Evaluated",
    "Event",
    "Failed",
    "Finished",
    "Started",
    "Stepped",
    "Window",
    "origins_of",
]


WINDOW_IMAGES = 1024  # over so many an error of 25 % is known to 1.4 points


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
    origin: Origin = Origin()


class Window(Value):
    """Training answers over the steps of `WINDOW_IMAGES` images, however fast the machine is."""

    steps: int = Field(description="steps taken at its end")
    correct: int
    images: int


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
    windows: tuple[Window, ...] = Field(
        default=(), description="those that ended within the interval"
    )


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


def origins_of(events: Iterable[Event]) -> list[Origin]:
    """Return with what each process trained that a log tells of, in order."""
    return [event.origin for event in events if isinstance(event, Started)]
