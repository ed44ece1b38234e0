"""What is GoogLeNet, as Szegedy et al. (2014), table 1, published it?

Convolutions have biases and no BatchNorm; a ReLU follows each of them. Pooling with stride 2
rounds up, as the published sizes 112-56-28-14-7 require. Table 1 gives neither the places nor the
constants of the response normalisations, and the text no initial weights: both follow the
replication in Caffe.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo import initialization
from zoo.layers import LocalResponseNorm, flat_features
from zoo.registry import BuildSpec, register


@dataclass(frozen=True, slots=True)
class InceptionRow:
    """An inception row of table 1: output channels of the six convolutions, in its order."""

    conv1x1: int
    reduce3x3: int
    conv3x3: int
    reduce5x5: int
    conv5x5: int
    pool_proj: int


TABLE_1 = {
    "3a": InceptionRow(64, 96, 128, 16, 32, 32),
    "3b": InceptionRow(128, 128, 192, 32, 96, 64),
    "4a": InceptionRow(192, 96, 208, 16, 48, 64),
    "4b": InceptionRow(160, 112, 224, 24, 64, 64),
    "4c": InceptionRow(128, 128, 256, 24, 64, 64),
    "4d": InceptionRow(112, 144, 288, 32, 64, 64),
    "4e": InceptionRow(256, 160, 320, 32, 128, 128),
    "5a": InceptionRow(256, 160, 320, 32, 128, 128),
    "5b": InceptionRow(384, 192, 384, 48, 128, 128),
}


class Inception(nn.Module):
    """Four branches over one map `(N, C, H, W)`, joined along the channels.

    A ReLU after the joining replaces a ReLU on each branch: the values are the same.
    """

    def __init__(self, channels: int, row: InceptionRow) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(channels, row.conv1x1, 1)
        self.reduce3x3 = nn.Conv2d(channels, row.reduce3x3, 1)
        self.relu_reduce3x3 = nn.ReLU(inplace=True)
        self.conv3x3 = nn.Conv2d(row.reduce3x3, row.conv3x3, 3, padding=1)
        self.reduce5x5 = nn.Conv2d(channels, row.reduce5x5, 1)
        self.relu_reduce5x5 = nn.ReLU(inplace=True)
        self.conv5x5 = nn.Conv2d(row.reduce5x5, row.conv5x5, 5, padding=2)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.pool_proj = nn.Conv2d(channels, row.pool_proj, 1)
        self.relu = nn.ReLU(inplace=True)
        self.out_channels = row.conv1x1 + row.conv3x3 + row.conv5x5 + row.pool_proj

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined map `(N, out_channels, H, W)`."""
        branches = (
            self.conv1x1(x),
            self.conv3x3(self.relu_reduce3x3(self.reduce3x3(x))),
            self.conv5x5(self.relu_reduce5x5(self.reduce5x5(x))),
            self.pool_proj(self.pool(x)),
        )
        joined: Tensor = self.relu(torch.cat(branches, dim=1))
        return joined


class AuxiliaryHead(nn.Sequential):
    """The side classifier of section 5; the map of `side` pixels is 14 in the paper.

    Its 5x5 window shrinks to the map where the map is smaller, which a 224-pixel image never
    causes.
    """

    def __init__(self, channels: int, *, side: int, num_classes: int) -> None:
        window = min(5, side)
        pooled = (side - window) // 3 + 1
        super().__init__(
            OrderedDict(
                pool=nn.AvgPool2d(window, stride=3),
                conv=nn.Conv2d(channels, 128, 1),
                relu_conv=nn.ReLU(inplace=True),
                flatten=nn.Flatten(),
                fc=nn.Linear(128 * pooled * pooled, 1024),
                relu_fc=nn.ReLU(inplace=True),
                dropout=nn.Dropout(0.7),
                classifier=nn.Linear(1024, num_classes),
            )
        )


class GoogLeNet(nn.Module):
    """Nine inception modules; returns logits, in training `(main, aux_4a, aux_4d)`.

    `aux_weights` are the factors of the two auxiliary losses in the training loss.
    """

    aux_weights = (0.3, 0.3)
    logit_layers = ("classifier", "aux_4a.classifier", "aux_4d.classifier")

    def __init__(self, *, num_classes: int, image_size: int) -> None:
        super().__init__()
        # The first pooling commutes with the ReLU and halves its work.
        self.stem = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3),
                pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
                relu1=nn.ReLU(inplace=True),
                lrn1=LocalResponseNorm(alpha=1e-4 / 5, k=1.0),
                conv2_reduce=nn.Conv2d(64, 64, 1),
                relu2_reduce=nn.ReLU(inplace=True),
                conv2=nn.Conv2d(64, 192, 3, padding=1),
                relu2=nn.ReLU(inplace=True),
                lrn2=LocalResponseNorm(alpha=1e-4 / 5, k=1.0),
                pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            )
        )
        self.until_4a = _trunk(192, "3a", "3b", "pool3", "4a")
        self.until_4d = _trunk(512, "4b", "4c", "4d")
        self.rest = _trunk(528, "4e", "pool4", "5a", "5b")
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.4)
        self.classifier = nn.Linear(1024, num_classes)
        side = self._side_at_4a(image_size)
        self.aux_4a = AuxiliaryHead(512, side=side, num_classes=num_classes)
        self.aux_4d = AuxiliaryHead(528, side=side, num_classes=num_classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Return logits of images `(N, 3, H, W)`, in training mode a triple of them."""
        at_4a = self.until_4a(self.stem(x))
        at_4d = self.until_4d(at_4a)
        pooled = self.flatten(self.avgpool(self.rest(at_4d)))
        logits: Tensor = self.classifier(self.dropout(pooled))
        if not self.training:
            return logits
        return logits, self.aux_4a(at_4a), self.aux_4d(at_4d)

    def _side_at_4a(self, image_size: int) -> int:
        values = flat_features(nn.Sequential(self.stem, self.until_4a), image_size=image_size)
        return math.isqrt(values // 512)


def _trunk(channels: int, *names: str) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name in names:
        if name.startswith("pool"):
            layers[name] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        else:
            layers[f"inception{name}"] = inception = Inception(channels, TABLE_1[name])
            channels = inception.out_channels
    return nn.Sequential(layers)


def caffe_init(model: nn.Module) -> None:
    """Fill as Caffe's replication does, since the paper does not say: Xavier and bias 0.2.

    Caffe's Xavier is uniform within sqrt(3 / fan_in). Layers that give logits have bias 0.
    """
    initialization.reset_rest(model)
    for name, layer in initialization.weighted(model).items():
        bound = math.sqrt(3 / layer.weight[0].numel())
        nn.init.uniform_(layer.weight, -bound, bound)
        assert layer.bias is not None
        nn.init.constant_(layer.bias, 0.0 if name in GoogLeNet.logit_layers else 0.2)


@register("googlenet", init=caffe_init)
def googlenet(spec: BuildSpec) -> nn.Module:
    """Lay out the network of table 1 with its two auxiliary heads."""
    return GoogLeNet(num_classes=spec.num_classes, image_size=spec.image_size)
