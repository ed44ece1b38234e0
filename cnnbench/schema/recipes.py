"""How is a network trained? One recipe for all: `common`."""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RECIPES = ("common",)
COMMON_BATCH_SIZE = 16

# The learning rate and batch size that each family's paper began with. `common` scales the rate
# linearly to its own batch (Goyal et al., "Accurate, Large Minibatch SGD", 2017). The GoogLeNet
# paper states neither: its rate is ours, measured to start in a minute (docs/recipes.md).
PAPER_LR = {
    "alexnet": (0.01, 128),
    "zfnet": (0.01, 128),
    "vgg": (0.01, 256),
    "googlenet": (0.015, 128),
    "resnet": (0.1, 256),
}
PAPER_LR_ELSEWHERE = (0.01, 128)


class Recipe(BaseModel):
    """All that decides how a network is trained, apart from the budget and the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    optimizer: Literal["sgd"] = "sgd"
    lr: float = Field(gt=0, allow_inf_nan=False)
    batch_size: int = Field(ge=1)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    warmup: float = Field(ge=0, lt=1, description="share of the budget in which the lr rises")
    schedule: Literal["linear"] = "linear"
    init: Literal["common", "paper"]
    scaling: Literal["standardise"] = "standardise"
    augment: Literal["crop-flip"] = "crop-flip"


def make_recipe(
    name: str, *, family: str, lr: float | None = None, batch_size: int | None = None
) -> Recipe:
    """Return the named recipe for a family of networks, with the typed changes.

    Raises:
        ValueError: if the name is unknown or a number is out of range.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown recipe {name!r}; {hint}there is {', '.join(RECIPES)}")
    if lr is not None and not 0 < lr < 1e6:
        raise ValueError(f"the learning rate must be more than zero and finite, saw {lr:g}")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, saw {batch_size}")
    images = batch_size or COMMON_BATCH_SIZE
    return Recipe(
        name=name,
        lr=scaled_lr(family, images) if lr is None else lr,
        batch_size=images,
        momentum=0.9,
        weight_decay=5e-4,
        warmup=0.05,
        init="common",
    )


def scaled_lr(family: str, batch_size: int) -> float:
    """Return the learning rate of a family's paper, scaled linearly to a batch size.

    >>> scaled_lr("alexnet", 128), scaled_lr("resnet", 16)
    (0.01, 0.00625)
    """
    lr, paper_batch = PAPER_LR.get(family, PAPER_LR_ELSEWHERE)
    return lr * batch_size / paper_batch
