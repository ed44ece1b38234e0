"""A head that is trained on features gives, folded into its network, what it gave on them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnbench.engine.data_dependent_init import zero_heads
from cnnbench.engine.device import Device
from cnnbench.engine.head import (
    FeatureScale,
    NoSingleHead,
    fold,
    keep_statistics,
    last_layer,
    layer_inputs,
)
from cnnbench.engine.optim import make_optimizer, set_lr
from cnnbench.schema.recipes import start_recipe

CPU = Device(torch_device=torch.device("cpu"), precision="fp32")


def a_network(head=None, behind=None):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        head or nn.Linear(5, 4),
        behind or nn.Identity(),
    )


def batches_of(n_images, size=3):
    torch.manual_seed(1)
    images, labels = torch.randn(n_images, 3, 8, 8), torch.zeros(n_images, dtype=torch.long)
    return list(zip(images.split(size), labels.split(size), strict=True))


@given(st.integers(2, 9), st.floats(0.01, 100), st.floats(-20, 20))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_a_folded_head_gives_the_logits_that_it_gave_on_scaled_features(n_images, scale, shift):
    """`shift` is in deviations: float32 has no digits left for features far from zero."""
    network, batches = a_network(), batches_of(n_images)
    layer = network[6]
    features = layer_inputs(network, [layer], batches, CPU)
    features = FeatureScale.over(features).scaled(features) * scale + shift * scale
    scaling = FeatureScale.over(features)
    linear = nn.Linear(5, 4)
    fold(layer, linear, scaling)
    with torch.no_grad():
        torch.testing.assert_close(
            layer(features), linear(scaling.scaled(features)), rtol=1e-3, atol=1e-3
        )


def test_scaled_features_have_mean_zero_and_deviation_one_and_constant_ones_stay_finite():
    features = torch.cat([torch.randn(50, 3) * 7 + 2, torch.full((50, 1), 3.0)], dim=1)
    scaled = FeatureScale.over(features).scaled(features)
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.std(dim=0, correction=0), torch.tensor([1.0, 1, 1, 0]))


def test_features_are_of_evaluation_mode_and_leave_the_network_as_it_was():
    network, batches = a_network().train(), batches_of(7)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, second = (layer_inputs(network, [network[6]], batches, CPU) for _ in range(2))
    assert torch.equal(first, second)  # dropout would differ
    assert first.shape == (7, 5)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_convolution_that_gives_the_logits_is_a_head_as_well():
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(5, 4, 1), nn.Flatten()
    )
    (images, _), *_ = batches = batches_of(6)
    layer = last_layer(network, zero_heads(network, images, CPU), images, CPU)
    assert layer is network[2]
    features = layer_inputs(network, [layer], batches, CPU)
    linear = nn.Linear(5, 4)
    fold(layer, linear, FeatureScale.over(features))
    with torch.no_grad():
        expected = linear(FeatureScale.over(features).scaled(features))[:3]
        torch.testing.assert_close(network.eval()(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        a_network(behind=nn.ReLU()),
        a_network(behind=nn.Softmax(dim=1)),
        a_network(head=nn.Linear(5, 4, bias=False)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ],
    ids=["relu", "softmax", "no-bias", "pooled-after"],
)
def test_a_network_whose_logits_are_not_one_layers_outputs_is_refused(network):
    images, _ = batches_of(2)[0]
    with pytest.raises(NoSingleHead, match="--train all"):
        last_layer(network, zero_heads(network, images, CPU), images, CPU)


def test_kept_statistics_stay_through_training_and_evaluation_modes():
    network = a_network()
    keep_statistics(network)
    norm = network[1]
    for mode in (True, False, True):
        network.train(mode)
        network(torch.randn(4, 3, 8, 8))
    assert torch.equal(norm.running_mean, torch.zeros(5))
    assert network[5].training  # dropout is as it was
    assert norm.weight.requires_grad


def test_the_body_learns_more_slowly_than_the_head():
    network, recipe = a_network(), start_recipe("all", lr=0.1, batch_size=None)
    optimizer = make_optimizer(network, recipe, head={"6.weight", "6.bias"})
    set_lr(optimizer, 0.1)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates[id(network[6].weight)] == rates[id(network[6].bias)] == 0.1
    body = [p for name, p in network.named_parameters() if not name.startswith("6.")]
    assert {rates[id(p)] for p in body} == {0.1 * recipe.body_lr}
    assert recipe.body_lr < 1
