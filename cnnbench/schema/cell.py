"""What is one cell of a comparison, and what is the plan that lists them all?"""

import re
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from cnnbench.base.digests import digest_of
from cnnbench.schema import Name, Value
from cnnbench.schema.budget import Budget
from cnnbench.schema.foresight import IMAGE_SIZES, Feed, SizeChoice
from cnnbench.schema.recipes import Recipe
from cnnbench.schema.start import NOT_DECIDING, Start, Train

__all__ = ["VERSION", "BatchNormOver", "Cell", "DatasetFacts", "Parallel", "Plan", "Precision"]
__all__ += ["Tuned"]
__all__ += ["entrant", "slug", "stored_size"]

VERSION = 1

Precision = Literal["fp32", "tf32", "bf16"]
Parallel = Literal["batches", "towers"]
BatchNormOver = Literal["device", "all"]


def slug(name: str) -> str:
    """Return a name that is safe in a path: letters, digits, dot and dash, 60 at most."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:60] or "unnamed"


def entrant(model: str, train: Train) -> str:
    """Return what a model is called where its head alone may be trained as well."""
    return model if train == "all" else f"{model} {train}"


def stored_size(image_size: int, detail: float = 256 / 224) -> int:
    """Return the side at which images are kept for inputs of `image_size`: 256 for 224.

    `detail` asks for more pixels, to cut parts out that are not blurred; they are kept up to 256.
    """
    for_crops = round(image_size * 256 / 224)
    return max(for_crops, min(round(image_size * detail), 256))


class DatasetFacts(Value):
    """What a plan and a report need to know about a dataset, without its images."""

    name: Name
    title: Name
    drawn: bool
    classes: tuple[Name, ...]
    images: dict[str, int]
    curve_split: str
    headline_split: str
    fingerprint: str
    options: dict[str, Name] = Field(default={})
    notices: tuple[Name, ...] = ()


class Cell(Value):
    """One training: all that decides its result, and nothing else.

    The digest names its folder, so a finished digest is never trained twice.
    """

    version: int = VERSION
    model: str
    dataset: Name
    dataset_options: dict[str, Name] = Field(default={})
    dataset_fingerprint: str
    recipe: Recipe
    budget: Budget
    seed: int = Field(ge=0)
    image_size: int = Field(ge=8)
    precision: Precision
    device: str
    evaluations: int = Field(ge=1, description="evaluations at equal fractions of the budget")
    subset: int | None = Field(default=None, description="images a split, in a smoke run")
    holdout: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="share of the training images that a trial is scored on",
    )
    memory_bytes: int | None = Field(default=None, gt=0, description="what --memory allows")
    micro_batch: int | None = Field(
        default=None, ge=1, description="images a pass, where a batch is accumulated from several"
    )
    deterministic: bool = Field(
        default=False, description="on a GPU: only kernels that give the same bits each time"
    )

    curve_images: int | None = Field(
        default=None,
        ge=1,
        description="images of a sample that the curve is tested on; its last point is of all",
    )
    start: Start | None = Field(default=None, description="None is from scratch")
    train: Train = "all"
    devices: int = Field(default=1, ge=1, description="that train it together")
    parallel: Parallel = Field(
        default="batches", description="what several devices share out: batches, or AlexNet"
    )
    batchnorm_over: BatchNormOver = Field(
        default="device", description="of which images of a batch BatchNorm takes the statistics"
    )

    @property
    def ranks(self) -> int:
        """How many processes train it: one a device, but one for the two towers of AlexNet."""
        return 1 if self.parallel == "towers" else self.devices

    @property
    def name(self) -> str:
        """What is compared, for people: the model, and whether only its head is trained."""
        return entrant(self.model, self.train)

    @property
    def stored_size(self) -> int:
        """The side at which its images are kept."""
        return stored_size(self.image_size, self.recipe.detail)

    @cached_property
    def digest(self) -> str:
        """Ten hex digits over every deciding field that is not at its default.

        So a field that a later version adds leaves the digests of older cells as they were.
        """
        return digest_of(self.deciding(exclude_defaults=True))

    def deciding(self, *, exclude_defaults: bool = False) -> dict[str, Any]:
        """Return as JSON every field that decides the result."""
        return self.model_dump(
            mode="json", exclude_defaults=exclude_defaults, exclude={"start": set(NOT_DECIDING)}
        )

    @property
    def id(self) -> str:
        """The name of the cell's folder, unique within a plan."""
        return f"{slug(self.model)}-s{self.seed}-{self.digest}"


class Tuned(Value):
    """The learning rate that trials chose for one model, and what they cost."""

    model: str = Field(description="a cell's `name`")
    rates: tuple[float, ...]
    top1: tuple[float | None, ...] = Field(description="on the hold-out; None where a trial failed")
    images: int = Field(description="images of the hold-out, of the training split")
    chosen: float
    charged_seconds: float
    budget: Budget


class Plan(Value):
    """Every cell of a run, with what was typed, the dataset's facts and the machine.

    `feeds` is what the smallest budget buys each network, as foreseen; `size_choice` is how `auto`
    came to the image size, None where a size was typed or is the papers'.
    """

    version: int = VERSION
    cnnbench: str
    argv: tuple[Name, ...]
    dataset: DatasetFacts
    cells: tuple[Cell, ...]
    machine: dict[str, str | int | float | None]
    tuned: tuple[Tuned, ...] = ()
    feeds: tuple[Feed, ...] = ()
    size_choice: SizeChoice | None = None

    @property
    def digest(self) -> str:
        """Ten hex digits over the cells: the same command gives the same digest.

        What was measured first is left out: the size that `auto` chose, and the curve's sample.
        """
        measured: dict[str, int | None] = {"curve_images": None}
        if self.size_choice:
            measured["image_size"] = min(IMAGE_SIZES)
        digests = [cell.model_copy(update=measured).digest for cell in self.cells]
        return digest_of([*digests, "auto"] if self.size_choice else digests)
