"""What are the residual networks of He, Zhang, Ren and Sun (2015)?

Every convolution is followed by BatchNorm and, but for the last of a block, by ReLU; the last
ReLU comes after the addition. Where a stage begins with stride 2, the stride sits in the first
convolution of its first block, as in the authors' prototxts and as the paper's FLOPs require;
the networks named `-v1.5` have it in the 3x3 convolution instead.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from zoo import initialization
from zoo.registry import BuildSpec, register

# A: identity, new channels zero. B: projection where the shape changes. C: projection always.
Shortcut = Literal["A", "B", "C", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResNetPlan:
    """A residual network: blocks a stage, their kind, and the paper's options.

    `shortcut` is the option A, B or C of section 4.1, "none" for the plain networks.
    `stride_in_3x3` and `symmetric_pool` are the two habits of later libraries.
    """

    blocks: tuple[int, ...]
    bottleneck: bool = False
    shortcut: Shortcut = "B"
    widths: tuple[int, ...] = (64, 128, 256, 512)
    cifar_stem: bool = False
    stride_in_3x3: bool = False
    symmetric_pool: bool = False


class PaddedShortcut(nn.Module):
    """Option A: every `stride`-th pixel, new channels filled with zeros, no parameters."""

    def __init__(self, *, stride: int, new_channels: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, new_channels

    def forward(self, x: Tensor) -> Tensor:
        """Subsample `(N, C, H, W)` and append the empty channels."""
        kept = x[:, :, :: self.stride, :: self.stride]
        return F.pad(kept, (0, 0, 0, 0, 0, self.new_channels))


class Block(nn.Module):
    """A stack of convolutions and, unless the network is plain, a shortcut added to its output.

    Takes `(N, C, H, W)`; returns `(N, out_channels, H / stride, W / stride)`.
    """

    def __init__(self, channels: int, width: int, stride: int, plan: ResNetPlan) -> None:
        super().__init__()
        self.out_channels = width * 4 if plan.bottleneck else width
        self.body = nn.Sequential(_body(channels, width, stride, plan))
        self.shortcut = _shortcut(channels, self.out_channels, stride, plan)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the activated sum of the stack and the shortcut."""
        out = self.body(x)
        if self.shortcut is not None:
            out += self.shortcut(x)
        result: Tensor = self.relu(out)
        return result


def _body(channels: int, width: int, stride: int, plan: ResNetPlan) -> OrderedDict[str, nn.Module]:
    strides: tuple[int, ...]
    kernels: tuple[int, ...]
    widths: tuple[int, ...]
    if plan.bottleneck:
        strides = (1, stride, 1) if plan.stride_in_3x3 else (stride, 1, 1)
        kernels, widths = (1, 3, 1), (channels, width, width, width * 4)
    else:
        strides, kernels, widths = (stride, 1), (3, 3), (channels, width, width)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for place, (kernel, (before, after), step) in enumerate(
        zip(kernels, pairwise(widths), strides, strict=True), start=1
    ):
        if place > 1:
            layers[f"relu{place - 1}"] = nn.ReLU(inplace=True)
        layers[f"conv{place}"] = nn.Conv2d(
            before, after, kernel, stride=step, padding=kernel // 2, bias=False
        )
        layers[f"bn{place}"] = nn.BatchNorm2d(after)
    return layers


def _shortcut(channels: int, out_channels: int, stride: int, plan: ResNetPlan) -> nn.Module | None:
    same_shape = stride == 1 and channels == out_channels
    if plan.shortcut == "none":
        return None
    if plan.shortcut == "C" or (plan.shortcut == "B" and not same_shape):
        projection = nn.Conv2d(channels, out_channels, 1, stride=stride, bias=False)
        return nn.Sequential(OrderedDict(conv=projection, bn=nn.BatchNorm2d(out_channels)))
    if same_shape:
        return nn.Identity()
    return PaddedShortcut(stride=stride, new_channels=out_channels - channels)


def resnet(spec: BuildSpec, plan: ResNetPlan) -> nn.Module:
    """Lay out a residual or plain network; stages are named as in the paper from `conv2_x` on."""
    layers = _cifar_stem(plan) if plan.cifar_stem else _imagenet_stem(plan)
    channels = plan.widths[0]
    for stage, (count, width) in enumerate(zip(plan.blocks, plan.widths, strict=True)):
        blocks = []
        for place in range(count):
            stride = 2 if stage > 0 and place == 0 else 1
            blocks.append(block := Block(channels, width, stride, plan))
            channels = block.out_channels
        layers[f"conv{stage + 2}_x"] = nn.Sequential(*blocks)
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels, spec.num_classes)
    return nn.Sequential(layers)


def _imagenet_stem(plan: ResNetPlan) -> OrderedDict[str, nn.Module]:
    width = plan.widths[0]
    if plan.symmetric_pool:
        pool = nn.MaxPool2d(3, stride=2, padding=1)
    else:
        pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    # Pooling commutes with the ReLU and leaves it a quarter of the map.
    return OrderedDict(
        conv1=nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(width),
        pool1=pool,
        relu1=nn.ReLU(inplace=True),
    )


def _cifar_stem(plan: ResNetPlan) -> OrderedDict[str, nn.Module]:
    width = plan.widths[0]
    return OrderedDict(
        conv1=nn.Conv2d(3, width, 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(width),
        relu1=nn.ReLU(inplace=True),
    )


DEPTHS = {
    18: ResNetPlan(blocks=(2, 2, 2, 2)),
    34: ResNetPlan(blocks=(3, 4, 6, 3)),
    50: ResNetPlan(blocks=(3, 4, 6, 3), bottleneck=True),
    101: ResNetPlan(blocks=(3, 4, 23, 3), bottleneck=True),
    152: ResNetPlan(blocks=(3, 8, 36, 3), bottleneck=True),
}


def cifar_plan(depth: int) -> ResNetPlan:
    """Return section 4.2's network of `depth` = 6n + 2 layers for 32-pixel images, option A."""
    n = (depth - 2) // 6
    return ResNetPlan(blocks=(n, n, n), widths=(16, 32, 64), shortcut="A", cifar_stem=True)


def _plans() -> Iterator[tuple[str, ResNetPlan]]:
    for depth, plan in DEPTHS.items():
        yield f"resnet{depth}", plan
    for depth in (18, 34):
        yield f"resnet{depth}-a", replace(DEPTHS[depth], shortcut="A")
    yield "resnet34-c", replace(DEPTHS[34], shortcut="C")
    for depth in (50, 101, 152):
        plan = replace(DEPTHS[depth], stride_in_3x3=True, symmetric_pool=True)
        yield f"resnet{depth}-v1.5", plan
    for depth in (18, 34):
        yield f"plain{depth}", replace(DEPTHS[depth], shortcut="none")
    for depth in (20, 32, 44, 56, 110, 1202):
        yield f"resnet{depth}", cifar_plan(depth)
    for depth in (20, 32, 44, 56):
        yield f"plain{depth}", replace(cifar_plan(depth), shortcut="none")


for _name, _plan in _plans():
    register(_name, init=initialization.he)(partial(resnet, plan=_plan))
