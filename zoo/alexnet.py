"""What is AlexNet, as Krizhevsky, Sutskever and Hinton (2012) published it, and its relatives?

Sections 3.1 to 3.5 give the layers, section 5 the initial weights. The first convolution needs
the rule of the authors' code to reach the published 55x55 from 224x224: the output size rounds
up, and what lies beyond the right and bottom edge reads as zero. Two groups stand for two GPUs.

Each departure has its own name: the net that the authors' code trained, two well known
re-implementations, and one network for each claim that the paper makes about an ingredient.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from zoo import initialization
from zoo.layers import LocalResponseNorm, MaskDropout, flat_features
from zoo.registry import BuildSpec, Init, Initializer, register

# What follows a convolution, in order; "within" is the normalisation that only the code has.
Step = Literal["act", "lrn", "within", "pool"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conv:
    """A convolution and the steps after it."""

    width: int
    kernel: int
    padding: int = 0
    stride: int = 1
    groups: int = 1
    steps: tuple[Step, ...] = ("act",)


@dataclass(frozen=True, kw_only=True, slots=True)
class AlexNetPlan:
    """An AlexNet: five numbered convolutions and the options in which its relatives differ.

    `lrn_alpha` multiplies the plain sum; `lrn_groups` is 2 where each tower normalises alone.
    `rounds_up` completes the last window of the first convolution with zeros; `pools_round_up`
    keeps the last, incomplete window of the poolings, which the native size does not have.
    `dropout` says where it stands relative to the hidden layers, `masks` whether it is the
    paper's. `fixed_map` averages the last map to 6x6, whatever the image size.
    """

    convs: dict[int, Conv]
    lrn_k: float = 2.0
    lrn_alpha: float = 1e-4
    lrn_groups: int = 1
    pool_kernel: int = 3
    activation: type[nn.Module] = nn.ReLU
    dropout: Literal["after", "before", "none"] = "after"
    masks: bool = True
    rounds_up: bool = True
    pools_round_up: bool = True
    fixed_map: bool = False


PAPER = AlexNetPlan(
    convs={
        1: Conv(width=96, kernel=11, stride=4, steps=("act", "lrn", "pool")),
        2: Conv(width=256, kernel=5, padding=2, groups=2, steps=("act", "lrn", "pool")),
        3: Conv(width=384, kernel=3, padding=1),
        4: Conv(width=384, kernel=3, padding=1, groups=2),
        5: Conv(width=256, kernel=3, padding=1, groups=2, steps=("act", "pool")),
    }
)


def _with_convs(plan: AlexNetPlan, changes: dict[int, Conv | None]) -> AlexNetPlan:
    convs = {number: changes.get(number, conv) for number, conv in plan.convs.items()}
    return replace(plan, convs={n: conv for n, conv in convs.items() if conv is not None})


def _widths(plan: AlexNetPlan, *widths: int) -> AlexNetPlan:
    pairs = zip(plan.convs.items(), widths, strict=True)
    return _with_convs(
        plan, {number: replace(conv, width=w, groups=1) for (number, conv), w in pairs}
    )


def _steps(plan: AlexNetPlan, steps: dict[int, tuple[Step, ...]]) -> AlexNetPlan:
    return _with_convs(plan, {n: replace(plan.convs[n], steps=order) for n, order in steps.items()})


_NO_LRN: dict[int, tuple[Step, ...]] = {1: ("act", "pool"), 2: ("act", "pool")}
_CODE_STEPS: dict[int, tuple[Step, ...]] = {
    1: ("lrn", "pool", "act"),
    2: ("act", "lrn", "within", "pool"),
    5: ("pool", "act"),
}
_OWT_CONV1 = Conv(width=64, kernel=11, stride=4, padding=2, steps=("act", "pool"))

TOWER_LRN = replace(PAPER, lrn_groups=2)
CODE_2012 = replace(_steps(TOWER_LRN, _CODE_STEPS), lrn_alpha=1e-4 / 5)
CAFFE = replace(PAPER, lrn_k=1.0, lrn_alpha=1e-4 / 5, masks=False, rounds_up=False)
OWT = replace(
    _with_convs(_widths(_steps(PAPER, _NO_LRN), 64, 192, 384, 256, 256), {1: _OWT_CONV1}),
    dropout="before",
    masks=False,
    rounds_up=False,
    pools_round_up=False,
    fixed_map=True,
)
UNGROUPED = _widths(PAPER, 96, 256, 384, 384, 256)
ONE_GPU = _widths(PAPER, 48, 128, 192, 192, 256)


class WithinMapNorm(nn.Module):
    """The normalisation after conv2 that the 2012 code has and the paper does not mention.

    Divides each activation of `(N, C, H, W)` by (1 + 1e-3 * m)^0.75, where m is the mean square
    of the 5x5 window around it in its own map, zeros outside included.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        return x * (1 + 1e-3 * F.avg_pool2d(x.square(), 5, stride=1, padding=2)).pow(-0.75)


def lay_out(spec: BuildSpec, plan: AlexNetPlan) -> nn.Sequential:
    """Lay out a network; its layers are named `conv1`, `relu1`, `lrn1`, `pool1` ... `fc8`."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    first = plan.convs[1]
    if plan.rounds_up:
        beyond = -(spec.image_size - first.kernel) % first.stride
        layers["pad"] = nn.ZeroPad2d((0, beyond, 0, beyond))
    channels = 3
    for number, conv in plan.convs.items():
        layers[f"conv{number}"] = nn.Conv2d(
            channels,
            conv.width,
            conv.kernel,
            stride=conv.stride,
            padding=conv.padding,
            groups=conv.groups,
        )
        for step in conv.steps:
            name, layer = _step(step, plan)
            layers[f"{name}{number}"] = layer
        channels = conv.width
    if plan.fixed_map:
        layers["avgpool"] = nn.AdaptiveAvgPool2d(6)
    layers["flatten"] = nn.Flatten()
    features = flat_features(nn.Sequential(layers), image_size=spec.image_size)
    layers.update(_classifier(features, plan, num_classes=spec.num_classes, init=spec.init))
    return nn.Sequential(layers)


def _step(step: Step, plan: AlexNetPlan) -> tuple[str, nn.Module]:
    if step == "act":
        return plan.activation.__name__.lower(), _activation(plan)
    if step == "lrn":
        return "lrn", LocalResponseNorm(k=plan.lrn_k, alpha=plan.lrn_alpha, groups=plan.lrn_groups)
    if step == "within":
        return "within", WithinMapNorm()
    return "pool", nn.MaxPool2d(plan.pool_kernel, stride=2, ceil_mode=plan.pools_round_up)


def _activation(plan: AlexNetPlan) -> nn.Module:
    return nn.ReLU(inplace=True) if plan.activation is nn.ReLU else plan.activation()


def _classifier(
    features: int, plan: AlexNetPlan, *, num_classes: int, init: Init
) -> OrderedDict[str, nn.Module]:
    """Lay out fc6 to fc8.

    The paper's dropout comes with the paper's initial weights, because its missing factor 2 decides
    how strong the first activations are; torch's dropout comes with the common weights.
    """
    drop = MaskDropout if plan.masks and init == "paper" else nn.Dropout
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in (6, 7):
        if plan.dropout == "before":
            layers[f"drop{number}"] = drop(0.5)
        layers[f"fc{number}"] = nn.Linear(features if number == 6 else 4096, 4096)
        layers[f"{plan.activation.__name__.lower()}{number}"] = _activation(plan)
        if plan.dropout == "after":
            layers[f"drop{number}"] = drop(0.5)
    layers["fc8"] = nn.Linear(4096, num_classes)
    return layers


def paper_init(model: nn.Module) -> None:
    """Fill as in section 5: weights N(0, 0.01^2), bias 1 in conv2, conv4, conv5, fc6, fc7."""
    biases = dict.fromkeys(("conv2", "conv4", "conv5", "fc6", "fc7"), 1.0)
    initialization.normal_by_name(model, std=0.01, biases=biases)


def code_2012_init(model: nn.Module) -> None:
    """Fill as the authors' configuration files do: as the paper, but std 0.03 in conv3 to conv5."""
    paper_init(model)
    for name in ("conv3", "conv4", "conv5"):
        nn.init.normal_(model.get_parameter(f"{name}.weight"), std=0.03)


def caffe_init(model: nn.Module) -> None:
    """Fill as Caffe's replication: bias 0.1 where the paper has 1, std 0.005 in fc6 and fc7."""
    biases = dict.fromkeys(("conv2", "conv4", "conv5", "fc6", "fc7"), 0.1)
    stds = dict.fromkeys(("fc6", "fc7"), 0.005)
    initialization.normal_by_name(model, std=0.01, stds=stds, biases=biases)


def torch_init(model: nn.Module) -> None:
    """Fill as torch does by default: weights and biases uniform within 1 / sqrt(fan_in)."""
    for layer in initialization.weighted(model).values():
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.weight, -bound, bound)
        if layer.bias is not None:
            nn.init.uniform_(layer.bias, -bound, bound)


PLANS: dict[str, tuple[AlexNetPlan, Initializer]] = {
    "alexnet": (PAPER, paper_init),
    "alexnet-tower-lrn": (TOWER_LRN, paper_init),
    "alexnet-code2012": (CODE_2012, code_2012_init),
    "alexnet-caffe": (CAFFE, caffe_init),
    "alexnet-owt": (OWT, torch_init),
    "alexnet-one-gpu": (ONE_GPU, paper_init),
    "alexnet-ungrouped": (UNGROUPED, paper_init),
    "alexnet-tanh": (replace(PAPER, activation=nn.Tanh), paper_init),
    "alexnet-no-lrn": (_steps(PAPER, _NO_LRN), paper_init),
    "alexnet-pool2x2": (replace(PAPER, pool_kernel=2, pools_round_up=False), paper_init),
    "alexnet-no-dropout": (replace(PAPER, dropout="none"), paper_init),
    "alexnet-no-conv4": (_with_convs(PAPER, {4: None}), paper_init),
}

for _name, (_plan, _init) in PLANS.items():
    register(_name, init=_init)(partial(lay_out, plan=_plan))


# -- the four-layer network of figure 1 -----------------------------------------------------------
# The paper does not specify it and the archive holds no configuration of it. This is our choice:
# the `layers-19pct` network of the authors' code without normalisation, which has four layers of
# weights. Only the neuron differs between the two registered networks.


def code_init(model: nn.Module) -> None:
    """Fill as `layers-19pct` does: std 0.0001 in conv1, 0.01 elsewhere, biases 0."""
    initialization.normal_by_name(model, std=0.01, stds={"conv1": 1e-4})


def four_layers(spec: BuildSpec, activation: Callable[[], nn.Module]) -> nn.Module:
    """Lay out three convolutions of 5x5 and one linear layer; all pools are 3x3 with stride 2."""
    pools: dict[int, Callable[..., nn.Module]] = {1: nn.MaxPool2d, 2: nn.AvgPool2d, 3: nn.AvgPool2d}
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for number, width in {1: 32, 2: 32, 3: 64}.items():
        layers[f"conv{number}"] = nn.Conv2d(channels, width, 5, padding=2)
        layers[f"act{number}"] = activation()
        layers[f"pool{number}"] = pools[number](3, stride=2, ceil_mode=True)
        channels = width
    layers["flatten"] = nn.Flatten()
    features = flat_features(nn.Sequential(layers), image_size=spec.image_size)
    layers["fc4"] = nn.Linear(features, spec.num_classes)
    return nn.Sequential(layers)


register("cifar4-relu", init=code_init)(
    partial(four_layers, activation=partial(nn.ReLU, inplace=True))
)
register("cifar4-tanh", init=code_init)(partial(four_layers, activation=nn.Tanh))
