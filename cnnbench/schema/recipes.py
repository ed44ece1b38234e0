"""How is a network trained? `common`, one recipe for all, or `paper`, each paper's own.

`common-1` is the `common` of the first edition, to repeat its runs and to compare with. Networks
that begin with trained weights have two of their own: `finetune` for all of a network, `head` for
its last layer.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from cnnbench.base.words import with_hint
from cnnbench.schema import Value
from cnnbench.schema.start import Train

__all__ = ["COMMON_BATCH_SIZE", "Recipe", "make_recipe", "start_recipe"]

RECIPES = ("common", "common-1", "paper")
COMMON_BATCH_SIZE = 32

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

# Networks of other libraries have no family here, so what is found in them decides: with BatchNorm,
# LayerNorm or their like it is ResNet's rate, without AlexNet's (measured: docs/recipes.md).
LR_IF_NORMALISED = {True: PAPER_LR["resnet"], False: PAPER_LR_ELSEWHERE}


class Recipe(Value):
    """All that decides how a network is trained, except the budget and the seed.

    `velocity` is the papers' momentum, whose memory holds the learning rate: it differs from
    torch's wherever the rate changes. `scaling` turns bytes into inputs: each channel to mean 0
    and deviation 1, or raw 0..255 minus the mean image or the mean colour. `test_views` crops are
    averaged for the headline.
    """

    name: str
    optimizer: Literal["sgd"] = "sgd"
    lr: float = Field(gt=0, allow_inf_nan=False)
    batch_size: int = Field(ge=1)
    momentum: float = Field(ge=0, lt=1)
    velocity: bool = False
    weight_decay: float = Field(ge=0)
    bias_decay: bool = False
    bias_lr: float = Field(default=1.0, gt=0, description="in units of the weights' lr")
    warmup: float = Field(ge=0, lt=1, description="share of the budget in which the lr rises")
    schedule: Literal["linear", "steps"] = "linear"
    drops: tuple[float, ...] = ()
    drop_factor: float = Field(default=0.1, gt=0, le=1)
    init: Literal["common", "paper"]
    scaling: Literal["standardise", "mean-image", "mean-rgb"] = "standardise"
    body_lr: float = Field(
        default=1.0, gt=0, description="of all but the head, in units of the head's lr"
    )
    batchnorm: Literal["updated", "kept"] = Field(
        default="updated", description="its statistics, while all of a network is trained"
    )
    augment: Literal["none", "crop-flip", "crop-flip-jitter", "area-aspect"] = "crop-flip"
    least_area: float = Field(
        default=0.08, gt=0, le=1, description="of an image, that `area-aspect` cuts out"
    )
    ease_epochs: float = Field(
        default=0.0, ge=0, description="in which the least area falls from 0.9 to `least_area`"
    )
    detail: float = Field(
        default=256 / 224, ge=1, description="side of the stored images over that of the inputs"
    )
    test_views: Literal[1, 10] = 1


_FIRST: dict[str, Any] = {
    "name": "common-1",
    "batch_size": 16,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup": 0.05,
    "init": "common",
}
# What differs was chosen by trials on slices of training images: docs/recipes.md.
_COMMON: dict[str, Any] = _FIRST | {
    "name": "common",
    "batch_size": COMMON_BATCH_SIZE,
    "warmup": 0.15,
    "augment": "area-aspect",
    "least_area": 0.25,
    "ease_epochs": 6.5,
    "detail": 1.7,
}
_SHARED = {"common": _COMMON, "common-1": _FIRST}
LR_FACTOR = {"common": 2.0, "common-1": 1.0}  # of the papers' rates

# What trains a network that begins with trained weights, chosen by trials: docs/recipes.md.
_OF_STARTS: dict[Train, dict[str, Any]] = {
    "all": _COMMON
    | {
        "name": "finetune",
        "lr": 0.02,
        "body_lr": 0.05,
        "batchnorm": "kept",
        "warmup": 0.1,
        "ease_epochs": 0.0,
    },
    "head": _FIRST
    | {
        "name": "head",
        "lr": 0.005,
        "batch_size": COMMON_BATCH_SIZE,
        "warmup": 0.0,
        "augment": "none",
    },
}


def make_recipe(
    name: str,
    *,
    family: str,
    is_normalised: bool | None = None,
    paper: Mapping[str, Any] | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
) -> Recipe:
    """Return the named recipe for a family of networks, with the typed changes.

    `is_normalised` stands in for the family of a network of another library. `paper` holds the
    settings of the network's paper where there are any. A batch size other than the recipe's scales
    its learning rate linearly, unless `lr` gives one.

    Raises:
        ValueError: if the name is unknown, a number is out of range, or there is no paper recipe.
    """
    if name not in RECIPES:
        known = f"there is {', '.join(RECIPES)}"
        raise ValueError(with_hint(f"unknown recipe {name!r}", name, RECIPES, known))
    _require_numbers(lr, batch_size)
    if name in _SHARED:
        settings = _SHARED[name]
        size = batch_size or settings["batch_size"]
        rate = LR_FACTOR[name] * scaled_lr(family, size, is_normalised) if lr is None else lr
        return Recipe.model_validate(settings | {"lr": rate, "batch_size": size})
    if paper is None:
        raise ValueError("it has no paper recipe here; use --recipe common")
    return _paper(paper, lr, batch_size or paper["batch_size"])


def start_recipe(train: Train, *, lr: float | None, batch_size: int | None) -> Recipe:
    """Return the recipe for a network that begins with trained weights, with the typed changes.

    It is one for all networks: their weights are trained already, so their papers' rates, which
    were for a start from scratch, say nothing. A batch size scales the rate as in `make_recipe`.

    Raises:
        ValueError: if a number is out of range.
    """
    _require_numbers(lr, batch_size)
    settings = _OF_STARTS[train]
    size = batch_size or settings["batch_size"]
    rate = settings["lr"] * size / settings["batch_size"] if lr is None else lr
    return Recipe.model_validate(settings | {"lr": rate, "batch_size": size})


def _require_numbers(lr: float | None, batch_size: int | None) -> None:
    if lr is not None and not 0 < lr < 1e6:
        raise ValueError(f"the learning rate must be above 0 and below 1e6, saw {lr:g}")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, saw {batch_size}")


def _paper(paper: Mapping[str, Any], lr: float | None, batch_size: int) -> Recipe:
    settings = {key: value for key, value in paper.items() if key in Recipe.model_fields}
    scaled = paper["lr"] * batch_size / paper["batch_size"]
    settings |= {"lr": scaled if lr is None else lr, "batch_size": batch_size}
    return Recipe(
        name="paper", velocity=True, warmup=0.0, schedule="steps", init="paper", **settings
    )


def scaled_lr(family: str, batch_size: int, is_normalised: bool | None = None) -> float:
    """Return the learning rate of a family's paper, scaled linearly to a batch size.

    For a network of another library `is_normalised` decides instead of the family.

    >>> scaled_lr("alexnet", 128), scaled_lr("resnet", 16), scaled_lr("timm", 16, True)
    (0.01, 0.00625, 0.00625)
    """
    lr, paper_batch = PAPER_LR.get(family, PAPER_LR_ELSEWHERE)
    if is_normalised is not None:
        lr, paper_batch = LR_IF_NORMALISED[is_normalised]
    return lr * batch_size / paper_batch
