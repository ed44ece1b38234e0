"""Does the machine run as fast at the end as at the start? A short fixed piece of work tells."""

from __future__ import annotations

import statistics
import time

import torch

from cnnbench.engine.machine import Machine

SIDE = 1024
REPEATS = 9


def canary_gflops(machine: Machine) -> float:
    """Return the median rate of a fixed fp32 matrix product, in GFLOP/s; takes well under a second.

    The same for every model: what changes between two readings is the machine, not the work.
    """
    left = torch.full((SIDE, SIDE), 0.5, device=machine.device)
    right = torch.full((SIDE, SIDE), 0.25, device=machine.device)
    seconds = []
    for _ in range(REPEATS):
        machine.synchronise()
        start = time.monotonic()
        torch.mm(left, right)
        machine.synchronise()
        seconds.append(time.monotonic() - start)
    return 2 * SIDE**3 / statistics.median(seconds) / 1e9
