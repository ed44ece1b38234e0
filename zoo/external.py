"""How do networks of timm and torchvision join the line-up?

Either library is imported only when a name asks for it: `timm:efficientnet_b0`,
`torchvision:densenet121`. Their weights are told of in `weights/external.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnbench.base.words import first_line
from zoo.cards import SMALLEST_IMAGE_SIZE, CannotBuild, ModelCard, UnknownModel

if TYPE_CHECKING:
    from torch import nn

_URLS = {
    "timm": "https://github.com/huggingface/pytorch-image-models",
    "torchvision": "https://github.com/pytorch/vision",
}

# Networks that return auxiliary logits in training: the factors of their losses. They are also the
# two that warn unless told whether to initialise.
AUX_WEIGHTS = {"googlenet": (0.3, 0.3), "inception_v3": (0.4,)}


def card(name: str) -> ModelCard:
    """Return the card of `timm:NAME` or `torchvision:NAME`, with its native image size.

    Raises:
        UnknownModel: the library has no such network.
        CannotBuild: the library is not installed.
    """
    library, model = checked(name)
    return ModelCard(
        name=name,
        family=library,
        paper=f"see {library}'s documentation of {model}",
        authors=f"the authors of {library}",
        year=0,
        url=_URLS[library],
        image_size=_timm_image_size(model) if library == "timm" else _torchvision_image_size(model),
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


def build(name: str, *, num_classes: int, image_size: int) -> nn.Module:
    """Build a network of another library with that library's initial weights.

    `image_size` reaches the networks whose layers depend on it (vision transformers, mixers).

    Raises:
        UnknownModel: the library has no such network.
        CannotBuild: the library is not installed, or refuses the arguments.
    """
    library, model = checked(name)
    make = _build_timm if library == "timm" else _build_torchvision
    try:
        return make(model, num_classes, image_size)
    except Exception as error:  # what another library raises, nobody knows
        raise CannotBuild(
            f"{library} cannot build {model} for {num_classes} classes and images of {image_size} "
            f"pixels ({first_line(error)[:200]}); try the size it was designed for, --image-size "
            f"{card(name).image_size}"
        ) from error


def checked(name: str) -> tuple[str, str]:
    """Split a name into library and network, if the library has it."""
    library, _, model = name.partition(":")
    try:
        if library == "timm":
            from timm import list_models

            known, lister = list_models(), "timm.list_models()"
        else:
            from torchvision import models

            known, lister = models.list_models(module=models), "torchvision.models.list_models()"
    except ImportError as error:
        raise CannotBuild(
            f"{name} needs {library}, which cannot be imported ({error}); "
            f"`python -m pip install {library}`, or leave the network out"
        ) from None
    if model not in known:
        names = [f"{library}:{each}" for each in known]
        untagged, _, tag = model.partition(".")
        if untagged in known:
            advice = f"`.{tag}` names weights, which are typed {library}:{untagged}@{tag}"
        else:
            advice = f"`{lister}` lists all"
        raise UnknownModel(name, names, advice)
    return library, model


def _build_timm(model: str, num_classes: int, image_size: int) -> nn.Module:
    import timm

    facts: Any = timm.get_pretrained_cfg(model)
    options: dict[str, Any] = {"img_size": image_size} if facts.fixed_input_size else {}
    network: nn.Module = timm.create_model(model, num_classes=num_classes, **options)
    return network


def _build_torchvision(model: str, num_classes: int, image_size: int) -> nn.Module:
    from torchvision import models

    aux_weights = AUX_WEIGHTS.get(model)
    options: dict[str, Any] = {} if aux_weights is None else {"init_weights": True}
    if model.startswith("vit_"):  # its layers and maxvit's depend on the image size
        options["image_size"] = image_size
    elif model.startswith("maxvit"):
        options["input_size"] = (image_size, image_size)
    network: Any = models.get_model(model, weights=None, num_classes=num_classes, **options)
    if aux_weights is not None:
        network.aux_weights = aux_weights
    built: nn.Module = network
    return built


def _timm_image_size(model: str) -> int:
    import timm

    facts: Any = timm.get_pretrained_cfg(model)
    return int(facts.input_size[-1])


def _torchvision_image_size(model: str) -> int:
    from torchvision import models

    transforms = models.get_model_weights(model).DEFAULT.transforms()
    return int(transforms.crop_size[0])
