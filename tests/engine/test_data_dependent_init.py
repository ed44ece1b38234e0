"""The common start gives every layer outputs of mean 0 and variance 1 over training images."""

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
