"""From which weights does `common` start, so that plain and normalised networks both learn?

A deep network without BatchNorm hardly moves in its first hundred steps: the positive mean of its
ReLU features swamps the gradient. Krähenbühl, Doersch, Donahue and Darrell, "Data-dependent
Initializations of Convolutional Neural Networks" (ICLR 2016), fix that before training: every
layer is scaled and shifted so that each of its outputs has mean 0 and variance 1 over a batch of
training images. It is what a BatchNorm does at its first step, folded into weights and biases.
Layers without a bias, such as the convolutions of a ResNet, are left alone; heads become zero.

A run on `init="common"` comes here after `zoo.build`, whose `zoo.initialization.common` scales
the layers on smooth noise; that rule alone leaves heads at std 0.01.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from cnnbench.engine.device import Device
from cnnbench.engine.step import preserve_state

__all__ = ["standardise_outputs"]

_SMALLEST_STD = 1e-6


def standardise_outputs(model: nn.Module, images: Tensor, device: Device) -> None:
    """Scale and shift each layer with a bias to mean 0 and variance 1 over `images`.

    `images` is (N, 3, H, W), N at least 2, drawn from the training split. The layers that give
    logits are set to zero, so that the first loss is log(num_classes) for every network. Weights
    change in place; BatchNorm statistics and random generators stay as they were.
    """
    heads = _heads(model, images, device)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]

    def fit(layer: Any, _: object, output: Tensor) -> Tensor:
        axes = [axis for axis in range(output.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(output.ndim)]
        values = output.float()
        mean, std = values.mean(axes), values.std(axes).clamp_min(_SMALLEST_STD)
        layer.weight.div_(std.view(-1, *[1] * (layer.weight.ndim - 1)))
        layer.bias.sub_(mean).div_(std)
        return ((values - mean.view(shape)) / std.view(shape)).to(output.dtype)

    fitted = [layer for layer in layers if layer.bias is not None and layer not in heads]
    with hooked(fitted, fit):
        _forward(model, images, device)
    with torch.no_grad():
        for head in heads:
            head.weight.zero_()
            if head.bias is not None:
                head.bias.zero_()


def _heads(model: nn.Module, images: Tensor, device: Device) -> list[nn.Linear]:
    """Return the linear layers whose outputs are the network's own; the zoo goes by names."""
    outputs: list[tuple[Tensor, nn.Linear]] = []  # kept: the id of a freed tensor is used again

    def note(layer: Any, _: object, output: Tensor) -> None:
        outputs.append((output, layer))

    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    with hooked(linear, note):
        logits = _forward(model, images[:2], device)
    return [layer for output, layer in outputs if any(output is final for final in logits)]


@contextlib.contextmanager
def hooked(layers: Iterable[nn.Module], hook: Callable[..., Any]) -> Iterator[None]:
    """Within a block, call `hook(layer, inputs, output)` after each of the layers."""
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _forward(model: nn.Module, images: Tensor, device: Device) -> tuple[Tensor, ...]:
    """Run the network in training mode, leaving statistics and generators as they were."""
    with torch.no_grad(), preserve_state(model, device.torch_device), device.autocast():
        output = model(images)
    return (output,) if isinstance(output, Tensor) else tuple(output)
