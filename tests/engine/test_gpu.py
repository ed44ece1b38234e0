"""The GPU that is named, chosen and counted is the one that CUDA gives this process."""

import dataclasses
import sys
import uuid
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cnnbench.data import loader
from cnnbench.engine import energy, gpu, hardware
from cnnbench.engine.device import Device, prepare_device

UUID = uuid.UUID("8932f937-d72c-4106-c12f-20bd9faed9f6")


class FakeDriver:
    """Answers as libcuda does: 0 for success, results through pointers."""

    def __init__(self, *names, failing=None):
        self.names, self.failing = names, failing

    def cuInit(self, flags):
        return 0 if self.names else 100  # CUDA_ERROR_NO_DEVICE, also where all are hidden

    def cuDeviceGetCount(self, count):
        count._obj.value = len(self.names)
        return 0

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = ordinal
        return 0

    def cuDeviceGetName(self, name, size, device):
        name.value = self.names[device.value].encode()
        return 1 if self.failing == "name" else 0

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = {75: 8, 76: 6}[attribute]
        return 0

    def cuDeviceGetUuid_v2(self, octets, device):
        octets.raw = UUID.bytes
        return 0


@pytest.fixture
def driver(monkeypatch):
    """Let a fake driver be loaded; it shows what CUDA_VISIBLE_DEVICES leaves."""

    def install(*names, **options):
        fake = FakeDriver(*names, **options)
        monkeypatch.setattr(gpu.ctypes, "CDLL", lambda name: fake)
        return hardware.detect.__wrapped__()

    return install


def test_the_first_gpu_that_the_driver_shows_is_the_one(driver):
    seen = driver("NVIDIA A40", "NVIDIA T4")
    assert (seen.gpu, seen.gpu_uuid, seen.gpu_bf16) == ("NVIDIA A40", str(UUID), True)
    assert seen.gpus == 2
    assert hardware.choose_device("auto", seen) == "cuda"


@pytest.mark.parametrize("driver_of", [(), ("NVIDIA A40",)])
def test_hidden_gpus_and_a_driver_that_fails_leave_the_processor(driver, driver_of, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    seen = driver(*driver_of, failing="name")
    assert (seen.gpu, seen.gpu_bf16) == (None, False)
    assert hardware.choose_device("auto", seen) != "cuda"
    with pytest.raises(ValueError, match="CUDA_VISIBLE_DEVICES is ''"):
        hardware.choose_device("cuda", seen)


def test_more_devices_than_there_are_are_refused_with_their_number(driver):
    seen = driver("NVIDIA A40", "NVIDIA A40")
    hardware.require_devices(2, "cuda", seen)
    with pytest.raises(ValueError, match="--devices 8: this machine gives 2 GPUs"):
        hardware.require_devices(8, "cuda", seen)
    with pytest.raises(ValueError, match=f"has {seen.cores} core"):
        hardware.require_devices(seen.cores + 1, "cpu", seen)


def test_without_a_driver_there_is_no_gpu_whatever_nvidia_smi_says(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(gpu.ctypes, "CDLL", missing)
    assert gpu.first_gpu() is None


def test_a_torch_without_cuda_uses_no_gpu(driver, monkeypatch, tmp_path):
    (tmp_path / "version.py").write_text("cuda: Optional[str] = None\nhip = None\n")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: spec)
    seen = driver("NVIDIA A40")
    assert seen.gpu is None
    with pytest.raises(ValueError, match="built without CUDA"):
        hardware.choose_device("cuda", seen)


def test_joules_are_those_of_the_gpu_that_trains(driver, monkeypatch):
    seen = driver("NVIDIA A40")
    counted = {f"GPU-{UUID}": 5000}
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda name: name,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: counted[handle],
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(energy, "detect", lambda: seen)
    assert energy.energy_counter("cuda")() == 5.0
    counted.clear()  # as for a slice: NVML knows no whole GPU of this name
    with pytest.raises(energy.NoCounter, match="MIG slice"):
        energy.energy_counter("cuda")


def test_tf32_is_for_gpus_that_have_it(driver):
    ampere = driver("NVIDIA A40")
    older = dataclasses.replace(ampere, gpu="NVIDIA T4", gpu_bf16=False)
    assert hardware.choose_precision("tf32", "cuda", ampere) == "tf32"
    for device, machine in (("cpu", ampere), ("cuda", older)):
        with pytest.raises(ValueError, match="Ampere"):
            hardware.choose_precision("tf32", device, machine)


@pytest.mark.parametrize(
    ("precision", "form"), [("fp32", "ieee"), ("bf16", "ieee"), ("tf32", "tf32")]
)
def test_fp32_is_not_rounded_to_tf32_unless_that_was_asked_for(precision, form):
    prepare_device(Device(torch_device=torch.device("cpu"), precision=precision))
    assert torch.backends.cudnn.conv.fp32_precision == form
    assert torch.backends.cuda.matmul.fp32_precision == form


def test_a_deterministic_process_allows_no_other_kernels(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    cpu = Device(torch_device=torch.device("cpu"), precision="fp32")
    prepare_device(cpu, deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic
    assert gpu.os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    prepare_device(cpu)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("may_stay", [True, False])
def test_images_stay_on_a_gpu_only_where_no_limit_of_memory_was_given(may_stay, monkeypatch):
    asked = []
    monkeypatch.setattr(loader, "resident", lambda images, device: asked.append(device))
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4, np.int64)
    options = {"seed": 0, "image_size": 8, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    loader.Batches(images, labels, augment="none", may_stay=may_stay, **options)
    assert bool(asked) == may_stay
