"""How large is a network: parameters, multiply-adds, activations, layer by layer?

A multiply-add is a weight of a convolution or linear layer, used once. Bias, BatchNorm, pooling,
normalisation and activation functions are not counted; the papers do not count them either.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Description", "LayerRow", "describe", "training_flops"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRow:
    """A layer in the order of computation; fields that a layer does not have are None.

    `output_shape` leaves the batch out: `(C, H, W)` or `(C,)`. Where a transformer passes the
    windows of an image as if they were images, their number stands in front.
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
    rows: list[LayerRow] = []
    ran: set[nn.Module] = set()

    def note(name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        """Add the row of a layer that has just run."""
        if name and _is_layer(module) and isinstance(output, Tensor):
            rows.append(_row(name, module, output, repeated=module in ran))
        ran.add(module)

    loose_macs = _pass(model, 1, image_size, note, training=False)
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    idle = sum(_own_params(m) for m in model.modules() if m not in ran)
    return Description(
        name=name,
        num_classes=num_classes,
        image_size=image_size,
        params=params,
        params_eval=params - idle,
        macs=sum(row.macs for row in rows) + loose_macs,
        activations=sum(math.prod(row.output_shape) for row in rows if row.macs),
        layers=tuple(rows),
    )


def training_flops(model: nn.Module, *, image_size: int) -> float:
    """Count the floating-point operations of training on one image, two a multiply-add.

    A layer multiplies once forward, once for the gradient of its weights and once for that of its
    input; images need no gradient, so the first layer has two of the three. Auxiliary heads count,
    as they train. As everywhere here, only convolutions and linear layers do: no attention.
    The model should be on the meta device, where nothing is computed.
    """
    flops = 0

    def count(_name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal flops
        if _multiplies(module):
            products = 3 if inputs[0].requires_grad else 2
            flops += products * 2 * _macs(module, output)

    n_images = 2
    loose_macs = _pass(model, n_images, image_size, count, training=True)
    return (flops + 3 * 2 * loose_macs) / n_images


# -- a pass through a model -----------------------------------------------------------------------


class _LooseProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count the multiply-adds with weights that stand in no layer of the table.

    Transformers often hand the weights of a linear layer to a function instead of calling the
    layer, and recurrent or conditional layers have weights of their own. Attention multiplies
    one matrix an image, which is a batched product, and these are not counted.
    """

    macs = 0
    is_in_layer = False

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        output = operation(*args, **(kwargs or {}))
        kind = operation._overloadpacket
        if self.is_in_layer:
            return output
        if kind is torch.ops.aten.convolution:
            self.macs += output.numel() * args[1][0].numel()
        elif kind is torch.ops.aten.mm:
            self.macs += output.numel() * len(args[1])
        elif kind is torch.ops.aten.addmm:
            self.macs += output.numel() * len(args[2])
        return output


def _pass(
    model: nn.Module, n_images: int, image_size: int, note: Callable[..., None], *, training: bool
) -> int:
    """Pass blank images through a model, calling `note` after each module.

    Returns:
        The multiply-adds, for all images, that were made outside the layers that have some.
    """
    loose = _LooseProducts()  # type: ignore[no-untyped-call]

    def before(module: nn.Module, _inputs: Any) -> None:
        loose.is_in_layer = _multiplies(module)

    def after(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        loose.is_in_layer = False
        note(name, module, inputs, output)

    handles = [module.register_forward_pre_hook(before) for module in model.modules()]
    handles += [m.register_forward_hook(partial(after, name)) for name, m in model.named_modules()]
    was_training = model.training
    try:
        device = next(model.parameters()).device
        images = torch.zeros(n_images, 3, image_size, image_size, device=device)
        with torch.set_grad_enabled(training), loose:
            model.train(training)(images)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return loose.macs


def _multiplies(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Linear) or hasattr(module, "weights_per_position")


def _is_layer(module: nn.Module) -> bool:
    return next(module.children(), None) is None or _own_params(module) > 0


def _own_params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters(recurse=False) if p.requires_grad)


def _row(name: str, module: nn.Module, output: Tensor, *, repeated: bool) -> LayerRow:
    batch, *shape = output.shape
    return LayerRow(
        name=name,
        kind=type(module).__name__,
        kernel=_pair(module, "kernel_size"),
        stride=_pair(module, "stride"),
        padding=_pair(module, "padding"),
        groups=getattr(module, "groups", None),
        output_shape=tuple(shape if batch == 1 else output.shape),
        params=0 if repeated else _own_params(module),
        macs=_macs(module, output),
    )


def _macs(module: nn.Module, output: Tensor) -> int:
    """Count what a layer multiplied for an output, whatever its first axis stands for."""
    if isinstance(module, nn.Conv2d):
        return output.numel() * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    # A convolution of another make says itself how many weights it uses at each position.
    return int(getattr(module, "weights_per_position", 0)) * (output.numel() // output.shape[1])


def _pair(module: nn.Module, field: str) -> tuple[int, ...] | None:
    value = getattr(module, field, None)
    if isinstance(value, int):
        return (value, value)
    return tuple(value) if isinstance(value, tuple) else None
