"""What must be computed to hold a network against its paper?

Each measure takes a model's name and the arguments that a statement in `papers.toml` gives, runs
a small computation from a fixed seed, and returns a plain value.
"""

import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo import alexnet_towers, registry, vgg
from zoo.layers import LocalResponseNorm
from zoo.weights import fitting

MEASURES: dict[str, Callable[..., Any]] = {}

# Big enough for every ImageNet network, small enough that its linear layers stay light.
_SMALL_SIDE = 80


def measure(function: Callable[..., Any]) -> Callable[..., Any]:
    """Enter a measure under its own name, by which `papers.toml` calls it; none needs gradients."""
    MEASURES[function.__name__] = torch.no_grad()(function)
    return function


@cache
def initialized(model: str, image_size: int | None = None) -> nn.Module:
    """Build a model with its paper's weights from a seed of its own; 10 classes."""
    state = torch.random.get_rng_state()
    torch.manual_seed(zlib.crc32(model.encode()))
    network = registry.build(model, num_classes=10, image_size=image_size)
    torch.random.set_rng_state(state)
    return network


def small(model: str) -> nn.Module:
    """Build a model as `initialized` does, at a size that keeps its linear layers light."""
    return initialized(model, image_size=min(registry.card(model).image_size, _SMALL_SIDE))


def _noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def _norm(model: str, layer: str) -> LocalResponseNorm:
    return cast(LocalResponseNorm, registry.skeleton(model).get_submodule(layer))


@measure
def lrn_golden(model: str, layer: str, channels: Sequence[float]) -> list[float]:
    """Normalise one position with the given activations, all in one group."""
    norm = _norm(model, layer)
    norm.groups = 1
    maps = torch.tensor(channels, dtype=torch.float64).view(1, -1, 1, 1)
    return cast("list[float]", norm(maps).flatten().tolist())


@measure
def lrn_difference_to_torch(model: str, layer: str, alpha: float) -> float:
    """Return the largest relative difference to torch's operation, called with `alpha`."""
    norm = _norm(model, layer)
    maps = _noise(2, 24, 4, 4) * 100
    theirs = F.local_response_norm(maps, norm.n, alpha=alpha, beta=norm.beta, k=norm.k)
    return float(((norm(maps) - theirs) / theirs).abs().max())


@measure
def lrn_window(model: str, layer: str, channels: Sequence[int], of: int) -> list[int]:
    """Count the maps that take part in normalising each of `channels`, out of `of` maps."""
    norm = _norm(model, layer)
    maps = torch.ones(1, of, 1, 1, dtype=torch.float64)
    energy = (norm(maps).flatten() ** (-1 / norm.beta) - norm.k) / norm.alpha
    return [round(float(energy[channel])) for channel in channels]


@measure
def lrn_gain(model: str, layer: str) -> float:
    """Return the factor on activations that are almost zero."""
    maps = torch.full((1, 8, 1, 1), 1e-9, dtype=torch.float64)
    return float(_norm(model, layer)(maps)[0, 4]) / 1e-9


@measure
def conv1_sides(model: str, image_sizes: Sequence[int], padded: bool) -> list[int]:
    """List the sides of conv1's map, with the model's padding or without any."""
    sides = []
    for side in image_sizes:
        network = cast(nn.Sequential, registry.skeleton(model, image_size=side))
        conv = cast(nn.Conv2d, network.get_submodule("conv1"))
        images = torch.empty(1, 3, side, side, device="meta")
        ready = network.get_submodule("pad")(images) if padded else images
        sides.append(F.conv2d(ready, conv.weight, stride=conv.stride).shape[-1])
    return sides


@measure
def padding_difference(model: str) -> float:
    """Return how much padding changes conv1 where no window reaches the padding."""
    network = initialized(model, image_size=_SMALL_SIDE)
    conv = cast(nn.Conv2d, network.get_submodule("conv1"))
    images = _noise(1, 3, 224, 224, dtype=torch.float32)
    plain = F.conv2d(images, conv.weight, stride=4)
    padded = F.conv2d(F.pad(images, (0, 3, 0, 3)), conv.weight, stride=4)
    return float((padded[:, :, :54, :54] - plain).abs().max())


@measure
def initial_std(model: str, layers: Sequence[str]) -> list[float]:
    """List the standard deviations of freshly drawn weights."""
    network = small(model)
    return [float(network.get_parameter(f"{layer}.weight").std()) for layer in layers]


@measure
def initial_std_ratio(model: str, layers: Sequence[str]) -> list[float]:
    """List the standard deviations of fresh weights in units of sqrt(2 / fan_in)."""
    network = small(model)
    weights = [network.get_parameter(f"{layer}.weight") for layer in layers]
    return [float(w.std() * (w[0].numel() / 2) ** 0.5) for w in weights]


@measure
def initial_range(model: str, layers: Sequence[str]) -> list[float]:
    """List the largest fresh weights in units of 1 / fan_in."""
    network = initialized(model)
    weights = [network.get_parameter(f"{layer}.weight") for layer in layers]
    return [float(w.abs().max() * w[0].numel()) for w in weights]


@measure
def initial_bias(model: str, layers: Sequence[str]) -> list[float]:
    """List the fresh biases; each is one value for the whole layer."""
    network = small(model)
    biases = [network.get_parameter(f"{layer}.bias") for layer in layers]
    return [float(bias[0]) if bias.min() == bias.max() else float("nan") for bias in biases]


@measure
def dropout_factors(model: str, layer: str) -> list[float]:
    """List the factors that dropout applies: those seen in training, then that of evaluation."""
    drop = initialized(model, image_size=_SMALL_SIDE).get_submodule(layer)
    ones = torch.ones(1000)
    state = torch.random.get_rng_state()
    training = sorted(set(drop.train()(ones).tolist()))
    torch.random.set_rng_state(state)
    return [*training, float(drop.eval()(ones)[0])]


@measure
def differs_on_signed_inputs(model: str, other: str, layers: int) -> bool:
    """Return whether the first `layers` layers of two models differ, given the same weights."""
    ours, theirs = (
        cast(nn.Sequential, initialized(name, image_size=_SMALL_SIDE)) for name in (model, other)
    )
    theirs.get_submodule("conv1").load_state_dict(ours.get_submodule("conv1").state_dict())
    images = 100 * _noise(1, 3, _SMALL_SIDE, _SMALL_SIDE, dtype=torch.float32)
    difference = ours[:layers](images) - theirs[:layers](images)
    return bool(difference.abs().max() > 1e-3)


@measure
def towers_difference(model: str) -> float:
    """Return the largest difference between two towers and the grouped form, in float64."""
    grouped = cast(nn.Sequential, initialized(model, image_size=_SMALL_SIDE)).double().eval()
    towers = alexnet_towers.split(grouped).eval()
    images = 100 * _noise(2, 3, _SMALL_SIDE, _SMALL_SIDE)
    difference = float((grouped(images) - towers(images)).abs().max())
    grouped.float()
    return difference


@measure
def outputs(model: str) -> list[int]:
    """Count the tensors of logits in training and in evaluation mode."""
    network = registry.skeleton(model, num_classes=10)
    images = torch.empty(2, 3, 224, 224, device="meta")
    counts = []
    for training in (True, False):
        result = network.train(training)(images)
        counts.append(len(result) if isinstance(result, tuple) else 1)
    return counts


@measure
def dense_difference(model: str) -> float:
    """Return the largest relative difference between dense evaluation and the linear layers."""
    network = cast(nn.Sequential, initialized(model, image_size=64)).eval()
    images = _noise(2, 3, 64, 64, dtype=torch.float32)
    plain, dense = network(images), vgg.dense(network).eval()(images)
    return float((plain - dense).abs().max() / plain.abs().max())


@measure
def dense_sides(model: str, image_sizes: Sequence[int]) -> list[int]:
    """List the sides of the map of scores that dense evaluation averages."""
    with torch.device("meta"):
        scores = vgg.dense(cast(nn.Sequential, registry.skeleton(model)))[:-2]
        return [scores(torch.empty(1, 3, side, side)).shape[-1] for side in image_sizes]


@measure
def inherited_layers(model: str, start: str) -> list[str]:
    """List the layers that a deeper network takes over from the one it starts from."""
    deeper, first = (
        cast(nn.Sequential, initialized(name, image_size=64)) for name in (model, start)
    )
    before = {name: weights.clone() for name, weights in deeper.state_dict().items()}
    vgg.start_from_a(deeper, first)
    changed = [
        name.rpartition(".")[0]
        for name, weights in deeper.state_dict().items()
        if name.endswith("weight") and not torch.equal(weights, before[name])
    ]
    deeper.load_state_dict(before)
    return changed


@measure
def library_params(model: str, library: str) -> int:
    """Count the parameters of another library's network, auxiliary heads included."""
    return registry.describe(library).params


@measure
def library_difference(model: str, library: str, side: int) -> float:
    """Return the largest relative difference of logits with another library's weights."""
    theirs = registry.build(library, num_classes=10).eval()
    ours = registry.build(model, num_classes=10, init="common").eval()
    fitting.load_start(
        ours,
        model,
        theirs.state_dict(),
        num_classes=10,
        image_size=registry.card(model).image_size,
        with_head=True,
    )
    images = _noise(2, 3, side, side, dtype=torch.float32)
    logits = theirs(images)
    return float((ours(images) - logits).abs().max() / logits.abs().max())


@measure
def torch_sgd(model: str, lrs: Sequence[float], rescale: bool) -> list[float]:
    """Follow torch's SGD from weight 1 with gradient 0.5, momentum 0.9, decay 0.0005.

    With `rescale` the momentum buffer is multiplied by old_lr / new_lr whenever the rate changes.
    """
    weight = nn.Parameter(torch.ones((), dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=lrs[0], momentum=0.9, weight_decay=5e-4)
    path = []
    for lr in lrs:
        group = optimizer.param_groups[0]
        if rescale and lr != group["lr"]:
            optimizer.state[weight]["momentum_buffer"].mul_(group["lr"] / lr)
        group["lr"] = lr
        weight.grad = torch.full_like(weight, 0.5)
        optimizer.step()
        path.append(weight.item())
    return path


@measure
def squash_limits(model: str) -> list[float]:
    """Return what the activation makes of very large and very small sums."""
    squash = registry.skeleton(model).get_submodule("squash1")
    return cast("list[float]", squash(torch.tensor([1e3, -1e3])).tolist())


@measure
def table_reads(model: str) -> list[int]:
    """Count how often table I lists each of the six maps."""
    from zoo.lenet import TABLE_I

    return [sum(each in reads for reads in TABLE_I) for each in range(6)]


@measure
def codes(model: str) -> list[Any]:
    """Return the number of fixed code values and the values that occur."""
    from zoo.lenet import class_codes

    fixed = class_codes(10)
    return [fixed.numel(), sorted(set(fixed.flatten().tolist()))]
