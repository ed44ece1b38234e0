"""How is the head of a network trained alone, on features that stay as they are?

The features are what the last layer is given, in evaluation mode. They are computed once, scaled
to mean 0 and deviation 1, and a linear layer is trained on them; then it takes the place of the
network's own, with the scaling folded into its weights.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnbench.engine.data_dependent_init import Layer, hooked
from cnnbench.engine.device import Device
from cnnbench.engine.evaluate import evaluation_mode

__all__ = ["FeatureScale", "NoSingleHead", "fold", "keep_statistics", "last_layer", "layer_inputs"]

_SMALLEST_STD = 1e-6


class NoSingleHead(ValueError):
    """A network whose logits are not just the outputs of one layer."""


def last_layer(model: nn.Module, heads: Iterable[Layer], images: Tensor, device: Device) -> Layer:
    """Return which of the heads, whose weights are zero, gives the logits in evaluation mode.

    `images` is (N, 3, H, W). The biases of the heads get other values.

    Raises:
        NoSingleHead: none does, or it has no bias to take up the shift of the features.
    """
    outputs: dict[Layer, Tensor] = {}

    def note(layer: Layer, _: object, output: Tensor) -> None:
        outputs[layer] = output

    biases = {layer: layer.bias for layer in heads if layer.bias is not None}
    for bias in biases.values():  # of both signs, so that whatever stands behind the layer shows
        bias.data.copy_(torch.linspace(-1, 1, len(bias)))
    with hooked(biases, note), evaluation_mode(model), device.autocast():
        logits = model(images)
    for layer, output in outputs.items():
        if output.numel() == logits.numel() and torch.equal(output.view_as(logits), logits):
            return layer
    raise NoSingleHead(
        "its head cannot be trained alone: its logits are not just the outputs of a last layer "
        "with a bias; train all of it with --train all"
    )


def keep_statistics(model: nn.Module) -> None:
    """Let BatchNorm use its running statistics as they are, in training mode, too."""
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.train = functools.partial(_stay_in_evaluation, layer)  # type: ignore[assignment]


def _stay_in_evaluation(layer: nn.Module, mode: bool = True) -> nn.Module:
    del mode
    return type(layer).train(layer, False)


def layer_inputs(
    model: nn.Module,
    layers: Iterable[nn.Module],
    batches: Iterable[tuple[Tensor, Tensor]],
    device: Device,
) -> Tensor | None:
    """Return for each image what the last of some layers is given, float32 `(N, D)`.

    It is the one that comes last in evaluation mode; None if none of them comes.
    """
    inputs: list[Tensor] = []
    features: list[Tensor] = []
    with hooked(layers, lambda _, args, __: inputs.append(args[0])), evaluation_mode(model):
        for images, _ in batches:
            inputs.clear()
            with device.autocast():
                model(images)
            if not inputs:
                return None
            features.append(inputs[-1].flatten(1).float().cpu())
    return torch.cat(features)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureScale:
    """The scaling of features `(N, D)`: to mean 0 and deviation 1 over the training images."""

    mean: Tensor
    std: Tensor

    @classmethod
    def over(cls, features: Tensor) -> "FeatureScale":
        """Return the scaling for some features; one that never varies is only shifted."""
        std = features.std(dim=0, correction=0)
        return cls(mean=features.mean(dim=0), std=torch.where(std > _SMALLEST_STD, std, 1.0))

    def scaled(self, features: Tensor) -> Tensor:
        """Return features `(N, D)` in the scale that a head is trained on."""
        return (features - self.mean) / self.std


def fold(layer: Layer, linear: nn.Linear, scaling: FeatureScale) -> None:
    """Let a network's last layer give what `linear` gives for the scaled inputs of that layer."""
    # In float64 on the host: the shift is a difference of large numbers, and some devices lack it.
    values = (linear.weight, linear.bias, scaling.std, scaling.mean)
    weight, bias, std, mean = (value.detach().cpu().double() for value in values)
    weight /= std
    assert layer.bias is not None  # as `last_layer` made sure
    with torch.no_grad():
        layer.weight.copy_(weight.view_as(layer.weight))
        layer.bias.copy_(bias - weight @ mean)
