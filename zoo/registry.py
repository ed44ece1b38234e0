"""How does a name become a network?

Importing this file needs no torch; `build`, `describe` and `skeleton` import it when called.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from zoo.cards import ModelCard, cards, is_external, model_name

if TYPE_CHECKING:
    from torch import nn

    from zoo.complexity import Description

__all__ = ["Init", "build", "card", "describe", "probe", "register", "skeleton"]


# Where builders live. A family's module is imported when a network of the family is first built,
# so that importing `zoo` stays free of torch.
_FAMILY_MODULES: Final = {
    "lenet": "zoo.lenet",
    "alexnet": "zoo.alexnet",
    "zfnet": "zoo.zfnet",
    "vgg": "zoo.vgg",
    "googlenet": "zoo.googlenet",
    "resnet": "zoo.resnet",
    "fourlayer": "zoo.alexnet",
    "handmade": "zoo.baselines",
}

Init = Literal["paper", "common"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSpec:
    """What a builder is told: classes, square image side in pixels, and the initial state."""

    num_classes: int
    image_size: int
    init: Init


Builder = Callable[[BuildSpec], "nn.Module"]
Initializer = Callable[["nn.Module"], None]
_BuilderT = TypeVar("_BuilderT", bound=Builder)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    builder: Builder
    paper_init: Initializer


_ENTRIES: dict[str, _Entry] = {}


def register(name: str, *, init: Initializer) -> Callable[[_BuilderT], _BuilderT]:
    """Enter a builder under `name`; `init` fills the paper's own initial weights.

    A builder only lays out modules. Every parameter and buffer is filled afterwards, by `init`
    or by the initialisation that all networks share.
    """

    def enter(builder: _BuilderT) -> _BuilderT:
        """Enter the builder, unless the name is taken."""
        if name in _ENTRIES:
            raise ValueError(f"the model name {name!r} is registered twice")
        _ENTRIES[name] = _Entry(builder=builder, paper_init=init)
        return builder

    return enter


def card(name: str) -> ModelCard:
    """Return what is known of a network; only names of other libraries import torch.

    Raises:
        UnknownModel: no such name.
    """
    name = model_name(name).network
    if is_external(name):
        from zoo import external

        return external.card(name)
    return cards()[name]


def build(
    name: str,
    *,
    num_classes: int = 1000,
    init: Init = "paper",
    image_size: int | None = None,
) -> nn.Module:
    """Build a network with fresh weights drawn from torch's current random state.

    The network takes floats `(N, 3, H, W)` with `H = W = image_size` and returns logits
    `(N, num_classes)`. GoogLeNet in training mode returns `(main, aux_4a, aux_4d)`.

    Args:
        name: a registered name, an alias, a family, `timm:NAME` or `torchvision:NAME`; a start
            behind it is loaded afterwards, by `zoo.weights.fitting.load_start`.
        num_classes: width of the output.
        init: "paper" for the paper's own initial state (AlexNet then has the paper's dropout, too),
            "common" for the initialisation that all networks share. Under "paper", networks of
            other libraries keep the initialisation of their library.
        image_size: side of the square images in pixels; None means the paper's.

    Raises:
        UnknownModel: no such name.
        ValueError: the image is too small for the network, or an argument is out of range.
    """
    from zoo import initialization

    name, spec = _checked(name, num_classes, image_size, init)
    if is_external(name):
        from zoo import external

        model = external.build(name, num_classes=num_classes, image_size=spec.image_size)
    else:
        model = initialization.with_memory(_lay_out(name, spec))
        if init == "paper":
            _entry(name).paper_init(model)
    if init == "common":
        initialization.common(model, image_size=spec.image_size)
    return model


def describe(name: str, *, num_classes: int = 1000, image_size: int | None = None) -> Description:
    """Count a network's parameters and multiply-adds, layer by layer, without data.

    Raises:
        UnknownModel: no such name.
        ValueError: the image is too small for the network.
    """
    from zoo import complexity

    name, spec = _checked(name, num_classes, image_size, "paper")
    return complexity.describe(
        _lay_out(name, spec),
        name=name,
        num_classes=num_classes,
        image_size=spec.image_size,
    )


def skeleton(name: str, *, num_classes: int = 1000, image_size: int | None = None) -> nn.Module:
    """Lay a network out on the meta device: shapes and counts without any memory.

    Raises:
        UnknownModel: no such name.
        ValueError: the image is too small for the network, or an argument is out of range.
    """
    return _lay_out(*_checked(name, num_classes, image_size, "paper"))


@functools.cache
def probe(name: str, *, num_classes: int, image_size: int, n_images: int = 2) -> bool:
    """Try a network out on `n_images` images, without computing; tell if it is normalised.

    Raises:
        UnknownModel: no such name.
        CannotBuild: it cannot be trained on so many images of this size, or gives no logits.
        ValueError: an argument is out of range.
    """
    from zoo.traits import is_normalised, require_trainable

    model = skeleton(name, num_classes=num_classes, image_size=image_size)
    size = {"num_classes": num_classes, "image_size": image_size, "n_images": n_images}
    require_trainable(model, card(name), **size)
    return is_normalised(model)


def _lay_out(name: str, spec: BuildSpec) -> nn.Module:
    import torch

    with torch.device("meta"):
        if is_external(name):
            from zoo import external

            return external.build(name, num_classes=spec.num_classes, image_size=spec.image_size)
        return _entry(name).builder(spec)


def _checked(
    name: str, num_classes: int, image_size: int | None, init: Init
) -> tuple[str, BuildSpec]:
    name = model_name(name).network
    side = card(name).image_size if image_size is None else image_size
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, not {num_classes}")
    if side < 1:
        raise ValueError(f"image_size must be at least 1 pixel, not {side}")
    if init not in ("paper", "common"):
        raise ValueError(f"init must be 'paper' or 'common', not {init!r}")
    return name, BuildSpec(num_classes=num_classes, image_size=side, init=init)


def registered() -> list[str]:
    """Import every family and list the names that its builders entered."""
    for module in _FAMILY_MODULES.values():
        importlib.import_module(module)
    return list(_ENTRIES)


def _entry(name: str) -> _Entry:
    importlib.import_module(_FAMILY_MODULES[cards()[name].family])
    return _ENTRIES[name]
