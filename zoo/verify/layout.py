"""What can be read off a network's structure to hold against its paper?

Each measure takes a model's name and the arguments that a statement in `papers.toml` gives, looks
at the layout on the meta device, and returns a plain value. Nothing is computed on data.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from torch import nn

from zoo import registry
from zoo.complexity import Description, LayerRow

MEASURES: dict[str, Callable[..., Any]] = {}


def measure(function: Callable[..., Any]) -> Callable[..., Any]:
    """Enter a measure under its own name, by which `papers.toml` calls it."""
    MEASURES[function.__name__] = function
    return function


@cache
def description(model: str) -> Description:
    """Describe a model at its paper's number of classes."""
    return registry.describe(model, num_classes=registry.card(model).num_classes)


@cache
def layout(model: str) -> nn.Module:
    """Return a model without memory, at its paper's number of classes."""
    return registry.skeleton(model, num_classes=registry.card(model).num_classes)


@cache
def rows(model: str) -> dict[str, LayerRow]:
    """Return the layer rows of a model by name; a layer that ran twice keeps its first row."""
    listed: dict[str, LayerRow] = {}
    for row in description(model).layers:
        listed.setdefault(row.name, row)
    return listed


@measure
def params(model: str, classes: Sequence[int] = ()) -> int | list[int]:
    """Count the trainable parameters, or list the counts at several numbers of classes."""
    if not classes:
        return _size(layout(model))
    return [_size(registry.skeleton(model, num_classes=count)) for count in classes]


@measure
def params_eval(model: str) -> int:
    """Count the parameters that evaluation uses."""
    return description(model).params_eval


@measure
def params_beyond(model: str, other: str) -> int:
    """Return how many parameters a model has more than another."""
    return _size(layout(model)) - _size(layout(other))


@measure
def macs(model: str, unit: float = 1) -> float:
    """Count the multiply-adds of one image, in units of `unit`."""
    total = description(model).macs
    return total if unit == 1 else total / unit


@measure
def layer_params(model: str, layers: Sequence[str]) -> list[int]:
    """List the parameters of layers."""
    return [rows(model)[layer].params for layer in layers]


@measure
def part_params(model: str, parts: Sequence[str]) -> list[int]:
    """List the parameters of parts of the network, each with all that it contains."""
    return [_size(layout(model).get_submodule(part)) for part in parts]


@measure
def part_weights(model: str, parts: Sequence[str], unit: float = 1) -> list[float]:
    """List the weights of parts without biases, in units of `unit`."""
    return [
        sum(w.numel() for w in layout(model).get_submodule(part).parameters() if w.ndim > 1) / unit
        for part in parts
    ]


@measure
def part_macs(model: str, parts: Sequence[str], unit: float = 1) -> list[float]:
    """List the multiply-adds of parts of the network, in units of `unit`."""
    return [
        sum(row.macs for row in description(model).layers if _within(row.name, part)) / unit
        for part in parts
    ]


@measure
def part_macs_total(model: str, parts: Sequence[str], unit: float = 1) -> list[float]:
    """Return the multiply-adds of parts together, in units of `unit`, as a list of one number."""
    return [sum(part_macs(model, parts, unit))]


@measure
def stage_params(model: str) -> list[int]:
    """List the parameters of a ResNet's conv1 with its BatchNorm, its stages and fc."""
    stages = [name for name, _ in layout(model).named_children() if name.endswith("_x")]
    conv1, bn1, *rest = part_params(model, ["conv1", "bn1", *stages, "fc"])
    return [conv1 + bn1, *rest]


@measure
def strides(model: str, layers: Sequence[str]) -> list[list[int]]:
    """List the strides of layers."""
    return [list(rows(model)[layer].stride or ()) for layer in layers]


@measure
def conv_macs(model: str) -> int:
    """Count the multiply-adds of the convolutions alone."""
    return sum(row.macs for row in description(model).layers if row.kind == "Conv2d")


@measure
def param_share(model: str, layers: Sequence[str]) -> list[float]:
    """List the per cent of all parameters that layers hold."""
    return [100 * rows(model)[layer].params / description(model).params for layer in layers]


@measure
def shapes(model: str, layers: Sequence[str]) -> list[list[int]]:
    """List the output shapes of layers, `[C, H, W]`."""
    return [list(rows(model)[layer].output_shape) for layer in layers]


@measure
def sides(model: str, layers: Sequence[str]) -> list[int]:
    """List the sides in pixels of the maps that layers give."""
    return [rows(model)[layer].output_shape[-1] for layer in layers]


@measure
def channels(model: str, parts: Sequence[str]) -> list[int]:
    """List the output channels of parts of the network, by the last layer in each."""
    return [
        [row for row in description(model).layers if _within(row.name, part)][-1].output_shape[0]
        for part in parts
    ]


@measure
def weight_shapes(model: str, layers: Sequence[str]) -> list[list[int]]:
    """List the shapes of layers' weights."""
    return [list(layout(model).get_parameter(f"{layer}.weight").shape) for layer in layers]


@measure
def groups(model: str) -> list[int]:
    """List the groups of all convolutions in order."""
    return [row.groups or 1 for row in description(model).layers if row.kind == "Conv2d"]


@measure
def kinds(model: str, first: str, last: str) -> list[str]:
    """List the kinds of layer from one layer to another, in the order of computation."""
    names = [row.name for row in description(model).layers]
    chosen = description(model).layers[names.index(first) : names.index(last) + 1]
    return [row.kind for row in chosen]


@measure
def geometry(model: str, kind: str) -> list[list[int]]:
    """List the different `[kernel, stride, padding]` of all layers of a kind, in order."""
    sizes_of_layers = [
        [sizes[0] for sizes in (row.kernel, row.stride, row.padding) if sizes]
        for row in description(model).layers
        if row.kind == kind
    ]
    return [list(sizes) for sizes in dict.fromkeys(map(tuple, sizes_of_layers))]


@measure
def count(model: str, kind: str) -> int:
    """Count the modules of a kind, auxiliary heads included."""
    return Counter(type(module).__name__ for module in layout(model).modules())[kind]


@measure
def attributes(model: str, layer: str, names: Sequence[str]) -> list[Any]:
    """List attributes of a layer."""
    values = [getattr(layout(model).get_submodule(layer), name) for name in names]
    return [list(value) if isinstance(value, tuple) else value for value in values]


@measure
def own_attribute(model: str, name: str) -> Any:
    """Return an attribute of the network itself."""
    value = getattr(layout(model), name)
    return list(value) if isinstance(value, tuple) else value


@measure
def neurons(model: str, layers: Sequence[str]) -> list[int]:
    """List the numbers of activations that layers give for one image."""
    return [math.prod(rows(model)[layer].output_shape) for layer in layers]


@measure
def neurons_total(model: str, layers: Sequence[str]) -> int:
    """Sum the activations that layers give for one image."""
    return sum(neurons(model, layers))


@measure
def weight_layers(model: str) -> int:
    """Count the convolutions and linear layers on the main path."""
    return sum(row.macs > 0 and ".shortcut." not in row.name for row in description(model).layers)


@measure
def projections(model: str) -> int:
    """Count the shortcuts that are projections."""
    return sum(row.macs > 0 and ".shortcut." in row.name for row in description(model).layers)


@measure
def conv_biases(model: str) -> list[bool]:
    """List the different answers to the question whether a convolution has a bias."""
    convs = [module for module in layout(model).modules() if isinstance(module, nn.Conv2d)]
    return sorted({conv.bias is not None for conv in convs})


@measure
def connections(model: str, layers: Sequence[str]) -> list[int]:
    """List LeNet-5's connections by layer: each weight and bias counted at each position."""
    return [_connections(rows(model)[layer]) for layer in layers]


def _connections(row: LayerRow) -> int:
    channels, positions = row.output_shape[0], math.prod(row.output_shape[1:])
    if row.kind == "Subsampling":  # four inputs and a bias, though only two parameters
        return 5 * channels * positions
    if row.kind == "CodeDistance":
        return 84 * channels
    return row.params * positions


@measure
def connections_total(model: str, layers: Sequence[str]) -> int:
    """Sum LeNet-5's connections."""
    return sum(connections(model, layers))


def _size(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
