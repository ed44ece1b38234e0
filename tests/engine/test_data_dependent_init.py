"""The common start gives every layer outputs of mean 0 and variance 1 over training images."""

import math

import pytest
import torch
from torch import nn

from cnnbench.engine.data_dependent_init import standardise_outputs
from cnnbench.engine.device import Device

CPU = Device(torch_device=torch.device("cpu"), precision="fp32")


def images():
    return torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def plain():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 12), nn.ReLU(), nn.Linear(12, 4)
    )


def test_every_layer_but_the_head_gives_mean_zero_and_variance_one():
    model = plain()
    standardise_outputs(model, images(), CPU)
    features = model[0](images())
    hidden = model[:4](images())
    assert torch.allclose(features.mean((0, 2, 3)), torch.zeros(6), atol=1e-5)
    assert torch.allclose(features.std((0, 2, 3)), torch.ones(6), atol=1e-4)
    assert torch.allclose(hidden.mean(0), torch.zeros(12), atol=1e-4)
    assert torch.allclose(hidden.std(0), torch.ones(12), atol=1e-4)


def test_the_first_logits_are_zero_for_every_network():
    model = plain()
    standardise_outputs(model, images(), CPU)
    assert torch.equal(model(images()), torch.zeros(16, 4))


def test_a_network_with_batchnorm_keeps_its_convolutions_and_statistics():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(216, 4)
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    standardise_outputs(model, images(), CPU)
    after = model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert set(before) - same == {"3.weight", "3.bias"}


def test_the_random_generator_is_put_back():
    model = plain()
    model.insert(2, nn.Dropout())
    state = torch.get_rng_state()
    standardise_outputs(model, images(), CPU)
    assert torch.equal(state, torch.get_rng_state())


def test_a_layer_whose_outputs_are_not_the_logits_is_no_head():
    class Distances(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(192, 4)

        def forward(self, images):
            x = self.linear(images.flatten(1))
            x = x * 2
            return x + 1  # lies where the outputs of the linear layer lay

    torch.manual_seed(0)
    model = Distances()
    standardise_outputs(model, images(), CPU)
    assert model.linear.weight.abs().sum() > 0


class TransformerLike(nn.Module):
    """Tokens with the channels last, a layer used twice, two heads that are averaged."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, stride=4)
        self.shared = nn.Linear(6, 6)
        self.head, self.second_head = nn.Linear(6, 5), nn.Linear(6, 5)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = self.shared(torch.relu(self.shared(tokens)))
        mean = tokens.mean(1)
        return (self.head(mean) + self.second_head(mean)) / 2


class SqueezeNetLike(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 1)

    def forward(self, images):
        scores = torch.relu(self.head(torch.relu(self.features(images))))
        return scores.mean((2, 3))


class StandardisedWeights(nn.Conv2d):
    def forward(self, images):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / weight.std((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(images, weight, self.bias)


def first_loss(model):
    logits = model(images())
    return nn.functional.cross_entropy(logits, torch.arange(16) % logits.shape[1])


def test_channels_are_those_of_the_layer_wherever_its_output_has_them():
    torch.manual_seed(0)
    model = TransformerLike()
    standardise_outputs(model, images(), CPU)
    tokens = model.shared(model.patches(images()).flatten(2).transpose(1, 2))
    torch.testing.assert_close(tokens.mean((0, 1)), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(tokens.std((0, 1)), torch.ones(6), atol=1e-4, rtol=0)


@pytest.mark.parametrize("make", [TransformerLike, SqueezeNetLike])
def test_heads_that_are_averaged_pooled_or_convolutions_start_at_log_classes_and_learn(make):
    torch.manual_seed(0)
    model = make()
    standardise_outputs(model, images(), CPU)
    loss = first_loss(model)
    assert loss.item() == pytest.approx(math.log(5))
    loss.backward()
    assert all(p.grad.any() for name, p in model.named_parameters() if "head.weight" in name)


def test_an_output_that_is_the_same_for_all_images_keeps_its_scale():
    torch.manual_seed(0)
    model = plain()
    with torch.no_grad():
        model[0].weight[0] = 0.0
    standardise_outputs(model, images(), CPU)
    assert not model[0].weight[0].any()
    assert all(value.abs().max() < 100 for value in model.parameters())


def test_weights_that_are_standardised_at_each_use_are_left_alone():
    torch.manual_seed(0)
    model = nn.Sequential(StandardisedWeights(3, 6, 3), nn.Flatten(), nn.Linear(216, 4))
    before = model[0].weight.detach().clone()
    standardise_outputs(model, images(), CPU)
    assert torch.equal(model[0].weight, before)
    assert not model[2].weight.any()
