"""What are the VGG networks of Simonyan and Zisserman (2014), table 1?

Max-pooling and ReLU commute exactly (both keep order), so at the end of a block the pooling
comes first and ReLU works on a quarter of the map; values and gradients are the same.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from zoo import initialization
from zoo.layers import LocalResponseNorm, flat_features
from zoo.registry import BuildSpec, register

BLOCK_WIDTHS = (64, 128, 256, 512, 512)
INHERITED_FROM_A = ("conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc6", "fc7", "fc8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """A column of table 1: the kernel sizes of the convolutions in each of the five blocks.

    `lrn` adds a response normalisation after the first convolution's ReLU.
    """

    kernels: tuple[tuple[int, ...], ...]
    lrn: bool = False


A = Configuration(kernels=((3,), (3,), (3, 3), (3, 3), (3, 3)))
B = Configuration(kernels=((3, 3),) * 5)
A_LRN = replace(A, lrn=True)
C = Configuration(kernels=((3, 3), (3, 3)) + ((3, 3, 1),) * 3)
D = Configuration(kernels=((3, 3), (3, 3)) + ((3, 3, 3),) * 3)
E = Configuration(kernels=((3, 3), (3, 3)) + ((3, 3, 3, 3),) * 3)


def paper_init(model: nn.Module) -> None:
    """Fill as in section 3.1: weights of variance 0.01, which is std 0.1, and biases 0."""
    initialization.normal_by_name(model, std=0.1)


def vgg(spec: BuildSpec, configuration: Configuration) -> nn.Module:
    """Lay out a configuration; layers are named `conv3_2` for the second of block 3."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for block, kernels in enumerate(configuration.kernels, start=1):
        width = BLOCK_WIDTHS[block - 1]
        for place, kernel in enumerate(kernels, start=1):
            layers[f"conv{block}_{place}"] = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
            relu, pool = {f"relu{block}_{place}": nn.ReLU(inplace=True)}, {}
            if place == len(kernels):
                pool = {f"pool{block}": nn.MaxPool2d(2, stride=2)}
            if configuration.lrn and block == 1:
                # The normalisation reads what ReLU gives, so here ReLU cannot wait.
                layers.update(relu, lrn1=LocalResponseNorm(), **pool)
            else:
                layers.update(pool, **relu)
            channels = width
    layers["flatten"] = nn.Flatten()
    features = flat_features(nn.Sequential(layers), image_size=spec.image_size)
    layers.update(_classifier(features, num_classes=spec.num_classes))
    return nn.Sequential(layers)


def _classifier(features: int, *, num_classes: int) -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        fc6=nn.Linear(features, 4096),
        relu6=nn.ReLU(inplace=True),
        drop6=nn.Dropout(0.5),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(inplace=True),
        drop7=nn.Dropout(0.5),
        fc8=nn.Linear(4096, num_classes),
    )


def start_from_a(deeper: nn.Sequential, trained_a: nn.Sequential) -> None:
    """Copy configuration A's first four convolutions and three linear layers, as section 3.1 does.

    The paper does not say which layers of a deeper network receive them; by shape they are
    conv1_1, conv2_1, conv3_1 and conv3_2.
    """
    state = trained_a.state_dict()
    taken = {n: w for n, w in state.items() if n.rpartition(".")[0] in INHERITED_FROM_A}
    deeper.load_state_dict(taken, strict=False)


def dense(model: nn.Sequential) -> nn.Sequential:
    """Turn the linear layers into convolutions, as section 3.2 does, sharing the weights.

    The result takes `(N, 3, H, W)` of any size from 32 pixels times the side of fc6's map, and
    averages the map of class scores into logits `(N, num_classes)`; at the model's own image size
    these are the model's logits.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = BLOCK_WIDTHS[-1]
    for name, layer in model.named_children():
        if isinstance(layer, nn.Linear):
            layers[name] = _as_convolution(layer, channels)
            channels = layer.out_features
        elif not isinstance(layer, nn.Flatten):
            layers[name] = layer
    layers["average"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    return nn.Sequential(layers)


def _as_convolution(linear: nn.Linear, channels: int) -> nn.Conv2d:
    side = math.isqrt(linear.in_features // channels)
    with torch.device("meta"):
        convolution = nn.Conv2d(channels, linear.out_features, side)
    weight = linear.weight.detach().view(linear.out_features, channels, side, side)
    convolution.weight = nn.Parameter(weight)
    convolution.bias = linear.bias
    return convolution


CONFIGURATIONS = {"vgg11": A, "vgg11-lrn": A_LRN, "vgg13": B, "vgg16-c": C, "vgg16": D, "vgg19": E}

for _name, _configuration in CONFIGURATIONS.items():
    register(_name, init=paper_init)(partial(vgg, configuration=_configuration))
