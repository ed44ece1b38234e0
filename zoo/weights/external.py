"""Which weights do timm and torchvision bring, for their own networks and for ours?

Nothing that the libraries know of their weights is copied: address, scaling, size and accuracy are
asked of them, and only when a name asks for it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from zoo.cards import is_external
from zoo.external import AUX_WEIGHTS, checked
from zoo.weights.card import UnknownWeights, WeightsCard

# Both libraries and the zoo list the layers of these networks in the order of computation, so their
# weights fit by place. Tests show with random weights that the outputs are equal.

# Ours on the left. Networks of the same name that are missing here differ in structure:
# torchvision's alexnet is `alexnet-owt`, its googlenet is none of ours.
SAME_STRUCTURE = {
    "vgg11": ("torchvision:vgg11", "timm:vgg11"),
    "vgg13": ("torchvision:vgg13", "timm:vgg13"),
    "vgg16": ("torchvision:vgg16", "timm:vgg16"),
    "vgg19": ("torchvision:vgg19", "timm:vgg19"),
    "resnet50-v1.5": ("torchvision:resnet50", "timm:resnet50"),
    "resnet101-v1.5": ("torchvision:resnet101", "timm:resnet101"),
    "resnet152-v1.5": ("torchvision:resnet152", "timm:resnet152"),
    "alexnet-owt": ("torchvision:alexnet",),
}

# Every weight of torchvision's networks of these names has its place in ours, with the same stride
# before and behind it. Only the pooling differs: the paper's windows begin at the first pixel,
# torchvision's one pixel ahead of it. That shifts a map and changes no filter, so the weights are
# a fair start; the accuracy that torchvision publishes is of its own network and is not repeated.
# (A resnet50 is another matter: there the stride sits in an earlier layer, and filters would see
# maps of half the size that they were trained on.)
SHIFTED_POOLING = ("resnet18", "resnet34")

_DEFAULTS = ("torchvision", "pretrained")  # what a library itself recommends
_HUB = "https://huggingface.co"
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # as torch.hub reads it

# Words of timm's tags that name a set of images. `_ft_` stands between two trainings.
_TIMM_SETS = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "jft": "JFT-300M",
}


def counterpart(network: str) -> str | None:
    """Return the network of torchvision whose weights one of ours can start from, if there is."""
    if network in SHIFTED_POOLING:
        return f"torchvision:{network}"
    theirs = SAME_STRUCTURE.get(network, ())
    return next((each for each in theirs if each.startswith("torchvision:")), None)


def takers_of_torchvisions(network: str) -> list[str]:
    """Name what can be typed where one of ours cannot start from torchvision's weights.

    These are the networks that torchvision's of this name is; all of ours where there is none.
    """
    from torchvision import models

    ours = [*SHIFTED_POOLING, *SAME_STRUCTURE]
    takers = [each for each in ours if counterpart(each) == f"torchvision:{network}"]
    if network in models.list_models(module=models):
        takers.append(f"torchvision:{network}")
    return [f"{each}@torchvision" for each in takers or ours]


def starts(network: str) -> list[str]:
    """List what can stand behind the @ of a network, as its library or torchvision offers it.

    Raises:
        UnknownModel: the library has no such network.
        CannotBuild: the library is not installed.
    """
    if not is_external(network):
        return ["torchvision"] if counterpart(network) else []
    library, model = checked(network)
    if library == "timm":
        import timm

        return [name.partition(".")[2] or "pretrained" for name in timm.list_pretrained(model)]
    from torchvision import models

    return [each.name for each in models.get_model_weights(model)]


def weights(network: str, start: str) -> WeightsCard | None:
    """Return what a library states of weights of its own; None where it has none of this name.

    Raises:
        UnknownModel: the library has no such network.
        CannotBuild: the library is not installed.
        UnknownWeights: weights that cnnbench cannot read.
    """
    name = f"{network}@{start}"
    if is_external(network):
        library, model = checked(network)
        get = _timm_weights if library == "timm" else _torchvision_weights
        return get(name, model, start)
    theirs = counterpart(network)
    if theirs is None or start != "torchvision":
        return None
    stated = _torchvision_weights(name, checked(theirs)[1], start)
    if stated is None or network not in SHIFTED_POOLING:
        return stated
    accuracy = "" if stated.top1 is None else f", for which {stated.top1:.1%} are published,"
    note = f"torchvision's {network}{accuracy} pools windows that begin a pixel earlier"
    return replace(stated, top1=None, notes=(*stated.notes, note))


def _torchvision_weights(name: str, model: str, start: str) -> WeightsCard | None:
    from torchvision import models

    offered: Any = models.get_model_weights(model).__members__
    chosen = offered.get("DEFAULT" if start in _DEFAULTS else start)
    if chosen is None:
        return None
    pixels = chosen.transforms()
    # These two bring standardised images into the range that they were trained on. That is an
    # argument of the network, so ours has to be given images in that range.
    is_from_minus_one_to_one = model in AUX_WEIGHTS
    is_swag = "SWAG" in chosen.name
    top1 = chosen.meta.get("_metrics", {}).get("ImageNet-1K", {}).get("acc@1")
    return WeightsCard(
        name=name,
        url=chosen.url,
        sha256=_hash_in(chosen.url),
        licence=chosen.meta.get("license", "BSD-3-Clause"),
        trained_on=("Instagram (3.6 billion images), then " if is_swag else "") + "ImageNet-1k",
        num_classes=len(chosen.meta["categories"]),
        mean=(0.5, 0.5, 0.5) if is_from_minus_one_to_one else tuple(pixels.mean),
        std=(0.5, 0.5, 0.5) if is_from_minus_one_to_one else tuple(pixels.std),
        image_size=int(pixels.crop_size[0]),
        top1=None if top1 is None else round(top1 / 100, 5),
    )


def _timm_weights(name: str, model: str, start: str) -> WeightsCard | None:
    import timm

    full = model if start == "pretrained" else f"{model}.{start}"
    if not timm.is_model_pretrained(full):
        return None
    facts: Any = timm.get_pretrained_cfg(full)
    url = facts.url
    if facts.hf_hub_id:
        url = (
            f"{_HUB}/{facts.hf_hub_id}/resolve/main/{facts.hf_hub_filename or 'model.safetensors'}"
        )
    if facts.custom_load or not isinstance(url, str):
        raise UnknownWeights(
            f"{name}: these weights are in a format of another library; "
            f"`cnnbench models timm:{model}` lists what there is"
        )
    return WeightsCard(
        name=name,
        url=url,
        sha256=_hash_in(url),
        licence=facts.license,
        trained_on=_timm_trained_on(facts.tag or ""),
        num_classes=facts.num_classes,
        mean=tuple(facts.mean),
        std=tuple(facts.std),
        image_size=int(facts.input_size[-1]),
    )


def _timm_trained_on(tag: str) -> str | None:
    """Say what a tag names: `sw_in12k_ft_in1k` is ImageNet-12k, then ImageNet-1k.

    A training whose set is none of the known ones is called as the tag calls it.
    """
    stages = []
    for stage in tag.split("_ft_"):
        known = [_TIMM_SETS[word] for word in stage.split("_") if word in _TIMM_SETS]
        stages.append(" and ".join(known) or stage)
    return ", then ".join(stages) or None


def _hash_in(url: str) -> str:
    match = _HASH_IN_NAME.search(url)
    return match[1] if match else ""
