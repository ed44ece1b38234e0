"""How is a process set up to train: device, threads, allocator, seeds?"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from cnnbench.engine.hardware import detect
from cnnbench.schema.cell import Precision

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # glibc refuses more on 64 bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A device with a precision, ready to train."""

    device: torch.device
    precision: Precision

    def autocast(self) -> torch.autocast:
        """Return the context in which the forward pass runs."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )

    def synchronise(self) -> None:
        """Wait until the device has done all that it was asked to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def peak_memory_bytes(self) -> int:
        """Return the most memory held so far: of the GPU, or of this process on a CPU."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def prepare(
    device: str,
    precision: Precision,
    *,
    threads: int | None = None,
    memory_bytes: int | None = None,
) -> Machine:
    """Set up this process for training; `threads` is a measured number, None is every core.

    Nothing here changes a result but the number of threads, which decides in which order sums are
    added up: it is recorded with the plan. `memory_bytes` caps what a GPU may hold: past it torch
    raises its out-of-memory error. A CPU has no such cap; there only the plan keeps to it.
    """
    keep_freed_pages()
    torch.set_num_threads(threads or detect().cores)
    # Denormals appear when activations die out, and are a hundred times slower on a CPU.
    torch.set_flush_denormal(True)
    if device == "cuda":
        torch.backends.cudnn.benchmark = False  # it picks kernels by timing: not repeatable
        if memory_bytes is not None:
            whole = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, memory_bytes / whole))
    return Machine(device=torch.device(device), precision=precision)


def keep_freed_pages() -> bool:
    """Keep glibc from handing freed pages back to the kernel; tell whether it was done.

    A training step frees and asks for the same hundreds of megabytes again and again, and each
    page that comes back has to be cleared first. Blocks of 32 MiB and more still get a mapping of
    their own: in one heap with the small ones they fragment it, and the memory of VGG-11 grew
    from one evaluation to the next. `benchmarks/allocator.py` measures the settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    wishes = (
        (_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD),
        (_M_TRIM_THRESHOLD, 2**31 - 1),
        (_M_TOP_PAD, 64 * 2**20),
    )
    granted = [mallopt(option, value) for option, value in wishes]
    return all(granted)


@contextlib.contextmanager
def rng_put_back(device: torch.device) -> Iterator[None]:
    """Run a block that may draw random numbers, then put the generators back."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def rng_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the state of the generators that dropout draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_rng_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Put the generators into a saved state."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


# -- canary ---------------------------------------------------------------------------------------

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
