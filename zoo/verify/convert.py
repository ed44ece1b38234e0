"""How do weights of torchvision and timm come into the same networks of this zoo?

Both libraries and the zoo list the layers of these networks in the order of computation, so the
weights are matched by place and each match is checked by size. That the outputs are equal is
tested with random weights.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

# Ours on the left. Networks of the same name that are missing here differ in structure:
# torchvision's alexnet is `alexnet-owt`, its googlenet is none of ours, and its resnet18 and
# resnet34 pool with other windows.
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


def load_external(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load another library's state into the zoo's network of the same structure.

    `SAME_STRUCTURE` lists the pairs. Linear layers kept as 1x1 or 7x7 convolutions fit as well.

    Raises:
        ValueError: the number of tensors or the size of one of them differs.
    """
    state = model.state_dict()
    if len(state) != len(weights):
        raise ValueError(
            f"the weights hold {len(weights)} tensors and the network {len(state)}: "
            "these are different networks; see zoo.verify.convert.SAME_STRUCTURE"
        )
    matched = {}
    for (ours, place), (theirs, value) in zip(state.items(), weights.items(), strict=True):
        if place.numel() != value.numel():
            raise ValueError(
                f"{theirs} {tuple(value.shape)} does not fit {ours} {tuple(place.shape)}: "
                "these are different networks; see zoo.verify.convert.SAME_STRUCTURE"
            )
        matched[ours] = value.reshape(place.shape)
    model.load_state_dict(matched)
