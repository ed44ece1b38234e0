"""With which trained weights does a network begin, where it does not begin from scratch?"""

from typing import Literal

from pydantic import Field

from cnnbench.base.words import plural
from cnnbench.schema import Name, Value

__all__ = ["NOT_DECIDING", "Channels", "Start", "Train"]

Train = Literal["all", "head"]
"""What is trained: the whole network, or only its last layer on features that stay as they are."""

Channels = tuple[float, float, float]

# Facts of a start that change no weight and no pixel, so that no digest depends on them.
NOT_DECIDING = frozenset(
    ("trained_on", "trained_images", "licence", "top1", "overlaps", "fit", "file")
)


class Start(Value):
    """Trained weights, and what is known of them; what nobody stated is None.

    `mean` and `std` turn pixels in [0, 1] into the inputs that the weights were trained on; they
    are None where the images of the run are to be scaled by their own statistics.
    """

    source: Name = Field(description="what stands after the @ of the model's name")
    sha256: str = Field(description="of the file")
    mean: Channels | None = None
    std: Channels | None = None
    image_size: int | None = Field(default=None, description="pixels a side in that training")
    trained_on: Name | None = None
    trained_images: int | None = None
    licence: Name | None = None
    top1: float | None = Field(default=None, description="as published, on what it trained on")
    overlaps: tuple[Name, ...] = Field(
        default=(), description="datasets whose images lie within those of that training"
    )
    fit: tuple[Name, ...] = Field(default=(), description="what differed, a sentence each")
    file: Name = Field(default="", description="as typed, where it is a file that no card knows")

    @property
    def earlier_training(self) -> str:
        """What the weights were trained on, in words, with the images where they are known."""
        where = self.trained_on or "images that nobody stated"
        return f"{where} ({plural(self.trained_images, 'image')})" if self.trained_images else where
