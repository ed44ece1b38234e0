"""What a test's own process says when it serves a cell."""

import itertools

import torch

from cnnbench.engine.clock import Clock
from cnnbench.engine.device import Device
from cnnbench.runner.inputs import CellContext

N_TRAIN = 30


def a_context(folder, *, stop_after=None, threads=1, keeps=False):
    steps = itertools.count(1)
    return CellContext(
        cell=folder.cell,
        folder=folder,
        clock=Clock(),
        device=Device(torch_device=torch.device("cpu"), precision="fp32"),
        should_stop=lambda: next(steps) == stop_after,
        on_step=lambda: None,
        checkpoint_seconds=60.0,
        threads=threads,
        keeps=keeps,
    )
