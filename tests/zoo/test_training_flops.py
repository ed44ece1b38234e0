"""Training FLOPs follow from multiply-adds: six a weight, four where the input is the image."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import zoo
from zoo.complexity import describe, training_flops
from zoo.registry import skeleton

GROUPED = ("alexnet", "torchvision:resnext50_32x4d", "torchvision:mobilenet_v2")
DEPTHWISE = ("timm:efficientnet_b0", "timm:mobilenetv3_small_050", "timm:convnext_atto")
PLAIN = ("lenet5", "zfnet", "vgg11", "resnet18", "resnet50")


@pytest.mark.parametrize("name", [*GROUPED, *DEPTHWISE, *PLAIN])
def test_they_are_six_a_multiply_add_less_the_gradient_of_the_image(name):
    facts = zoo.describe(name, num_classes=10)
    first = next(layer for layer in facts.layers if layer.macs)
    flops = training_flops(skeleton(name, num_classes=10), image_size=facts.image_size)
    assert flops == 6 * facts.macs - 2 * first.macs


@pytest.mark.parametrize("groups", [1, 2, 8, 64])
def test_a_grouped_convolution_costs_as_many_times_less_as_it_has_groups(groups):
    grouped = nn.Conv2d(64, 64, 3, padding=1, groups=groups)
    model = nn.Sequential(nn.Conv2d(3, 64, 1), grouped).to("meta")
    first, second = 3 * 64 * 16 * 16, 64 * (64 // groups) * 9 * 16 * 16
    assert training_flops(model, image_size=16) == 4 * first + 6 * second


class Attention(nn.Module):
    """Its first layer sees windows as images; its second is called past the layer."""

    def __init__(self):
        super().__init__()
        self.stem, self.first, self.second = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 5), nn.Linear(5, 7)

    def forward(self, images):
        tokens = self.stem(images).flatten(2).transpose(1, 2)
        windows = self.first(tokens.reshape(-1, 4, 6)).reshape(len(images), -1, 5)
        mixed = windows.softmax(1) @ windows.transpose(1, 2) @ windows  # attention: not counted
        return functional.linear(mixed, self.second.weight, self.second.bias).mean(1)


def test_weights_count_wherever_they_multiply():
    with torch.device("meta"):
        model = Attention()
    stem, tokens = 48 * 6 * 16, (6 * 5 + 5 * 7) * 16
    facts = describe(model, name="attention", num_classes=7, image_size=16)
    assert facts.macs == stem + tokens
    assert facts.activations == (6 + 5) * 16
    assert training_flops(model, image_size=16) == 4 * stem + 6 * tokens


def test_auxiliary_heads_count_because_they_train():
    facts = zoo.describe("googlenet", num_classes=10)
    flops = training_flops(skeleton("googlenet", num_classes=10), image_size=facts.image_size)
    first = next(layer for layer in facts.layers if layer.macs)
    without_heads = 6 * facts.macs - 2 * first.macs
    assert without_heads < flops < 1.02 * without_heads


def test_the_model_is_left_in_the_mode_it_was_in():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to("meta").eval()
    training_flops(model, image_size=8)
    assert not model.training
