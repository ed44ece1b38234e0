from __future__ import annotations

import numpy as np
import torch
from torch import nn

import zoo
from cnnbench.engine.device import Device
from cnnbench.engine.gallery import (
    candidates,
    first_filters,
    last_layer_inputs,
    nearest,
    representatives,
    worst_mistakes,
)

CPU = Device(torch_device=torch.device("cpu"), precision="fp32")


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 3))


def test_alexnet_has_96_first_filters_in_two_towers() -> None:
    filters, towers = first_filters(zoo.build("alexnet", num_classes=3))
    assert (filters.shape, filters.dtype, towers) == ((96, 11, 11, 3), np.uint8, 2)


def test_a_zero_weight_is_grey_and_the_largest_is_white_or_black() -> None:
    layer = nn.Conv2d(3, 2, 2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 0, 0] = 2.0
        layer.weight[1, 1, 1, 1] = -3.0
    filters, towers = first_filters(layer)
    assert filters[0, 0, 0].tolist() == [255, 128, 128]
    assert filters[1, 1, 1].tolist() == [128, 0, 128]
    assert towers == 1


def test_a_network_without_colour_filters_has_none() -> None:
    assert first_filters(nn.Conv2d(4, 2, 2))[0].shape[0] == 0


def test_features_are_what_enters_the_last_linear_layer_and_leave_nothing_behind() -> None:
    model = net().train()
    images = torch.randn(5, 3, 2, 2)
    features = last_layer_inputs(
        model, [(images[:3], torch.zeros(3)), (images[3:], torch.zeros(2))], CPU
    )
    assert features is not None
    assert torch.allclose(features, model[:3](images), atol=1e-6)
    assert model.training
    assert not any(layer._forward_hooks for layer in model)


def test_a_network_without_a_linear_layer_has_no_features() -> None:
    assert (
        last_layer_inputs(nn.Conv2d(3, 2, 1), [(torch.zeros(1, 3, 2, 2), torch.zeros(1))], CPU)
        is None
    )


def test_the_nearest_to_a_point_is_itself() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]])
    assert nearest(points[:2], points, 2).tolist() == [[0, 1], [1, 0]]


def test_representatives_are_of_different_classes_and_all_different() -> None:
    labels = np.arange(60, dtype=np.int64) % 12
    chosen = representatives(labels, 8)
    assert len(set(labels[chosen])) == 8
    assert len(set(representatives(np.zeros(20, dtype=np.int64), 8))) == 8


def test_the_worst_mistake_is_the_one_whose_right_class_was_least_probable() -> None:
    logits = np.array([[5, 0], [9, 0], [2, 0], [0, 3]], dtype=np.float32)
    labels = np.array([1, 1, 0, 1])
    assert worst_mistakes(logits, labels, 6).tolist() == [1, 0]


def test_neighbours_are_looked_for_among_fewer_images_where_a_pass_is_dear() -> None:
    assert len(candidates(1178, macs=10**8)) == 200
    assert len(candidates(1178, macs=10**12)) == 64
    assert candidates(10, macs=1).tolist() == list(range(10))
