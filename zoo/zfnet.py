"""What is ZFNet, the network of Zeiler and Fergus (2013), figure 3?

It is AlexNet on one GPU with smaller kernels and strides at the start, and it pools before it
normalises. The published 110x110 and 55x55 need the rule of the code it was trained with: sizes
round up, and what lies beyond the right and bottom edge reads as zero.
"""

from collections import OrderedDict
from functools import partial

from torch import nn

from zoo import initialization
from zoo.layers import LocalResponseNorm, flat_features
from zoo.registry import BuildSpec, register


def paper_init(model: nn.Module) -> None:
    """Fill as in section 3.1: weights of size 0.01 (read as the std of a normal), biases 0."""
    initialization.normal_by_name(model, std=0.01)


def zfnet(spec: BuildSpec, widths: tuple[int, int, int]) -> nn.Module:
    """Lay out the network; `widths` are those of conv3 to conv5."""
    beyond = -(spec.image_size - 7) % 2
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        pad=nn.ZeroPad2d((0, beyond, 0, beyond)),
        conv1=nn.Conv2d(3, 96, 7, stride=2),
        relu1=nn.ReLU(inplace=True),
        pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
        lrn1=LocalResponseNorm(),
        conv2=nn.Conv2d(96, 256, 5, stride=2),
        relu2=nn.ReLU(inplace=True),
        pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),
        lrn2=LocalResponseNorm(),
    )
    channels = 256
    for number, width in enumerate(widths, start=3):
        layers[f"conv{number}"] = nn.Conv2d(channels, width, 3, padding=1)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        channels = width
    layers["pool5"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    layers["flatten"] = nn.Flatten()
    features = flat_features(nn.Sequential(layers), image_size=spec.image_size)
    layers.update(
        fc6=nn.Linear(features, 4096),
        relu6=nn.ReLU(inplace=True),
        drop6=nn.Dropout(0.5),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(inplace=True),
        drop7=nn.Dropout(0.5),
        fc8=nn.Linear(4096, spec.num_classes),
    )
    return nn.Sequential(layers)


register("zfnet", init=paper_init)(partial(zfnet, widths=(384, 384, 256)))
register("zfnet-wide", init=paper_init)(partial(zfnet, widths=(512, 1024, 512)))
