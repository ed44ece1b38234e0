"""What can this machine do, and what will go wrong on it?"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnnbench.data.pixels.cache import cache_folder
from cnnbench.engine.hardware import Hardware, detect

Level = Literal["ok", "warning", "error"]

_GIB = 2**30
_LEAST_MEMORY, _LEAST_DISK, _LEAST_SHARED = 4 * _GIB, 5 * _GIB, _GIB
_IMPORT_SECONDS = 120.0
# torchvision's own operators are where a build that does not fit torch fails first.
_IMPORTS = "import torch, torchvision; torchvision.ops.nms; print(torch.cuda.is_available())"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing looked at: how it stands, what was seen, and what to do unless it is well."""

    level: Level
    what: str
    seen: str
    fix: str = ""


def examine() -> list[Finding]:
    """Look at everything a run depends on; writes nothing that stays, needs no network."""
    hardware = detect()
    torch_found, sees_gpu = libraries()
    return [
        _system(hardware),
        torch_found,
        cores(hardware.cores, os.cpu_count() or 1, cgroup_cores()),
        memory(hardware.memory_bytes),
        shared_memory(Path("/dev/shm")),
        precision(hardware),
        gpu(hardware.gpu, sees_gpu=sees_gpu),
        cache(cache_folder()),
        disk(Path.cwd(), "disk for reports"),
        disk(cache_folder(), "disk for decoded images"),
        other_work(os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, hardware.cores),
    ]


def cores(usable: int, present: int, allowed: float | None) -> Finding:
    """Judge the cores of this process; `allowed` is a container's share of time, in cores."""
    seen = f"{usable} of {present}"
    if allowed is not None and allowed < usable:
        return Finding(
            level="warning",
            what="cores",
            seen=f"{seen}, but the container may use the time of {allowed:g}",
            fix=f"threads beyond {allowed:g} cores wait for each other; "
            f"start with `taskset -c 0-{max(0, int(allowed) - 1)}` or give the container more",
        )
    return Finding(level="ok", what="cores", seen=seen)


def memory(total_bytes: int) -> Finding:
    """Judge the memory of the machine."""
    seen = f"{total_bytes / _GIB:.1f} GiB"
    if total_bytes < _LEAST_MEMORY:
        fix = "use smaller images or batches: --image-size 128 --batch-size 8"
        return Finding(level="warning", what="memory", seen=seen, fix=fix)
    return Finding(level="ok", what="memory", seen=seen)


def shared_memory(path: Path) -> Finding:
    """Judge the shared memory, which several processes on one machine talk through."""
    if not path.exists():
        return Finding(level="ok", what="shared memory", seen="not a folder on this system")
    size = shutil.disk_usage(path).total
    seen = f"{size / _GIB:.2f} GiB"
    if size < _LEAST_SHARED:
        fix = "training on several devices may die of a bus error; docker run --shm-size=2g"
        return Finding(level="warning", what="shared memory", seen=seen, fix=fix)
    return Finding(level="ok", what="shared memory", seen=seen)


def precision(hardware: Hardware) -> Finding:
    """Say which precisions the processor computes in hardware."""
    seen = "bf16 and fp32" if hardware.cpu_bf16 else "fp32 only; --precision bf16 would be slow"
    return Finding(level="ok", what="arithmetic of the processor", seen=seen)


def gpu(name: str | None, *, sees_gpu: bool) -> Finding:
    """Judge whether torch can use the GPU that the driver shows."""
    if name and not sees_gpu:
        return Finding(
            level="error",
            what="GPU",
            seen=f"{name}, but torch cannot use it",
            fix="install a torch built for CUDA and a driver that is new enough for it, "
            "or choose --device cpu",
        )
    return Finding(level="ok", what="GPU", seen=name or "none")


def cache(folder: Path) -> Finding:
    """Judge whether decoded images can be kept."""
    there = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(
            level="error",
            what="image cache",
            seen=f"{folder}: {error.strerror or error}",
            fix="set CNNBENCH_CACHE to a folder that can be written",
        )
    return Finding(level="ok", what="image cache", seen=str(folder))


def disk(folder: Path, what: str) -> Finding:
    """Judge the room on the disk that holds a folder."""
    free = shutil.disk_usage(_nearest(folder)).free
    seen = f"{free / _GIB:.1f} GiB free"
    if free < _LEAST_DISK:
        fix = "a run of VGG keeps two checkpoints of 1 GiB; free some space"
        return Finding(level="warning", what=what, seen=seen, fix=fix)
    return Finding(level="ok", what=what, seen=seen)


def other_work(load: float, count: int) -> Finding:
    """Judge whether other programs take time from a training, which is counted in seconds."""
    seen = f"load {load:.1f} on {count} cores"
    if load > 0.5 * count:
        fix = "a budget in seconds buys fewer steps while other programs run; wait, or use images"
        return Finding(level="warning", what="other work", seen=seen, fix=fix)
    return Finding(level="ok", what="other work", seen=seen)


def cgroup_cores(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """Return how many cores' time a container may use, or None where nothing limits it."""
    try:
        quota, period = path.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _system(hardware: Hardware) -> Finding:
    seen = f"{hardware.cpu}, {hardware.system}, Python {hardware.python}"
    return Finding(level="ok", what="machine", seen=seen)


def libraries(command: Sequence[str] = (sys.executable, "-c", _IMPORTS)) -> tuple[Finding, bool]:
    """Import torch and torchvision in another process, which may die of it; tell if CUDA works."""
    versions = ", ".join(
        f"{name} {_version(name)}" for name in ("torch", "torchvision", "timm", "pillow")
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_SECONDS)
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        works = done.returncode == 0
    except (subprocess.SubprocessError, OSError) as error:
        works, said = False, str(error)
        return _broken(versions, said), False
    if not works:
        return _broken(versions, said), False
    return Finding(level="ok", what="libraries", seen=versions), done.stdout.strip() == "True"


def _broken(versions: str, said: str) -> Finding:
    return Finding(
        level="error",
        what="libraries",
        seen=f"{versions}: {said[:200]}",
        fix="torch and torchvision must come from the same index: "
        "pip install --force-reinstall torch torchvision",
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
