"""From which weights does `common` start, so that plain and normalised networks both learn?

A deep network without BatchNorm hardly moves in its first hundred steps: the positive mean of its
ReLU features swamps the gradient. Krähenbühl, Doersch, Donahue and Darrell, "Data-dependent
Initializations of Convolutional Neural Networks" (ICLR 2016), fix that before training: every
layer is scaled and shifted so that each of its outputs has mean 0 and variance 1 over a batch of
training images. It is what a BatchNorm does at its first step, folded into weights and biases, so
networks that have BatchNorm are left as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cnnbench.engine.device import Machine, rng_put_back

_SMALLEST_STD = 1e-6


def standardise_outputs(model: nn.Module, images: Tensor, machine: Machine) -> None:
    """Scale and shift each layer with a bias to mean 0 and variance 1 over `images`.

    `images` is (N, 3, H, W), N at least 2, drawn from the training split. The layers that give
    logits are set to zero, so that the first loss is log(num_classes) for every network. Weights
    change in place; BatchNorm statistics and random generators stay as they were.
    """
    heads = _heads(model, images, machine)
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
    hooks = [layer.register_forward_hook(fit) for layer in fitted]
    try:
        _forward(model, images, machine)
    finally:
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        for head in heads:
            head.weight.zero_()
            if head.bias is not None:
                head.bias.zero_()


def _heads(model: nn.Module, images: Tensor, machine: Machine) -> list[nn.Linear]:
    """Return the linear layers whose outputs are the network's own outputs."""
    outputs: dict[int, nn.Linear] = {}

    def note(layer: Any, _: object, output: Tensor) -> None:
        outputs[id(output)] = layer

    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in linear]
    try:
        logits = _forward(model, images[:2], machine)
    finally:
        for hook in hooks:
            hook.remove()
    return [outputs[id(output)] for output in logits if id(output) in outputs]


def _forward(model: nn.Module, images: Tensor, machine: Machine) -> tuple[Tensor, ...]:
    """Run the network in training mode, leaving statistics and generators as they were."""
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    was_training = model.training
    model.train()
    with torch.no_grad(), rng_put_back(machine.device), machine.autocast():
        output = model(images)
    with torch.no_grad():
        for name, value in model.named_buffers():
            value.copy_(buffers[name])
    model.train(was_training)
    return (output,) if isinstance(output, Tensor) else tuple(output)
