"""How does AlexNet run on two devices, as it was published?

Each tower holds half of the kernels or units of every layer. The towers exchange their maps
before conv3 and before each fully connected layer, and nowhere else (section 3.5); the logits
are computed in the first tower, where the authors' configuration puts them.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.layers import LocalResponseNorm

__all__ = ["TwoTowers", "merged_state", "split"]

# own: a tower reads its own half. both: it reads the two halves side by side. image: it reads the
# input. logits: the first tower alone computes, from the two halves.
Reads = Literal["own", "both", "image", "logits"]


class TwoTowers(nn.Module):
    """Two halves of an AlexNet that may live on two devices.

    Takes `(N, 3, H, W)` on any device; the logits `(N, num_classes)` come from the first tower's
    device. Moving the module with `.to(device)` puts both towers on that device; `place` puts
    them on two.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.reads: dict[str, Reads] = {}
        self.first, self.second = nn.ModuleDict(), nn.ModuleDict()
        names = list(dict(model.named_children()))
        for name, layer in model.named_children():
            self.reads[name] = _reads(name, layer, last=name == names[-1])
            if self.reads[name] == "logits":
                self.first[name] = copy.deepcopy(layer)
            else:
                self.first[name], self.second[name] = (_half(layer, side) for side in (0, 1))

    def place(self, first: torch.device, second: torch.device) -> TwoTowers:
        """Move each tower to its device."""
        self.first.to(first)
        self.second.to(second)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return logits; activations cross devices at conv3 and the fully connected layers."""
        here, there = (next(t.parameters()).device for t in (self.first, self.second))
        a, b = images.to(here), images.to(there)
        for name, reads in self.reads.items():
            if reads in ("both", "logits"):
                joined_here = torch.cat((a, b.to(here)), dim=1)
                if reads == "logits":
                    logits: Tensor = self.first[name](joined_here)
                    return logits
                a, b = joined_here, torch.cat((a.to(there), b), dim=1)
            a, b = self.first[name](a), self.second[name](b)
        raise AssertionError("the last layer gives the logits")


def split(model: nn.Module) -> TwoTowers:
    """Give a grouped AlexNet's weights to two towers that compute the same function.

    Raises:
        ValueError: a layer of the model looks across the towers where the towers cannot.
    """
    return TwoTowers(model)


def merged_state(towers: TwoTowers) -> dict[str, Tensor]:
    """Return the towers' weights as the state of the grouped model, on the first device."""
    first, second = towers.first.state_dict(), towers.second.state_dict()
    merged = {}
    for name, weights in first.items():
        halves = [weights, second[name].to(weights.device)] if name in second else [weights]
        merged[name] = torch.cat(halves)
    return merged


def _reads(name: str, layer: nn.Module, *, last: bool) -> Reads:
    if name in ("pad", "conv1"):
        return "image"
    if last:
        return "logits"
    if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1):
        return "both"
    return "own"


def _half(layer: nn.Module, side: int) -> nn.Module:
    half = copy.deepcopy(layer)
    if isinstance(half, LocalResponseNorm):
        if half.groups != 2:
            raise ValueError(
                f"{half} normalises across the towers, which two devices cannot: "
                "build alexnet-tower-lrn, alexnet-code2012 or alexnet-no-lrn"
            )
        half.groups = 1
    elif isinstance(half, nn.Conv2d):
        half.out_channels //= 2
        if half.groups == 2:
            half.groups, half.in_channels = 1, half.in_channels // 2
        _keep(half, side)
    elif isinstance(half, nn.Linear):
        half.out_features //= 2
        _keep(half, side)
    return half


def _keep(layer: nn.Conv2d | nn.Linear, side: int) -> None:
    assert layer.bias is not None
    layer.weight = nn.Parameter(layer.weight.detach().chunk(2)[side].clone())
    layer.bias = nn.Parameter(layer.bias.detach().chunk(2)[side].clone())
