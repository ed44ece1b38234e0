"""Which precision, memory format and number of threads train fastest in this process?"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from cnnbench.engine.device import keep_freed_pages
from cnnbench.engine.hardware import detect
from cnnbench.profiler.calibration import Trial

IMAGES, PIXELS = 8, 96
SECONDS_A_CONTEST = 0.7
LEAST_ROUNDS, MOST_ROUNDS = 3, 20
QUIET_LOAD = 0.5  # of the cores, over the last minute


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One way to train; the trial asks which is fastest."""

    bf16: bool
    channels_last: bool
    threads: int


def serve_trial() -> int:
    """Run the trial in this process and print it as JSON; return the exit code."""
    hardware = detect()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    found = run_trial(
        bf16=hardware.cpu_bf16, threads=hardware.cores, quiet=load < QUIET_LOAD * hardware.cores
    )
    sys.stdout.write(found.model_dump_json() + "\n")
    return 0


def run_trial(*, bf16: bool, threads: int, quiet: bool) -> Trial:
    """Race the precisions, then the fastest against other formats and thread counts.

    bf16 is left out where the processor would emulate it, at a twentieth of the speed.
    """
    keep_freed_pages()
    torch.set_flush_denormal(True)
    exact = Setting(bf16=False, channels_last=True, threads=threads)
    rounded = Setting(bf16=True, channels_last=True, threads=threads)
    first = race([exact, rounded] if bf16 else [exact])
    winner = max(first, key=lambda setting: first[setting])
    other = Setting(bf16=winner.bf16, channels_last=False, threads=threads)
    half = Setting(bf16=winner.bf16, channels_last=True, threads=max(1, threads // 2))
    second = race([winner, other, half] if threads > 1 else [winner, other])
    scale = first[winner] / second[winner]  # the machine may have been slower the second time
    return Trial(
        fp32=first[exact],
        bf16=first.get(rounded),
        contiguous=second[other] * scale,
        half_threads=second[half] * scale if half in second else None,
        threads=threads,
        quiet=quiet,
    )


def race(
    settings: Sequence[Setting], *, seconds: float = SECONDS_A_CONTEST
) -> dict[Setting, float]:
    """Return the images a second of each setting: medians of steps taken in turn."""
    networks = {setting: _network(setting) for setting in settings}
    seen: dict[Setting, list[float]] = {setting: [] for setting in settings}
    for setting in settings:
        _step(networks[setting], setting)  # the first step picks kernels
    start, rounds = time.monotonic(), 0
    while rounds < LEAST_ROUNDS or (rounds < MOST_ROUNDS and time.monotonic() - start < seconds):
        for setting in settings:
            seen[setting].append(_step(networks[setting], setting))
        rounds += 1
    return {setting: IMAGES / statistics.median(seen[setting]) for setting in settings}


def _network(setting: Setting) -> nn.Module:
    """Return a little of every classic: a large stem, grouped, plain and normalised layers."""
    layers = nn.Sequential(
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
    return layers.to(memory_format=_format(setting))


def _step(network: nn.Module, setting: Setting) -> float:
    """Return the seconds of one forward and backward pass over drawn noise."""
    torch.set_num_threads(setting.threads)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(IMAGES, 3, PIXELS, PIXELS, generator=generator)
    images = images.contiguous(memory_format=_format(setting))
    labels = torch.zeros(IMAGES, dtype=torch.int64)
    start = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=setting.bf16):
        logits = network(images)
    network.zero_grad(set_to_none=True)
    functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def _format(setting: Setting) -> torch.memory_format:
    return torch.channels_last if setting.channels_last else torch.contiguous_format
