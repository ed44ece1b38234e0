"""How many joules has a device drawn? Read from the machine's own counters, or not at all."""

from collections.abc import Callable
from pathlib import Path

from cnnbench.engine.gpu import why_no_gpu
from cnnbench.engine.hardware import detect

__all__ = ["NoCounter", "energy_counter"]

POWERCAP = Path("/sys/class/powercap")

Joules = Callable[[], float]


class NoCounter(RuntimeError):
    """The machine does not count joules, or does not let this user read them."""


def energy_counter(device: str, *, powercap: Path = POWERCAP) -> Joules:
    """Return a function that reads a device's energy in joules since some fixed moment.

    The NVIDIA GPU that CUDA gives this process is read through NVML, a CPU through the packages of
    RAPL (Linux powercap).

    Raises:
        NoCounter: if there is none; the message says what was looked for.
    """
    if device == "cuda":
        return _nvml(detect().gpu_uuid)
    if device == "cpu":
        return _rapl(powercap)
    raise NoCounter(f"no energy counter is known for device {device!r}")


def _nvml(gpu_uuid: str | None) -> Joules:
    """Read the counter of the GPU with this UUID: NVML's own numbers count GPUs that are hidden."""
    if gpu_uuid is None:
        raise NoCounter(f"there is no GPU to count: {why_no_gpu()}")
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{gpu_uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception as error:
        raise NoCounter(
            f"NVML gives no energy for GPU-{gpu_uuid} ({error}); install nvidia-ml-py, and use a "
            "whole GPU (a MIG slice has no counter of its own) from Volta on"
        ) from None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000


class _Domain:
    """One RAPL counter, in microjoules, which starts again at zero when it is full."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "energy_uj"
        self._full = int((folder / "max_energy_range_uj").read_text())
        self._last, self._total = int(self._path.read_text()), 0

    def microjoules(self) -> int:
        """Return what has been counted since the first reading."""
        now = int(self._path.read_text())
        self._total += (now - self._last) % (self._full + 1)
        self._last = now
        return self._total


def _rapl(powercap: Path) -> Joules:
    packages = sorted(powercap.glob("intel-rapl:[0-9]")) if powercap.is_dir() else []
    if not packages:
        raise NoCounter(f"this machine has no RAPL counter ({powercap}/intel-rapl:0)")
    try:
        domains = [_Domain(package) for package in packages]
    except (OSError, ValueError) as error:
        raise NoCounter(f"the RAPL counter cannot be read: {error}") from None
    return lambda: sum(domain.microjoules() for domain in domains) / 1e6
