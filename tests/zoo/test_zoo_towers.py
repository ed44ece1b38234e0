import pytest
import torch
from torch.nn import functional as F

import zoo
from zoo.alexnet_towers import merged_state, split

SPLITTABLE = ["alexnet-tower-lrn", "alexnet-code2012", "alexnet-no-lrn"]


def grouped(name, seed=0):
    torch.manual_seed(seed)
    return zoo.build(name, num_classes=5, image_size=64, init="common").double().eval()


def images():
    return torch.randn(
        2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


@pytest.mark.parametrize("name", SPLITTABLE)
def test_two_towers_give_the_logits_and_gradients_of_the_grouped_form(name):
    model = grouped(name)
    towers = split(model).eval().place(torch.device("cpu"), torch.device("cpu"))
    expected, ours = model(10 * images()), towers(10 * images())
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)
    for logits in (expected, ours):
        F.cross_entropy(logits, torch.tensor([0, 3])).backward()
    for part in towers.parameters():
        part.data = part.grad
    gradients = merged_state(towers)
    for weights_name, weights in model.named_parameters():
        torch.testing.assert_close(gradients[weights_name], weights.grad, rtol=0, atol=1e-10)


def test_weights_convert_both_ways_without_change():
    model = grouped("alexnet-tower-lrn")
    merged = merged_state(split(model))
    assert merged.keys() == model.state_dict().keys()
    assert all(torch.equal(merged[name], w) for name, w in model.state_dict().items())


def test_towers_hold_half_of_every_layer_but_the_last():
    towers = split(grouped("alexnet-tower-lrn"))
    assert towers.first["conv3"].weight.shape == (192, 256, 3, 3)
    assert towers.second["conv4"].weight.shape == (192, 192, 3, 3)
    assert towers.second["fc7"].weight.shape == (2048, 4096)
    assert "fc8" not in towers.second


def test_the_towers_exchange_maps_at_conv3_and_the_linear_layers_only():
    towers = split(grouped("alexnet-code2012"))
    exchanging = [name for name, reads in towers.reads.items() if reads in ("both", "logits")]
    assert exchanging == ["conv3", "fc6", "fc7", "fc8"]


def test_a_normalisation_across_the_towers_cannot_be_split():
    with pytest.raises(ValueError, match="build alexnet-tower-lrn"):
        split(grouped("alexnet"))


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_towers_run_on_two_gpus():
    model = grouped("alexnet-tower-lrn")
    expected = model(images())
    towers = split(model).eval().place(torch.device("cuda:0"), torch.device("cuda:1"))
    torch.testing.assert_close(towers(images()).cpu(), expected, rtol=0, atol=1e-8)
