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
from zoo.initialization import is_plain, weighted

__all__ = ["Layer", "hooked", "standardise_outputs", "zero_heads"]

_SMALLEST_STD = 1e-6

Layer = nn.Conv2d | nn.Linear


def standardise_outputs(model: nn.Module, images: Tensor, device: Device) -> None:
    """Scale and shift each layer with a bias to mean 0 and variance 1 over `images`.

    `images` is (N, 3, H, W), N at least 2, drawn from the training split. The layers that give
    logits are set to zero, so that the first loss is log(num_classes) for every network. An output
    that is the same for all images keeps its scale. Weights change in place; BatchNorm statistics
    and random generators stay as they were.
    """
    heads = zero_heads(model, images[:2], device)
    done: set[Layer] = set()  # a layer that is used twice is fitted to its first use

    def fit(layer: Any, _: object, output: Tensor) -> Tensor | None:
        if layer in done:
            return None
        done.add(layer)
        channels = 1 if isinstance(layer, nn.Conv2d) else output.ndim - 1
        axes = [axis for axis in range(output.ndim) if axis != channels]
        shape = [-1 if axis == channels else 1 for axis in range(output.ndim)]
        values = output.float()
        mean, std = values.mean(axes), values.std(axes)
        std = torch.where(std > _SMALLEST_STD, std, 1.0)
        layer.weight.div_(std.view(-1, *[1] * (layer.weight.ndim - 1)))
        layer.bias.sub_(mean).div_(std)
        return ((values - mean.view(shape)) / std.view(shape)).to(output.dtype)

    layers = (layer for layer in weighted(model).values() if is_plain(layer))
    fitted = [layer for layer in layers if layer.bias is not None and layer not in heads]
    with hooked(fitted, fit), torch.no_grad():
        _forward(model, images, device)


def zero_heads(model: nn.Module, images: Tensor, device: Device) -> list[Layer]:
    """Set the layers that give the logits to zero and return them; `images` are two or more.

    They are the layers with an output a class that stand last on the way to an output of the
    network, whatever pools or averages them afterwards (SqueezeNet's last convolution, the two
    heads of a distilled transformer). Where zeros in them would not give logits of zero, as in
    LeNet-5, which measures distances to codes, nothing is changed.
    """
    heads = _heads(model, images, device)
    values = [value for head in heads for value in head.parameters()]
    before = [value.detach().clone() for value in values]
    with torch.no_grad():
        for value in values:
            value.zero_()
        logits = _forward(model, images, device)
    if not any(output.any() for output in logits):
        _wake(model, heads, images, device)
        return heads
    with torch.no_grad():
        for value, kept in zip(values, before, strict=True):
            value.copy_(kept)
    return []


def _wake(model: nn.Module, heads: list[Layer], images: Tensor, device: Device) -> None:
    """Give heads that no gradient reaches biases of one: a ReLU behind them is flat at zero."""
    with torch.enable_grad():
        logits = _forward(model, images, device)
        # What raises the first class and nothing else gives every live head a gradient.
        gradients = torch.autograd.grad(
            [output[:, 0].sum() for output in logits], [head.weight for head in heads]
        )
    for head, gradient in zip(heads, gradients, strict=True):
        if head.bias is not None and not gradient.any():
            nn.init.ones_(head.bias)


def _heads(model: nn.Module, images: Tensor, device: Device) -> list[Layer]:
    """Return the last layers before the outputs of a network that have an output a class."""
    made_by: dict[Any, Layer] = {}  # the step of the graph that a layer added -> the layer

    def note(layer: Any, _: object, output: Tensor) -> None:
        made_by[output.grad_fn] = layer

    with hooked(weighted(model).values(), note), torch.enable_grad():
        outputs = _forward(model, images, device)
    last = [layer for output in outputs for layer in _last_layers(output, made_by)]
    n_classes = outputs[0].shape[1]
    return [layer for layer in dict.fromkeys(last) if layer.weight.shape[0] == n_classes]


def _last_layers(output: Tensor, made_by: dict[Any, Layer]) -> Iterator[Layer]:
    """Follow the graph back from an output and yield the first layers on each way."""
    pending: list[Any] = [output.grad_fn]
    seen: set[Any] = {None}  # where nothing has a gradient: the images, frozen layers
    while pending:
        step = pending.pop()
        if step in seen:
            continue
        seen.add(step)
        if step in made_by:
            yield made_by[step]
        else:
            pending += [earlier for earlier, _ in step.next_functions]


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
    with preserve_state(model, device.torch_device), device.autocast():
        output = model(images)
    return (output,) if isinstance(output, Tensor) else tuple(output)
