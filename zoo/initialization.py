"""Which values do a network's weights start from?

The file of each paper puts the paper's own initial state together from `normal_by_name` or `he`.
`common` is a rule for all networks: with it every network of the zoo can start learning from
images of zero mean and unit variance. A run of cnnbench does not stop there: it goes on with
`cnnbench.engine.data_dependent_init`, which fits layers to training images and zeroes heads.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["is_plain", "weighted"]

HEAD_STD = 0.01
_CALIBRATION_IMAGES = 2


def with_memory(skeleton: nn.Module) -> nn.Module:
    """Give a network laid out on the meta device memory that is still to be filled.

    A network built with memory at once would first be filled with torch's own default, which takes
    time: VGG-16 has 138 million weights.
    """
    return skeleton.to_empty(device=torch.get_default_device())


def weighted(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the layers that multiply, by name, in the order in which they were laid out."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }


def is_plain(layer: nn.Conv2d | nn.Linear) -> bool:
    """Tell whether a layer multiplies by its weights as they are, as torch's own classes do.

    Networks of other libraries have convolutions that standardise their weights at each use: to
    scale such weights changes nothing.
    """
    return type(layer).forward in (nn.Conv2d.forward, nn.Linear.forward)


def common(model: nn.Module, *, image_size: int) -> None:
    """Fill a network by the rule that all networks share.

    Weights are He-normal in shape and then scaled layer by layer, in the order of computation,
    until each layer's output has mean square 1 on smooth noise of unit variance (layer-sequential
    unit variance: Mishkin and Matas, "All you need is a good init", 2016). This makes up for what
    stands between two layers: pooling, dropout, a response normalisation whose gain is 0.59.
    Layers that give logits have std 0.01, so that the first loss is near log(num_classes), until
    a run zeroes them. Biases are 0; BatchNorm has gain 1, offset 0.
    """
    reset_rest(model)
    heads = _heads(model)
    for layer in weighted(model).values():
        normal(layer, std=HEAD_STD if layer in heads else he_std(layer))
    scaled = [layer for layer in weighted(model).values() if is_plain(layer) and layer not in heads]
    handles = [layer.register_forward_hook(_to_unit_mean_square) for layer in scaled]
    try:
        with torch.no_grad():
            model.train()(_smooth_noise(image_size).to(next(model.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()


def _to_unit_mean_square(layer: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    mean_square = output.square().mean()
    scale = torch.where(mean_square > 0, mean_square.rsqrt(), 1.0)
    layer.weight.mul_(scale)  # type: ignore[operator]
    return output * scale


def _smooth_noise(image_size: int) -> Tensor:
    """Draw `(2, 3, S, S)` images like photographs: amplitude 1 / frequency, related colours."""
    shape = (_CALIBRATION_IMAGES, 3, image_size, image_size)
    with torch.device("cpu"):
        white = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        frequency = torch.fft.fftfreq(image_size).square()
        amplitude = (frequency[:, None] + frequency[None, :]).clamp_min(image_size**-2).rsqrt()
    maps: Tensor = torch.fft.ifft2(torch.fft.fft2(white) * amplitude).real
    maps = 2 * maps.mean(dim=1, keepdim=True) + maps
    maps = maps - maps.mean()
    return maps / maps.std()


def he(model: nn.Module) -> None:
    """Fill every layer as He et al. (2015) do: normal, std sqrt(2 / fan_in), biases 0."""
    reset_rest(model)
    for layer in weighted(model).values():
        normal(layer, std=he_std(layer))


def normal(layer: nn.Conv2d | nn.Linear, *, std: float, bias: float = 0.0) -> None:
    """Draw a layer's weights from N(0, std^2) and set its bias."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)


def normal_by_name(
    model: nn.Module,
    *,
    std: float,
    stds: Mapping[str, float] = MappingProxyType({}),
    biases: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Draw every layer from N(0, std^2), with the named exceptions; other biases are 0."""
    reset_rest(model)
    for name, layer in weighted(model).items():
        normal(layer, std=stds.get(name, std), bias=biases.get(name, 0.0))


def he_std(layer: nn.Conv2d | nn.Linear) -> float:
    """Return sqrt(2 / fan_in), fan_in being the inputs that one output sums."""
    return math.sqrt(2 / layer.weight[0].numel())


def reset_rest(model: nn.Module) -> None:
    """Let every layer that is neither convolution nor linear fill its own state.

    A BatchNorm then has gain 1, offset 0 and the statistics of a unit normal.
    """
    for module in model.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None and not isinstance(module, (nn.Conv2d, nn.Linear)):
            reset()


def _heads(model: nn.Module) -> list[nn.Linear]:
    """Return the layers that give logits: those that the network names, else the last Linear."""
    named = getattr(model, "logit_layers", None)
    if named is not None:
        return [model.get_submodule(name) for name in named]  # type: ignore[misc]
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return linear[-1:]
