"""How is a network trained? One recipe for all: `common`."""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RECIPES = ("common",)

# Learning rates of `common` by family, for its batch size; docs/recipes.md has the measurements.
# A network without BatchNorm starts only at a smaller rate than one with it: ResNet's paper
# starts at 0.1 (batch 256), AlexNet's, VGG's and ZFNet's at 0.01 (batch 128 to 256).
COMMON_LR = {"resnet": 0.02}
COMMON_LR_DEFAULT = 0.005
COMMON_BATCH_SIZE = 16


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
    return Recipe(
        name=name,
        lr=lr or COMMON_LR.get(family, COMMON_LR_DEFAULT),
        batch_size=batch_size or COMMON_BATCH_SIZE,
        momentum=0.9,
        weight_decay=5e-4,
        warmup=0.05,
        init="common",
    )
