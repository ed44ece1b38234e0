"""How do networks of timm and torchvision come into the same line-up?

This is the only file of the zoo that imports either library, and only when one of their networks
is asked for: `timm:efficientnet_b0`, `torchvision:densenet121`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.cards import SMALLEST_IMAGE_SIZE, ModelCard, UnknownModel
from zoo.registry import BuildSpec

if TYPE_CHECKING:
    from torch import nn

_URLS = {
    "timm": "https://github.com/huggingface/pytorch-image-models",
    "torchvision": "https://github.com/pytorch/vision",
}

# Networks that return auxiliary logits in training: the factors of their losses. They are also the
# two that warn unless told whether to initialise.
_TORCHVISION_AUX_WEIGHTS = {"googlenet": (0.3, 0.3), "inception_v3": (0.4,)}


def card(name: str) -> ModelCard:
    """Return the card of `timm:NAME` or `torchvision:NAME`, with its native image size.

    Raises:
        UnknownModel: the library has no such network.
    """
    library, model = _checked(name)
    return ModelCard(
        name=name,
        family=library,
        paper=f"see {library}'s documentation of {model}",
        authors=f"the authors of {library}",
        year=0,
        url=_URLS[library],
        image_size=image_size(name),
        smallest_image_size=SMALLEST_IMAGE_SIZE,
        num_classes=1000,
        params=None,
        macs=None,
        summary=f"{model} as {library} builds it.",
        departures=(),
        notes=("Not checked against a paper by this zoo.",),
        aliases=(),
        variant_of=None,
    )


def image_size(name: str) -> int:
    """Return the side in pixels of the images that a network was made for.

    Raises:
        UnknownModel: the library has no such network.
    """
    library, model = _checked(name)
    return _timm_image_size(model) if library == "timm" else _torchvision_image_size(model)


def build(name: str, spec: BuildSpec) -> nn.Module:
    """Build a network of another library with that library's initial weights.

    The image size reaches timm's networks whose layers depend on it (vision transformers).

    Raises:
        UnknownModel: the library has no such network.
        ValueError: the library refuses the arguments.
    """
    library, model = _checked(name)
    try:
        if library == "timm":
            return _build_timm(model, spec)
        return _build_torchvision(model, spec.num_classes)
    except (TypeError, AssertionError, RuntimeError) as error:
        raise ValueError(
            f"{library} could not build {model!r} for {spec.num_classes} classes and "
            f"{spec.image_size} pixels: {error}"
        ) from error


def _checked(name: str) -> tuple[str, str]:
    library, _, model = name.partition(":")
    known = _timm_names() if library == "timm" else _torchvision_names()
    if model not in known:
        listing = f"`{library}.models.list_models()`"
        if library == "timm":
            listing = "`timm.list_models()`"
        raise UnknownModel(
            name, [f"{library}:{each}" for each in known], listing=f"{listing} lists all"
        )
    return library, model


def _timm_names() -> list[str]:
    import timm

    return list(timm.list_models())


def _torchvision_names() -> list[str]:
    from torchvision import models

    return list(models.list_models(module=models))


def _build_timm(model: str, spec: BuildSpec) -> nn.Module:
    import timm

    fixed = _timm_facts(model).fixed_input_size
    options: dict[str, Any] = {"img_size": spec.image_size} if fixed else {}
    network: nn.Module = timm.create_model(model, num_classes=spec.num_classes, **options)
    return network


def _build_torchvision(model: str, num_classes: int) -> nn.Module:
    from torchvision import models

    aux_weights = _TORCHVISION_AUX_WEIGHTS.get(model)
    options: dict[str, Any] = {} if aux_weights is None else {"init_weights": True}
    network: Any = models.get_model(model, weights=None, num_classes=num_classes, **options)
    if aux_weights is not None:
        network.aux_weights = aux_weights
    built: nn.Module = network
    return built


def _timm_facts(model: str) -> Any:
    import timm

    return timm.get_pretrained_cfg(model)


def _timm_image_size(model: str) -> int:
    return int(_timm_facts(model).input_size[-1])


def _torchvision_image_size(model: str) -> int:
    from torchvision import models

    transforms = models.get_model_weights(model).DEFAULT.transforms()
    return int(transforms.crop_size[0])
