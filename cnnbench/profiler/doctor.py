"""What can this machine do, and what will go wrong on it?"""

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

from cnnbench.base.files import StoreError
from cnnbench.base.processes import child_environment, recent_load
from cnnbench.base.words import last_line
from cnnbench.data.pixels.cache import cache_folder
from cnnbench.engine.gpu import why_no_gpu
from cnnbench.engine.hardware import Hardware, detect

__all__ = ["MachineFinding", "examine"]

Level = Literal["ok", "warning", "error"]

_GIB = 2**30
_LEAST_MEMORY, _LEAST_DISK, _LEAST_SHARED = 4 * _GIB, 5 * _GIB, _GIB
_IMPORT_SECONDS = 120.0
# torchvision's own operators are where a build that does not fit torch fails first.
_IMPORTS = "import torch, torchvision; torchvision.ops.nms; print(torch.cuda.is_available())"


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineFinding:
    """One property of the machine: how it stands, what was seen, and what to do if it is not ok."""

    level: Level
    what: str
    seen: str
    fix: str = ""


def examine() -> list[MachineFinding]:
    """Look at everything a run depends on; writes nothing that stays, needs no network."""
    hardware = detect()
    torch_finding, sees_gpu = libraries()
    return [
        _finding("machine", f"{hardware.cpu}, {hardware.system}, Python {hardware.python}"),
        torch_finding,
        cores(hardware.cores, os.cpu_count() or 1, cgroup_cores()),
        memory(hardware.memory_bytes),
        shared_memory(Path("/dev/shm")),
        precision(hardware),
        gpu(hardware.gpu, sees_gpu=sees_gpu),
        disk(Path.cwd(), "disk for reports"),
        *decoded_images(),
        other_work(recent_load(), hardware.cores),
    ]


def _finding(
    what: str, seen: str, *, ok: bool = True, fix: str = "", level: Level = "warning"
) -> MachineFinding:
    """Return a finding with `level` and `fix`, unless all is ok."""
    if ok:
        return MachineFinding(level="ok", what=what, seen=seen)
    return MachineFinding(level=level, what=what, seen=seen, fix=fix)


def cores(usable: int, present: int, allowed: float | None) -> MachineFinding:
    """Judge the cores of this process; `allowed` is a container's share of time, in cores."""
    seen = f"{usable} of {present}"
    if allowed is None or allowed >= usable:
        return _finding("cores", seen)
    fix = (
        f"threads beyond {allowed:g} cores wait for each other; "
        f"start with `taskset -c 0-{max(0, int(allowed) - 1)}` or give the container more"
    )
    seen += f", but the container may use the time of {allowed:g}"
    return _finding("cores", seen, ok=False, fix=fix)


def memory(total_bytes: int) -> MachineFinding:
    """Judge the memory of the machine."""
    seen = f"{total_bytes / _GIB:.1f} GiB"
    fix = "use smaller images or batches: --image-size 128 --batch-size 8"
    return _finding("memory", seen, ok=total_bytes >= _LEAST_MEMORY, fix=fix)


def shared_memory(path: Path) -> MachineFinding:
    """Judge the shared memory, which several processes on one machine talk through."""
    if not path.exists():
        return _finding("shared memory", "not a folder on this system")
    size = shutil.disk_usage(path).total
    fix = "training on several devices may die of a bus error; docker run --shm-size=2g"
    seen = f"{size / _GIB:.2f} GiB"
    return _finding("shared memory", seen, ok=size >= _LEAST_SHARED, fix=fix)


def precision(hardware: Hardware) -> MachineFinding:
    """Say which precisions the processor computes in hardware."""
    seen = "bf16 and fp32" if hardware.cpu_bf16 else "fp32 only; --precision bf16 would be slow"
    return _finding("arithmetic of the processor", seen)


def gpu(name: str | None, *, sees_gpu: bool) -> MachineFinding:
    """Judge whether torch can use the GPU that the driver shows."""
    if not name or sees_gpu:
        return _finding("GPU", name or f"none: {why_no_gpu()}")
    fix = (
        "install a torch built for CUDA and a driver that is new enough for it, "
        "or choose --device cpu"
    )
    return _finding("GPU", f"{name}, but torch cannot use it", ok=False, fix=fix, level="error")


def decoded_images() -> list[MachineFinding]:
    """Judge the folder of decoded images, where there is one."""
    try:
        folder = cache_folder()
    except StoreError as error:
        seen, _, fix = str(error).partition("; ")
        return [_finding("image cache", seen, ok=False, fix=fix, level="error")]
    return [cache(folder), disk(folder, "disk for decoded images")]


def cache(folder: Path) -> MachineFinding:
    """Judge whether decoded images can be kept."""
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return _finding("image cache", str(folder))
    except OSError as error:
        seen = f"{folder}: {error.strerror or error}"
        fix = "set CNNBENCH_CACHE to a folder that can be written"
        return _finding("image cache", seen, ok=False, fix=fix, level="error")


def disk(folder: Path, what: str) -> MachineFinding:
    """Judge the room on the disk that holds a folder."""
    free = shutil.disk_usage(_nearest(folder)).free
    fix = "a run of VGG keeps two checkpoints of 1 GiB; free some space"
    return _finding(what, f"{free / _GIB:.1f} GiB free", ok=free >= _LEAST_DISK, fix=fix)


def other_work(load: float, n_cores: int) -> MachineFinding:
    """Judge whether other programs take time from a training, which is counted in seconds."""
    seen = f"load {load:.1f} on {n_cores} cores"
    fix = "a budget in seconds buys fewer steps while other programs run; wait, or use images"
    return _finding("other work", seen, ok=load <= 0.5 * n_cores, fix=fix)


def libraries(
    command: Sequence[str] = (sys.executable, "-c", _IMPORTS),
) -> tuple[MachineFinding, bool]:
    """Import torch and torchvision in another process, which may die of it; tell if CUDA works."""
    names = ("torch", "torchvision", "timm", "pillow")
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            timeout=_IMPORT_SECONDS,
            env=child_environment(),
        )
        if done.returncode == 0:
            return _finding("libraries", versions), done.stdout.strip() == "True"
        message = last_line(done.stderr, otherwise=f"exit code {done.returncode}")
    except (subprocess.SubprocessError, OSError) as error:
        message = str(error)
    fix = (
        "torch and torchvision must come from the same index: "
        "pip install --force-reinstall torch torchvision"
    )
    seen = f"{versions}: {message[:200]}"
    return _finding("libraries", seen, ok=False, fix=fix, level="error"), False


def cgroup_cores(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """Return how many cores' time a container may use, or None where nothing limits it."""
    try:
        quota, period = path.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
