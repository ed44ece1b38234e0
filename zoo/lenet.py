"""What is LeNet-5, as LeCun, Bottou, Bengio and Haffner (1998), section II.B, published it?

The published net is far from what bears its name today: subsampling layers with trainable
coefficients, a third layer that reads chosen maps only (table I), and an output of distances to
fixed codes. `lenet5-relu` is the net of today's tutorials.

Two facts are known from notes and quotations only, not from the paper itself: C1, C3, C5 and F6
are squashed like the subsampling layers, and the initial range is +-2.4 / fan_in. The codes are our
own drawings of digits, because the figure with the published bitmaps was not seen.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo import initialization
from zoo.layers import flat_features
from zoo.registry import BuildSpec, register

# Table I: which of the six maps of S2 each map of C3 reads.
TABLE_I = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)

# Digits of 5x7 pixels, two octal figures a row, drawn into the middle of a 7x12 bitmap.
_DIGITS = (
    "16 21 23 25 31 21 16",
    "04 14 04 04 04 04 16",
    "16 21 01 02 04 10 37",
    "37 02 04 02 01 21 16",
    "02 06 12 22 37 02 02",
    "37 20 36 01 01 21 16",
    "06 10 20 36 21 21 16",
    "37 01 02 04 10 10 10",
    "16 21 21 16 21 21 16",
    "16 21 21 17 01 02 14",
)
_CODE_SHAPE = (12, 7)


class Luminance(nn.Module):
    """Turn colour images `(N, 3, H, W)` into one grey channel; grey images pass unchanged."""

    def forward(self, images: Tensor) -> Tensor:
        """Return `(N, 1, H, W)`, weighted as in ITU-R BT.601."""
        if images.shape[1] == 1:
            return images
        return 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]


class Squash(nn.Module):
    """The paper's activation, 1.7159 * tanh(2x / 3); any shape."""

    def forward(self, x: Tensor) -> Tensor:
        """Return values within +-1.7159."""
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """Sum each 2x2 square, times a coefficient, plus a bias: two parameters a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def reset_parameters(self) -> None:
        """Fill as the paper's layers with four inputs."""
        nn.init.uniform_(self.coefficient, -2.4 / 4, 2.4 / 4)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(N, C, H / 2, W / 2)`."""
        sums = 4 * F.avg_pool2d(x, 2)
        return sums * self.coefficient.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class TableConv(nn.Module):
    """C3: a 5x5 convolution in which each output map reads the maps that table I lists.

    Only the 60 listed kernels exist as parameters; they are laid into a dense kernel whose other
    entries are zero, so that one convolution does the work.
    """

    kernel_size = 5
    weights_per_position = 25 * sum(map(len, TABLE_I))

    def __init__(self) -> None:
        super().__init__()
        kernels = sum(map(len, TABLE_I))
        self.weight = nn.Parameter(torch.empty(kernels, 5, 5))
        self.bias = nn.Parameter(torch.empty(len(TABLE_I)))
        self.places: Tensor
        self.register_buffer("places", torch.empty(kernels, dtype=torch.int64), persistent=False)

    def reset_parameters(self) -> None:
        """Fill each kernel within +-2.4 / fan_in of its output map."""
        with torch.device("cpu"):
            fan_ins = torch.tensor([25.0 * len(reads) for reads in TABLE_I for _ in reads])
            places = [6 * out + read for out, reads in enumerate(TABLE_I) for read in reads]
            self.places.copy_(torch.tensor(places))
        with torch.no_grad():
            self.weight.uniform_(-2.4, 2.4).div_(fan_ins.to(self.weight.device).view(-1, 1, 1))
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(N, 16, H - 4, W - 4)`."""
        empty = self.weight.new_zeros(len(TABLE_I) * 6, 5, 5)
        dense = empty.index_copy(0, self.places, self.weight)
        return F.conv2d(x, dense.view(len(TABLE_I), 6, 5, 5), self.bias)


class CodeDistance(nn.Module):
    """The output layer: minus the squared distance to each class's fixed code of +-1.

    Minus, so that the largest value names the class, as logits do. The first ten codes are
    digits; further classes have random codes.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.codes: Tensor
        self.register_buffer("codes", torch.empty(num_classes, math.prod(_CODE_SHAPE)))

    def reset_parameters(self) -> None:
        """Write the codes."""
        with torch.device("cpu"):
            codes = class_codes(len(self.codes))
        self.codes.copy_(codes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `(N, num_classes)` of units `(N, 84)`."""
        return -(x.unsqueeze(1) - self.codes).square().sum(dim=2)


def class_codes(num_classes: int) -> Tensor:
    """Return one +-1 code of 84 values a class: digits first, then seeded random codes."""
    generator = torch.Generator().manual_seed(1998)
    codes = torch.randint(0, 2, (num_classes, *_CODE_SHAPE), generator=generator).float()
    for digit, rows in enumerate(_DIGITS[:num_classes]):
        bits = [[int(row, 8) >> (4 - column) & 1 for column in range(5)] for row in rows.split()]
        codes[digit] = F.pad(torch.tensor(bits, dtype=torch.float32), (1, 1, 2, 3))
    return codes.flatten(1) * 2 - 1


def paper_init(model: nn.Module) -> None:
    """Fill uniformly within +-2.4 / fan_in; biases 0."""
    initialization.reset_rest(model)
    for layer in initialization.weighted(model).values():
        bound = 2.4 / layer.weight[0].numel()
        nn.init.uniform_(layer.weight, -bound, bound)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


class LeNet5(nn.Sequential):
    """The layers of the paper in order; no linear layer gives the logits."""

    logit_layers = ()


@register("lenet5", init=paper_init)
def lenet5(spec: BuildSpec) -> nn.Module:
    """Lay out the published network; C5 covers the whole of S4's maps, 5x5 for 32 pixels."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        luminance=Luminance(),
        c1=nn.Conv2d(1, 6, 5),
        squash1=Squash(),
        s2=Subsampling(6),
        squash2=Squash(),
        c3=TableConv(),
        squash3=Squash(),
        s4=Subsampling(16),
        squash4=Squash(),
    )
    values = flat_features(nn.Sequential(layers), image_size=spec.image_size)
    layers.update(
        c5=nn.Conv2d(16, 120, math.isqrt(values // 16)),
        squash5=Squash(),
        flatten=nn.Flatten(),
        f6=nn.Linear(120, 84),
        squash6=Squash(),
        output=CodeDistance(spec.num_classes),
    )
    return LeNet5(layers)


@register("lenet5-relu", init=initialization.he)
def lenet5_relu(spec: BuildSpec) -> nn.Module:
    """Lay out the net of today's tutorials: full C3, ReLU, max-pooling, a linear output."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        luminance=Luminance(),
        c1=nn.Conv2d(1, 6, 5),
        relu1=nn.ReLU(inplace=True),
        s2=nn.MaxPool2d(2),
        c3=nn.Conv2d(6, 16, 5),
        relu3=nn.ReLU(inplace=True),
        s4=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
    )
    features = flat_features(nn.Sequential(layers), image_size=spec.image_size)
    layers.update(
        c5=nn.Linear(features, 120),
        relu5=nn.ReLU(inplace=True),
        f6=nn.Linear(120, 84),
        relu6=nn.ReLU(inplace=True),
        output=nn.Linear(84, spec.num_classes),
    )
    return nn.Sequential(layers)
