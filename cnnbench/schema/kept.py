"""What is known of a network that a run keeps, so that it can be used? What `model.json` holds."""

from typing import Literal

from pydantic import Field

from cnnbench.schema import Name, Value
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Precision
from cnnbench.schema.origin import Origin
from cnnbench.schema.result import BudgetUsed
from cnnbench.schema.start import Channels, Start, Train

__all__ = ["MEAN_IMAGE", "VERSION", "KeptNetwork", "OnnxCheck", "Speed"]

VERSION = 1
MEAN_IMAGE = "mean_image"
"""The tensor `(H, W, 3)` that stands beside the weights where a whole image is subtracted."""


class KeptNetwork(Value):
    """A trained network but for its weights, of which `sha256` names the file.

    An image becomes an input in three steps: it is decoded by the rules of `decode_version` to a
    square of `stored_size` pixels, of which `image_size` pixels are cut or scaled, and
    `(pixels - mean) / std` is taken of values in [0, 1]. `mean` is None where a whole image is
    subtracted, the tensor `MEAN_IMAGE`. The logits of `views` crops are averaged as probabilities.
    `init` decides which kind of dropout the network has.
    """

    version: int = VERSION
    cell: str
    model: str
    init: Literal["common", "paper"]
    classes: tuple[Name, ...]
    image_size: int
    stored_size: int
    decode_version: int
    max_megapixels: int = Field(description="larger image files are refused")
    views: int
    mean: Channels | None
    std: Channels
    precision: Precision
    device: str
    recipe: str
    start: Start | None = Field(default=None, description="None is from scratch")
    train: Train = "all"
    budget: BudgetUsed
    seed: int
    dataset: Name
    dataset_title: Name
    dataset_fingerprint: str
    train_images: int
    split: str = Field(description="of the images that it was tested on")
    test_images: int
    correct: int
    top1: float
    top1_low: float = Field(description="Wilson's 95 % interval")
    top1_high: float
    params: int
    macs: int
    origin: Origin
    sha256: str = Field(default="", description="of model.safetensors; filled in when written")

    @property
    def planned_budget(self) -> Budget:
        """The budget as it is typed."""
        return Budget(currency=self.budget.currency, limit=self.budget.limit)


class Speed(Value):
    """How fast files become answers on one machine, with decoding them.

    Milliseconds are of one file at a time: the median, and what 5 and 95 % were below.
    """

    machine: str
    threads: int
    files: str = Field(description="what they were, like JPEG of 640 x 480 pixels")
    images: int
    images_per_second: float
    batch_size: int
    one_image_ms: float
    one_image_ms_5: float
    one_image_ms_95: float


class OnnxCheck(Value):
    """How an exported network answered on the images that the run was tested on.

    `same_as_run` counts the images that both give the class of the run's own predictions, which
    may have been computed in another precision or over several views.
    """

    images: int
    largest_difference: float = Field(description="between two logits, in float32")
    same_as_run: int
