"""What machine is this, as far as can be told without importing torch?"""

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cnnbench.base.processes import usable_cores
from cnnbench.base.words import plural
from cnnbench.engine.gpu import first_gpu, gpu_count, torch_has_cuda, why_no_gpu
from cnnbench.schema.cell import Precision
from cnnbench.schema.origin import VERSIONED, Origin
from cnnbench.version import __version__

__all__ = ["Hardware", "choose_device", "choose_precision", "detect", "machine_line"]
__all__ += ["installed_versions", "origin_here", "require_devices", "threads_here"]

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "fp32", "tf32", "bf16")
_AMPERE = 8.0  # the compute capability from which on a GPU multiplies bf16 and TF32


@dataclass(frozen=True, kw_only=True, slots=True)
class Hardware:
    """What a plan must know to choose a device and a precision, and a report to print.

    `gpu` is the one that this process trains on, None where CUDA gives it none; `gpu_uuid` is the
    name by which its counters are found. `gpu_bf16` holds for TF32 as well. `gpus` are how many
    there are to use.
    """

    cpu: str
    cores: int
    memory_bytes: int
    cpu_bf16: bool
    gpu: str | None
    gpu_bf16: bool
    mps: bool
    system: str
    python: str
    gpu_uuid: str | None = None
    gpus: int = 0


@cache
def detect() -> Hardware:
    """Look at this machine; takes milliseconds where no GPU driver is installed."""
    cpu, flags = _cpu()
    gpu = first_gpu() if torch_has_cuda() else None
    return Hardware(
        cpu=cpu,
        cores=usable_cores(),
        memory_bytes=_memory_bytes(),
        # AMX and AVX512-BF16 multiply bf16 in hardware; elsewhere bf16 is emulated and slower.
        cpu_bf16=bool({"amx_bf16", "avx512_bf16"} & flags),
        gpu=gpu.name if gpu else None,
        gpu_uuid=gpu.uuid if gpu else None,
        gpus=gpu_count() if gpu else 0,
        gpu_bf16=gpu is not None and gpu.capability >= _AMPERE,
        mps=platform.system() == "Darwin" and platform.machine() == "arm64",
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
    )


def choose_device(requested: str, hardware: Hardware) -> str:
    """Return the device a plan runs on.

    Raises:
        ValueError: if the word is unknown or the machine has no such device.
    """
    if requested not in DEVICES:
        raise ValueError(
            f"unknown device {requested!r}; choose one of {', '.join(DEVICES)}, and which of "
            "several GPUs with CUDA_VISIBLE_DEVICES"
        )
    if requested == "cuda" and not hardware.gpu:
        raise ValueError(
            f"device 'cuda' asked for, but there is no GPU to use: {why_no_gpu()}; or --device cpu"
        )
    if requested == "mps" and not hardware.mps:
        raise ValueError("device 'mps' asked for, but this is no Apple-silicon Mac; use cpu")
    if requested != "auto":
        return requested
    return "cuda" if hardware.gpu else "mps" if hardware.mps else "cpu"


def require_devices(count: int, device: str, hardware: Hardware) -> None:
    """Check that a cell can have so many devices here: GPUs, or processes that share the cores.

    Raises:
        ValueError: if the machine has fewer, or only ever one.
    """
    if count < 1:
        raise ValueError(f"--devices must be at least 1, saw {count}")
    if count > 1 and device == "mps":
        raise ValueError(f"--devices {count}: a Mac has one GPU; use --device cpu or one device")
    if device == "cuda" and count > hardware.gpus:
        raise ValueError(
            f"--devices {count}: this machine gives {plural(hardware.gpus, 'GPU')}; ask for no "
            "more, and see CUDA_VISIBLE_DEVICES"
        )
    if device == "cpu" and count > hardware.cores:
        raise ValueError(
            f"--devices {count}: this machine has {plural(hardware.cores, 'core')} for as many "
            "processes; ask for no more"
        )


def choose_precision(requested: str, device: str, hardware: Hardware) -> Precision:
    """Return bf16 where the device multiplies it in hardware, else fp32.

    The choice is a function of the machine alone, so the same command makes the same plan.

    Raises:
        ValueError: if the word is unknown, or the device has no TF32.
    """
    match requested:
        case "fp32" | "bf16":
            return requested
        case "tf32":
            if device != "cuda" or not hardware.gpu_bf16:
                raise ValueError(
                    f"precision 'tf32' is for NVIDIA GPUs from Ampere on, and the device is "
                    f"{hardware.gpu if device == 'cuda' else device}; use fp32 or bf16"
                )
            return "tf32"
        case "auto":
            fast = {"cuda": hardware.gpu_bf16, "cpu": hardware.cpu_bf16}
            return "bf16" if fast.get(device, False) else "fp32"
    raise ValueError(f"unknown precision {requested!r}; choose one of {', '.join(PRECISIONS)}")


def machine_line(hardware: Hardware, device: str) -> str:
    """Say in one line what the cells of a plan run on."""
    memory = f"{hardware.memory_bytes / 2**30:.0f} GiB"
    cpu = f"{hardware.cpu}, {hardware.cores} cores, {memory}"
    return f"{hardware.gpu} ({cpu})" if device == "cuda" else cpu


def threads_here(machine: Mapping[str, object], device: str) -> int | None:
    """Return the threads that a plan measured on this `machine`; None is every core of another."""
    measured, line = machine.get("threads"), machine_line(detect(), device)
    return int(str(measured)) if measured and machine.get("line") == line else None


def installed_versions() -> dict[str, str]:
    """Return the versions of all that a result may depend on and that is installed."""
    versions = {"cnnbench": __version__, "python": platform.python_version()}
    for name in VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.setdefault(name, importlib.metadata.version(name))
    return versions


def origin_here(device: str) -> Origin:
    """Return what a process on this machine trains with, but for its threads."""
    hardware = detect()
    return Origin(
        versions=installed_versions(),
        cpu=hardware.cpu,
        gpu=hardware.gpu if device == "cuda" else None,
        machine=machine_line(hardware, device),
        host=platform.node() or None,
    )


def _cpu() -> tuple[str, set[str]]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine(), set()
    fields = {}
    for line in path.read_text().split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    return fields.get("model name", platform.machine()), set(fields.get("flags", "").split())


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
