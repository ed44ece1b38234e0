"""How does a network lie on several devices, and how does it come back to one?"""

import torch
from torch import nn

import zoo
from cnnbench.engine.device import Device
from cnnbench.schema.cell import Cell
from zoo.alexnet_towers import TwoTowers, merged_state, split

__all__ = ["devices_here", "on_devices", "whole_network", "with_shared_statistics"]


def devices_here(cell: Cell, rank: int = 0) -> Device:
    """Return the device of one of the processes that train a cell: two of them for two towers."""
    numbers: list[int | None] = [None]
    if cell.device == "cuda" and cell.devices > 1:
        numbers = [0, 1] if cell.parallel == "towers" else [rank]
    elif cell.parallel == "towers":
        numbers = [None, None]  # both towers on the processor
    first, *others = (
        torch.device(cell.device) if number is None else torch.device(cell.device, number)
        for number in numbers
    )
    return Device(torch_device=first, precision=cell.precision, others=tuple(others))


def with_shared_statistics(model: nn.Module) -> nn.Module:
    """Let every BatchNorm take its statistics over the images of all ranks."""
    shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    return shared


def on_devices(model: nn.Module, device: Device) -> nn.Module:
    """Return a network as it is trained: one that has a second device, as a tower on each."""
    if not device.others:
        return model
    (second,) = device.others
    return split(model).place(device.torch_device, second)


def whole_network(network: nn.Module, device: Device, cell: Cell, num_classes: int) -> nn.Module:
    """Return a trained network as it is kept and tested: two towers as the grouped one."""
    if not isinstance(network, TwoTowers):
        return network
    size = {"num_classes": num_classes, "image_size": cell.image_size}
    whole = zoo.build(cell.model, init=cell.recipe.init, **size)  # dropout differs with `init`
    whole.load_state_dict(merged_state(network))
    return whole.to(device.torch_device).to(memory_format=torch.channels_last)
