"""A network lies on as many devices as its cell says, and comes back to one as it was."""

import contextlib
import dataclasses

import pytest
import torch
from contexts import a_context
from torch import nn

import zoo
from cnnbench.engine.ranks import Ranks
from cnnbench.runner.cell import Interrupted, run_cell
from cnnbench.runner.devices import (
    devices_here,
    on_devices,
    whole_network,
    with_shared_statistics,
)
from cnnbench.store import CellFolder

TOWERS = {"model": "alexnet-tower-lrn", "devices": 2, "parallel": "towers", "image_size": 64}


def names(device):
    return [str(one) for one in (device.torch_device, *device.others)]


def test_each_rank_has_a_gpu_and_two_towers_have_two(folder):
    def on(rank=0, **changes):
        return names(devices_here(folder.cell.model_copy(update=changes), rank))

    assert on() == ["cpu"]
    assert on(device="cuda") == ["cuda"]
    assert on(3, device="cuda", devices=8) == ["cuda:3"]
    assert on(3, devices=8) == ["cpu"]
    assert on(device="cuda", **TOWERS) == ["cuda:0", "cuda:1"]
    assert on(**TOWERS) == ["cpu", "cpu"]


@pytest.mark.parametrize("init", ["common", "paper"])
def test_two_towers_come_back_as_the_network_that_they_were(folder, init):
    recipe = folder.cell.recipe.model_copy(update={"init": init})
    cell = folder.cell.model_copy(update=TOWERS | {"recipe": recipe})
    grouped = zoo.build(cell.model, num_classes=3, image_size=64, init=init).eval()
    device = devices_here(cell)
    towers = on_devices(grouped, device).eval()
    images = torch.rand(2, 3, 64, 64)
    again = whole_network(towers, device, cell, 3).eval()
    assert towers is not grouped
    torch.testing.assert_close(again(images), grouped(images))
    torch.testing.assert_close(towers(images), grouped(images))
    state = grouped.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())
    assert whole_network(grouped, device, cell, 3) is grouped


def test_shared_statistics_take_the_place_of_every_batchnorm_under_the_same_names():
    network = zoo.build("resnet18", num_classes=3, image_size=64)
    expected = network.state_dict().keys()
    shared = with_shared_statistics(network)
    kinds = {type(layer) for layer in shared.modules()}
    assert nn.SyncBatchNorm in kinds
    assert nn.BatchNorm2d not in kinds
    assert shared.state_dict().keys() == expected


@pytest.mark.slow
def test_a_cell_of_two_towers_goes_on_with_the_same_bits_and_keeps_the_grouped_network(folder):
    cell = folder.cell.model_copy(update=TOWERS)
    kept = {}
    for name, stops in {"whole": [None], "stopped": [5, None]}.items():
        of_cell = CellFolder(folder.path.parent / name, cell)
        for stop_after in stops:
            context = dataclasses.replace(
                a_context(of_cell, stop_after=stop_after, keeps=True),
                device=devices_here(cell),
                ranks=Ranks(seed=cell.seed),
            )
            torch.rand(stop_after or 1)  # whatever else was drawn
            with of_cell.lock(), contextlib.suppress(Interrupted):
                result = run_cell(context)
        assert (result.status, result.devices) == ("done", 2)
        kept[name] = of_cell.weights(of_cell.kept())
    grouped = zoo.build(cell.model, num_classes=3, image_size=64).state_dict()
    assert kept["whole"].keys() == grouped.keys()
    assert all(torch.equal(value, kept["stopped"][name]) for name, value in kept["whole"].items())
