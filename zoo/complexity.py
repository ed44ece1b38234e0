"""How large is a network: parameters, multiply-adds, activations, layer by layer?

A multiply-add is a weight of a convolution or linear layer, used once. Bias, BatchNorm, pooling,
normalisation and activation functions are not counted; the papers do not count them either.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Description", "LayerRow", "describe", "training_flops"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRow:
    """A layer in the order of computation; fields that a layer does not have are None.

    `output_shape` leaves the batch out: `(C, H, W)` or `(C,)`.
    """

    name: str
    kind: str
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    padding: tuple[int, ...] | None
    groups: int | None
    output_shape: tuple[int, ...]
    params: int
    macs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """The counts of a network for one image.

    `params` counts all that trains, auxiliary heads included; `params_eval` only what evaluation
    uses. `macs`, `activations` (outputs of convolutions and linear layers) and `layers` belong to
    evaluation.
    """

    name: str
    num_classes: int
    image_size: int
    params: int
    params_eval: int
    macs: int
    activations: int
    layers: tuple[LayerRow, ...]


def describe(model: nn.Module, *, name: str, num_classes: int, image_size: int) -> Description:
    """Run one image `(1, 3, S, S)` through a model in evaluation mode and count.

    The image is created on the model's device; on the meta device nothing is computed. The
    model's mode is put back afterwards.
    """
    rows, idle = trace(model, image_size=image_size)
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Description(
        name=name,
        num_classes=num_classes,
        image_size=image_size,
        params=params,
        params_eval=params - idle,
        macs=sum(row.macs for row in rows),
        activations=sum(math.prod(row.output_shape) for row in rows if row.macs),
        layers=tuple(rows),
    )


def trace(model: nn.Module, *, image_size: int) -> tuple[list[LayerRow], int]:
    """List the layers that evaluation of one image runs through, in that order.

    Returns:
        The rows, and the number of trainable parameters in modules that did not run.
    """
    rows: list[LayerRow] = []
    ran: set[nn.Module] = set()

    def note(name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        """Add the row of a layer that has just run."""
        if name and _is_layer(module) and isinstance(output, Tensor):
            rows.append(_row(name, module, output, repeated=module in ran))
        ran.add(module)

    handles = [m.register_forward_hook(partial(note, name)) for name, m in model.named_modules()]
    was_training = model.training
    try:
        device = next(model.parameters()).device
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, image_size, image_size, device=device))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return rows, sum(_own_params(m) for m in model.modules() if m not in ran)


def training_flops(model: nn.Module, *, image_size: int) -> float:
    """Count the floating-point operations of training on one image, two a multiply-add.

    A layer multiplies once forward, once for the gradient of its weights and once for that of its
    input; images need no gradient, so the first layer has two of the three. Auxiliary heads count,
    as they train. As everywhere here, only convolutions and linear layers do: no attention.
    The model should be on the meta device, where nothing is computed.
    """
    flops = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal flops
        products = 3 if inputs[0].requires_grad else 2
        flops += products * 2 * _macs(module, tuple(output.shape[1:]))

    handles = [m.register_forward_hook(count) for m in model.modules() if _multiplies(m)]
    was_training = model.training
    try:
        device = next(model.parameters()).device
        model.train()(torch.zeros(2, 3, image_size, image_size, device=device))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return float(flops)


def _multiplies(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Linear) or hasattr(module, "weights_per_position")


def _is_layer(module: nn.Module) -> bool:
    return next(module.children(), None) is None or _own_params(module) > 0


def _own_params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters(recurse=False) if p.requires_grad)


def _row(name: str, module: nn.Module, output: Tensor, *, repeated: bool) -> LayerRow:
    shape = tuple(output.shape[1:])
    return LayerRow(
        name=name,
        kind=type(module).__name__,
        kernel=_pair(module, "kernel_size"),
        stride=_pair(module, "stride"),
        padding=_pair(module, "padding"),
        groups=getattr(module, "groups", None),
        output_shape=shape,
        params=0 if repeated else _own_params(module),
        macs=_macs(module, shape),
    )


def _macs(module: nn.Module, output_shape: tuple[int, ...]) -> int:
    if isinstance(module, nn.Conv2d):
        return int(module.weight[0].numel()) * math.prod(output_shape)
    if isinstance(module, nn.Linear):
        return module.in_features * math.prod(output_shape)
    # A convolution of another make says itself how many weights it uses at each position.
    return int(getattr(module, "weights_per_position", 0)) * math.prod(output_shape[1:])


def _pair(module: nn.Module, field: str) -> tuple[int, ...] | None:
    value = getattr(module, field, None)
    if isinstance(value, int):
        return (value, value)
    return tuple(value) if isinstance(value, tuple) else None
