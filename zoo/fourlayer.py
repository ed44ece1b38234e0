"""Which four-layer network could figure 1 of the AlexNet paper have trained on CIFAR-10?

The paper does not specify it and the archive holds no configuration of it. This is our choice: the
`layers-19pct` network of the authors' code without normalisation, which has four layers of
weights. Only the neuron differs between the two registered networks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn

from zoo import initialization
from zoo.layers import flat_features
from zoo.registry import register
from zoo.spec import BuildSpec


def code_init(model: nn.Module) -> None:
    """Fill as `layers-19pct` does: std 0.0001 in conv1, 0.01 elsewhere, biases 0."""
    initialization.normal_by_name(model, std=0.01, stds={"conv1": 1e-4})


def four_layers(spec: BuildSpec, activation: Callable[[], nn.Module]) -> nn.Module:
    """Lay out three convolutions of 5x5 and one linear layer; all pools are 3x3 with stride 2."""
    pools: dict[int, Callable[..., nn.Module]] = {1: nn.MaxPool2d, 2: nn.AvgPool2d, 3: nn.AvgPool2d}
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for number, width in {1: 32, 2: 32, 3: 64}.items():
        layers[f"conv{number}"] = nn.Conv2d(channels, width, 5, padding=2)
        layers[f"act{number}"] = activation()
        layers[f"pool{number}"] = pools[number](3, stride=2, ceil_mode=True)
        channels = width
    layers["flatten"] = nn.Flatten()
    features = flat_features(nn.Sequential(layers), image_size=spec.image_size)
    layers["fc4"] = nn.Linear(features, spec.num_classes)
    return nn.Sequential(layers)


register("cifar4-relu", init=code_init)(
    partial(four_layers, activation=partial(nn.ReLU, inplace=True))
)
register("cifar4-tanh", init=code_init)(partial(four_layers, activation=nn.Tanh))
