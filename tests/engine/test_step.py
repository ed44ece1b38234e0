"""One step serves training and measuring: its parts in order, its heads weighed, its guard kept."""

import contextlib
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnbench.engine.device import Device
from cnnbench.engine.optim import make_optimizer
from cnnbench.engine.step import PARTS, accumulate_gradients, preserve_state, training_step
from cnnbench.schema.recipes import make_recipe

CPU = Device(torch_device=torch.device("cpu"), precision="fp32")
RECIPE = make_recipe("common", family="none", lr=0.1, batch_size=4)


class TwoHeads(nn.Module):
    aux_weights = (0.3,)

    def __init__(self):
        super().__init__()
        self.main, self.aux = nn.Linear(12, 3), nn.Linear(12, 3)

    def forward(self, images):
        return self.main(images.flatten(1)), self.aux(images.flatten(1))


def a_batch():
    images = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    return images, torch.tensor([0, 1, 2, 0])


def take_step(model, **options):
    optimizer = make_optimizer(model, RECIPE)
    return training_step(model, optimizer, a_batch, CPU, lr=0.1, **options)


@pytest.mark.parametrize(("micro_batch", "passes"), [(None, 1), (2, 2)])
def test_every_part_of_a_step_is_measured_in_order(micro_batch, passes):
    measured = []

    def measure(part):
        measured.append(part)
        return contextlib.nullcontext()

    take_step(TwoHeads(), micro_batch=micro_batch, measure=measure)
    assert measured == [PARTS[0], *PARTS[1:3] * passes, PARTS[3]]


def test_auxiliary_heads_weigh_what_the_network_says_and_are_not_in_the_reported_loss():
    model = TwoHeads()
    images, labels = a_batch()
    loss, _ = accumulate_gradients(model, images, labels, CPU).tolist()
    main, aux = (functional.cross_entropy(logits, labels) for logits in model(images))
    assert loss == pytest.approx(main.item())
    for layer, part in ((model.main, main), (model.aux, 0.3 * aux)):
        (gradient,) = torch.autograd.grad(part, layer.weight, retain_graph=True)
        torch.testing.assert_close(layer.weight.grad, gradient)


def test_a_loss_that_is_not_finite_moves_no_weight():
    model = TwoHeads()
    with torch.no_grad():
        model.aux.bias.fill_(math.inf)
        model.main.bias.fill_(math.nan)
    before = model.main.weight.detach().clone()
    loss, _ = take_step(model)
    assert math.isnan(loss)
    assert torch.equal(before, model.main.weight)


@pytest.mark.parametrize("error", [None, RuntimeError("out of memory")])
def test_passes_and_errors_in_preserve_state_leave_mode_buffers_and_generators_alone(error):
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout()).eval()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    generator = torch.get_rng_state()
    with contextlib.suppress(RuntimeError), preserve_state(model, CPU.torch_device):
        assert model.training
        model(a_batch()[0])
        if error:
            raise error
    assert not model.training
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    assert torch.equal(generator, torch.get_rng_state())


@pytest.mark.parametrize("n_images", [3, 5, 9])
def test_a_normalised_network_with_maps_of_one_place_takes_any_rest_in_passes(n_images):
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    images = torch.randn(n_images, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    loss, _ = accumulate_gradients(
        model, images, torch.zeros(n_images, dtype=torch.int64), CPU, micro_batch=2
    )
    assert math.isfinite(loss)
