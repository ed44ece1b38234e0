"""Which precision, memory format and number of threads train fastest in this process?"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from cnnbench.base.processes import others_running
from cnnbench.engine.device import Device, prepare_device
from cnnbench.engine.hardware import Hardware, detect
from cnnbench.engine.optim import make_optimizer
from cnnbench.engine.step import training_step
from cnnbench.profiler.calibration import RaceSpeeds
from cnnbench.schema.recipes import make_recipe

__all__ = ["serve_race"]

BATCH_SIZE, IMAGE_SIZE = 8, 96
SECONDS_A_RACE = 0.7
LEAST_ROUNDS, MOST_ROUNDS = 3, 20
_LR = 1e-6  # leaves the weights near their start


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A way to train that takes part in a race."""

    bf16: bool
    channels_last: bool
    threads: int


def serve_race() -> int:
    """Race in this process and print the speeds as JSON; return the exit code."""
    sys.stdout.write(run_races(detect()).model_dump_json() + "\n")
    return 0


def run_races(hardware: Hardware) -> RaceSpeeds:
    """Race the precisions, then the fastest against other formats and thread counts.

    bf16 is left out where the processor would emulate it, at a twentieth of the speed.
    """
    threads = hardware.cores
    is_quiet = others_running() == 0
    prepare_device(Device(torch_device=torch.device("cpu"), precision="fp32"))
    exact = Variant(bf16=False, channels_last=True, threads=threads)
    rounded = Variant(bf16=True, channels_last=True, threads=threads)
    first = race([exact, rounded] if hardware.cpu_bf16 else [exact])
    winner = max(first, key=lambda variant: first[variant])
    contiguous = Variant(bf16=winner.bf16, channels_last=False, threads=threads)
    half = Variant(bf16=winner.bf16, channels_last=True, threads=max(1, threads // 2))
    second = race([winner, contiguous, half] if threads > 1 else [winner, contiguous])
    scale = first[winner] / second[winner]  # the machine may have been slower the second time
    return RaceSpeeds(
        fp32=first[exact],
        bf16=first.get(rounded),
        contiguous=second[contiguous] * scale,
        half_threads=second[half] * scale if half in second else None,
        threads=threads,
        quiet=is_quiet,
    )


def race(variants: Sequence[Variant], *, seconds: float = SECONDS_A_RACE) -> dict[Variant, float]:
    """Return the images a second of each variant: medians of steps taken in turn."""
    steps = {variant: _timed_step(variant) for variant in variants}
    step_seconds: dict[Variant, list[float]] = {variant: [] for variant in variants}
    for step in steps.values():
        step()  # the first step picks kernels
    start, rounds = time.monotonic(), 0
    while rounds < LEAST_ROUNDS or (rounds < MOST_ROUNDS and time.monotonic() - start < seconds):
        for variant, step in steps.items():
            step_seconds[variant].append(step())
        rounds += 1
    return {variant: BATCH_SIZE / statistics.median(step_seconds[variant]) for variant in variants}


def _timed_step(variant: Variant) -> Callable[[], float]:
    """Return a function that takes one training step on drawn noise and returns its seconds."""
    layout = torch.channels_last if variant.channels_last else torch.contiguous_format
    device = Device(torch_device=torch.device("cpu"), precision="bf16" if variant.bf16 else "fp32")
    model = _network().to(memory_format=layout)
    recipe = make_recipe("common", family="none", lr=_LR, batch_size=BATCH_SIZE)
    optimizer = make_optimizer(model, recipe)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH_SIZE, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    batch = images.contiguous(memory_format=layout), torch.zeros(BATCH_SIZE, dtype=torch.int64)

    def step() -> float:
        torch.set_num_threads(variant.threads)
        start = time.perf_counter()
        training_step(model, optimizer, lambda: batch, device, lr=_LR)
        return time.perf_counter() - start

    return step


def _network() -> nn.Module:
    """Return a little of every classic: a large stem, grouped, plain and normalised layers."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, stride=2, padding=3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 128, 3, padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(128, 128, 3, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(inplace=True),
        nn.Conv2d(128, 64, 1),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(1024, 1024),
    )
