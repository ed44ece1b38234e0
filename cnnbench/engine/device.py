"""How is a process set up to train on a device, and how fast is that device just now?"""

import ctypes
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from cnnbench.engine.hardware import detect, origin_here
from cnnbench.schema.cell import Precision
from cnnbench.schema.origin import Origin

__all__ = ["Device", "canary_gflops", "keep_freed_pages", "origin_of", "prepare_device"]

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_CANARY_SIDE, _CANARY_REPEATS = 1024, 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Where a network trains, and in which precision.

    `others` are more devices that hold parts of it; its inputs and its logits are on the first.
    """

    torch_device: torch.device
    precision: Precision
    others: tuple[torch.device, ...] = ()

    def autocast(self) -> torch.autocast:
        """Return the context in which the forward pass runs."""
        return torch.autocast(
            self.torch_device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )

    def synchronise(self) -> None:
        """Wait until the devices have done all that they were asked to."""
        if self.torch_device.type == "cuda":
            for device in (self.torch_device, *self.others):
                torch.cuda.synchronize(device)
        elif self.torch_device.type == "mps":
            torch.mps.synchronize()

    def peak_memory_bytes(self) -> int:
        """Return the most memory held so far: of the fullest GPU, or of this process on a CPU."""
        if self.torch_device.type == "cuda":
            devices = (self.torch_device, *self.others)
            return max(int(torch.cuda.max_memory_allocated(device)) for device in devices)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def prepare_device(
    device: Device,
    *,
    threads: int | None = None,
    memory_bytes: int | None = None,
    deterministic: bool = False,
) -> None:
    """Set up this process for training; `threads` is a measured number, None is every core.

    On a CPU only the number of threads changes a result: it decides in which order sums are added
    up, and is recorded with the plan. `memory_bytes` caps what a GPU may hold; past it torch raises
    its out-of-memory error. A CPU has no such cap; there only the plan keeps to it. `deterministic`
    allows a GPU no kernel that adds up in a changing order; an operation that has no other raises
    a RuntimeError when it is reached.
    """
    if deterministic:
        # cuBLAS reads it when it starts; torch refuses to multiply without it.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    keep_freed_pages()
    torch.set_num_threads(threads or detect().cores)
    # Denormals appear when activations die out, and are a hundred times slower on a CPU.
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = False  # it picks kernels by timing: not repeatable
    # torch's own default lets convolutions round their inputs to TF32, also where fp32 was asked.
    fp32_form = "tf32" if device.precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = fp32_form
    torch.backends.cudnn.conv.fp32_precision = fp32_form  # type: ignore[attr-defined]
    if device.torch_device.type == "cuda" and memory_bytes is not None:
        for one in (device.torch_device, *device.others):
            total = torch.cuda.get_device_properties(one).total_memory
            torch.cuda.set_per_process_memory_fraction(
                min(1.0, memory_bytes / total), one.index or 0
            )


def origin_of(device: torch.device) -> Origin:
    """Return what this process trains with, once `prepare_device` has set it up."""
    origin = origin_here(device.type).model_copy(update={"threads": torch.get_num_threads()})
    if not origin.gpu or not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return origin
    # Of several cards the first may be another than the one that trains.
    return origin.model_copy(update={"gpu": torch.cuda.get_device_name(device)})


def keep_freed_pages() -> bool:
    """Keep glibc from handing freed pages back to the kernel; return whether it agreed.

    A training step frees and asks for the same hundreds of megabytes again and again, and each
    page that comes back has to be cleared first. So every block comes from one heap, which never
    shrinks. Mappings of their own for large blocks, the gradients of AlexNet's and VGG's fully
    connected layers above all, save a tenth of the memory and cost AlexNet a seventh of its speed
    on small images. `benchmarks/allocator.py` measures the settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    settings = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, 2**31 - 1),
        (_M_TOP_PAD, 64 * 2**20),
    )
    agreed = [mallopt(option, value) for option, value in settings]  # every option is tried
    return all(agreed)


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


def canary_gflops(device: Device) -> float:
    """Return the median rate of a fixed matrix product, in GFLOP/s; takes well under a second.

    Its numbers are fp32, rounded to TF32 where that is the precision. The same for every model:
    what changes between two readings is the machine, not the work.
    """
    left, right = (
        torch.full((_CANARY_SIDE, _CANARY_SIDE), value, device=device.torch_device)
        for value in (0.5, 0.25)
    )
    seconds = []
    for _ in range(_CANARY_REPEATS):
        device.synchronise()
        start = time.monotonic()
        torch.mm(left, right)
        device.synchronise()
        seconds.append(time.monotonic() - start)
    return 2 * _CANARY_SIDE**3 / statistics.median(seconds) / 1e9
