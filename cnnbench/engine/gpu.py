"""Which GPU will CUDA give this process? The driver is asked, as torch will, but without torch."""

import ctypes
import importlib.util
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Gpu",
    "first_gpu",
    "gpu_count",
    "gpu_uuids",
    "torch_has_cuda",
    "visible_gpus",
    "why_no_gpu",
]

_DRIVER = "libcuda.so.1"
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
_NAME_BYTES = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """A GPU, or the slice of one (MIG), with the UUID that NVML knows it by, without its prefix."""

    name: str
    uuid: str
    capability: float


def first_gpu() -> Gpu | None:
    """Return the GPU that torch calls `cuda`, or None where CUDA has none.

    The driver itself reads CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER: indices, UUIDs and slices
    mean here what they will mean to torch. nvidia-smi lists every GPU, also those that this process
    may not use, and runs where CUDA's library is missing.
    """
    try:
        return gpu_of(ctypes.CDLL(_DRIVER))
    except OSError:
        return None


def gpu_count() -> int:
    """Return how many GPUs CUDA gives this process, as the driver counts them."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def gpu_uuids() -> list[str]:
    """Return by which name the system knows each GPU that this process may use."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return []
    gpus = [gpu_of(driver, number) for number in range(gpu_count())]
    return [gpu.uuid for gpu in gpus if gpu]


def gpu_of(driver: Any, number: int = 0) -> Gpu | None:
    """Return a GPU of a loaded driver; each of its functions returns 0 if all went well."""
    count, device, major, minor = (ctypes.c_int() for _ in range(4))
    name, octets = ctypes.create_string_buffer(_NAME_BYTES), ctypes.create_string_buffer(16)
    # The second version, of CUDA 11.4, gives a slice the UUID of the slice.
    uuid_function = getattr(driver, "cuDeviceGetUuid_v2", None) or driver.cuDeviceGetUuid
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value <= number:
        return None
    failed = (
        driver.cuDeviceGet(ctypes.byref(device), number)
        or driver.cuDeviceGetName(name, _NAME_BYTES, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
        or uuid_function(octets, device)
    )
    if failed:
        return None
    return Gpu(
        name=name.value.decode(errors="replace"),
        uuid=str(uuid.UUID(bytes=octets.raw)),
        capability=major.value + minor.value / 10,
    )


def visible_gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES calls each GPU that this process may use; none: empty."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = named.split(",") if named else [str(number) for number in range(gpu_count())]
    return [name.strip() for name in names][: gpu_count()]


def torch_has_cuda() -> bool:
    """Tell whether the installed torch was built for CUDA, without importing it."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    text = Path(spec.origin).with_name("version.py").read_text("utf-8")
    return re.search(r"^cuda\b.*=\s*None", text, re.MULTILINE) is None


def why_no_gpu() -> str:
    """Say why CUDA gives this process no GPU, as far as can be told, and what to do."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not torch_has_cuda():
        return "the installed torch was built without CUDA; install one with it"
    if visible is not None:
        return f"CUDA_VISIBLE_DEVICES is {visible!r}; name one that is there, or unset it"
    return f"the driver ({_DRIVER}) is missing or shows none"
