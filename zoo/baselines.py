"""What could be done before networks learned their features: HOG and colour under a linear layer?

HOG is that of Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR
2005): nine unsigned orientations, blocks of 2 x 2 cells, L2-Hys. The colour histogram is that of
Swain and Ballard, "Color Indexing" (IJCV 1991). A linear layer on top learns in the same loop and
with the same loss as every network. So this is logistic regression and not the support vector
machine of Dalal and Triggs: hence `hog-linear` and not `hog-svm`.
"""

from collections import OrderedDict
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo import initialization
from zoo.lenet import Luminance
from zoo.registry import BuildSpec, register

# Both kinds of features have this Euclidean norm, so that one learning rate suits both: it stays
# under the 2 (1 + momentum) / curvature at which gradient descent diverges, curvature norm^2 / 2.
FEATURE_NORM = 14.0
_SIDE = 128  # pixels at which gradients are taken; smaller images are taken as they are
_CELLS = 8
_BLOCK = 2
_CLIP = 0.2
_EPSILON = 1e-5
_SAMPLED = 64  # pixels a side that are counted in a histogram


class HogFeatures(nn.Module):
    """Histograms of oriented gradients; has nothing to learn."""

    def __init__(self, cells: int = _CELLS, orientations: int = 9) -> None:
        super().__init__()
        self.cells = cells
        self.orientations = orientations
        self.grey = Luminance()
        self.features = (cells - _BLOCK + 1) ** 2 * _BLOCK**2 * orientations

    def forward(self, images: Tensor) -> Tensor:
        """Return `(N, features)` in float32, of Euclidean norm FEATURE_NORM or 0."""
        side = max(self.cells, min(_SIDE, images.shape[-1]) // self.cells * self.cells)
        with _full_precision(images.device):
            grey = self.grey(images.detach().float())
            grey = F.interpolate(grey, (side, side), mode="bilinear", antialias=True)
            blocks = hog(grey[:, 0], cell=side // self.cells, orientations=self.orientations)
            return blocks * (FEATURE_NORM / (self.cells - _BLOCK + 1))


def hog(grey: Tensor, *, cell: int, orientations: int) -> Tensor:
    """Return the HOG of grey images `(N, S, S)` in cells of `cell` pixels, `(N, features)`.

    The order of the features is that of scikit-image: block rows, block columns, cell rows, cell
    columns, orientations. Every block has norm 1, or less where nothing varies.
    """
    down, across = torch.zeros_like(grey), torch.zeros_like(grey)
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    angle = torch.rad2deg(torch.atan2(down, across)) % 180
    place = (angle * (orientations / 180)).long().clamp_max(orientations - 1)
    strength = _length(down, across)
    number = torch.arange(orientations, device=grey.device).view(1, -1, 1, 1)
    votes = torch.where(place[:, None] == number, strength[:, None], 0.0)
    histograms = F.avg_pool2d(votes, cell)
    blocks = histograms.unfold(2, _BLOCK, 1).unfold(3, _BLOCK, 1).permute(0, 2, 3, 4, 5, 1)
    blocks = blocks.flatten(3)
    clipped = _unit(blocks).clamp_max(_CLIP)
    return _unit(clipped).flatten(1)


def _length(down: Tensor, across: Tensor) -> Tensor:
    """Return the length of gradients; ONNX has no `hypot`, whose last digit differs."""
    if torch.compiler.is_exporting():
        return (down.square() + across.square()).sqrt()
    return torch.hypot(down, across)


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Switch autocast off: counting and comparing need float32.

    The meta device has no modes, and a graph for other programs is of float32 anyway.
    """
    has_modes = device.type != "meta" and not torch.compiler.is_exporting()
    return torch.autocast(device.type, enabled=False) if has_modes else nullcontext()


def _unit(blocks: Tensor) -> Tensor:
    return blocks * (blocks.square().sum(dim=-1, keepdim=True) + _EPSILON**2).rsqrt()


class ColourHistogram(nn.Module):
    """The shares of `bins` ** 3 colours among an image's pixels; has nothing to learn.

    The bins are even from -2.5 to 2.5 deviations of a channel; what lies beyond counts in the
    outermost. Square roots of the shares make distances those of Hellinger.
    """

    def __init__(self, bins: int = 8) -> None:
        super().__init__()
        self.bins = bins
        self.features = bins**3

    def forward(self, images: Tensor) -> Tensor:
        """Return `(N, features)` in float32, of Euclidean norm FEATURE_NORM."""
        step = max(1, images.shape[-1] // _SAMPLED)
        with _full_precision(images.device):
            pixels = images.detach().float()[:, :, ::step, ::step].flatten(2)
            place = ((pixels + 2.5) * (self.bins / 5)).long().clamp(0, self.bins - 1)
            number = torch.arange(self.bins, device=images.device).view(1, 1, -1, 1)
            red, green, blue = (place[:, :, None] == number).float().unbind(dim=1)
            pairs = (red[:, :, None] * green[:, None]).flatten(1, 2)
            # Whole numbers below 2^24 are added, so the sum has no rounding and no order.
            counts = pairs @ blue.transpose(1, 2)
            return (counts.flatten(1) / pixels.shape[-1]).sqrt() * FEATURE_NORM


def _start(model: nn.Module) -> None:
    """Begin from zero, as a convex problem may."""
    initialization.reset_rest(model)
    for layer in initialization.weighted(model).values():
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _with_linear(features: HogFeatures | ColourHistogram, spec: BuildSpec) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["features"] = features
    layers["linear"] = nn.Linear(features.features, spec.num_classes)
    return nn.Sequential(layers)


@register("hog-linear", init=_start)
def _hog_linear(spec: BuildSpec) -> nn.Module:
    return _with_linear(HogFeatures(), spec)


@register("colour-linear", init=_start)
def _colour_linear(spec: BuildSpec) -> nn.Module:
    return _with_linear(ColourHistogram(), spec)
