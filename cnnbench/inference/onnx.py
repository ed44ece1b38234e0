"""How does a network become an ONNX file that gives the same answers?"""

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cnnbench.base.exits import Exit
from cnnbench.base.words import first_line, plural
from cnnbench.data import Progress
from cnnbench.engine.evaluate import EVALUATION_BATCH_SIZE, evaluation_mode
from cnnbench.inference.network import LoadedNetwork
from cnnbench.schema.kept import OnnxCheck

__all__ = ["CannotExport", "check_onnx", "require_onnx", "write_onnx"]

LARGEST_DIFFERENCE = 1e-3  # between two logits, in float32
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # the extra [onnx]

Bytes = npt.NDArray[np.uint8]


class CannotExport(Exception):
    """A network that has no ONNX form, or one with other answers; nothing is left of it."""

    exit_code = Exit.FAILED


class MissingOnnx(CannotExport):
    """A package of the extra [onnx] that is not installed."""

    exit_code = Exit.USAGE


def require_onnx() -> None:
    """Make sure that what writes and checks ONNX is installed; MissingOnnx says what to type."""
    for package in _PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError:
            raise MissingOnnx(
                f"--to onnx needs {package}, which is not installed; pip install 'cnnbench[onnx]'"
            ) from None


def write_onnx(model: nn.Module, path: Path, *, image_size: int) -> None:
    """Write a network in evaluation mode as one file, for any number of images at once.

    It takes `images`, float32 `(N, 3, H, W)`, and gives `logits`, float32 `(N, C)`.

    Raises:
        CannotExport: if a layer has no ONNX form; the message names it.
        MissingOnnx: if a package is not installed.
    """
    require_onnx()
    images = torch.zeros(2, 3, image_size, image_size)
    model = model.cpu().to(memory_format=torch.contiguous_format)
    try:
        _export(model, images, path)
    except Exception as error:  # torch raises nearly any type
        layer = _layer_without_onnx(model, images, path)
        raise CannotExport(
            f"{layer or 'the network as a whole'} cannot be written as ONNX: {_cause(error)}; "
            "--to safetensors keeps every network"
        ) from error


def _export(model: nn.Module, images: Tensor, path: Path) -> None:
    with evaluation_mode(model), torch.inference_mode(False), torch.no_grad(), _exporting():
        torch.onnx.export(
            model,
            (images,),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )


@contextmanager
def _exporting() -> Iterator[None]:
    """Hide what torch warns of in code of its own, and let it read its older flag of TF32.

    It refuses to where convolutions are set by the newer one, as `prepare_device` does.
    """
    cudnn: Any = torch.backends.cudnn
    before = cudnn.conv.fp32_precision
    cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        cudnn.conv.fp32_precision = before


def _layer_without_onnx(model: nn.Module, images: Tensor, path: Path) -> str:
    """Return the innermost layer that cannot be exported alone, "" if each can."""
    for name, layer, given in _layers_with_inputs(model, images):
        try:
            _export(layer, given, path)
        except Exception:
            return f"layer {name!r} ({type(layer).__name__})"
    return ""


def _layers_with_inputs(model: nn.Module, images: Tensor) -> list[tuple[str, nn.Module, Tensor]]:
    """Return the layers, those within others ahead of these, each with what enters it."""
    seen: list[tuple[str, nn.Module, Tensor]] = []

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            if len(given) == 1 and isinstance(given[0], Tensor):
                seen.append((name, layer, given[0].clone()))

        return note

    hooks = [
        layer.register_forward_pre_hook(watch(name))
        for name, layer in model.named_modules()
        if name
    ]
    try:
        with evaluation_mode(model), torch.inference_mode(False), torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return sorted(seen, key=lambda each: -each[0].count("."))


def _cause(error: Exception) -> str:
    """Return the first line of what went wrong first."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return f"{type(error).__name__}: {first_line(error)[:200]}"


def check_onnx(
    path: Path,
    network: LoadedNetwork,
    images: Bytes,
    run_logits: npt.NDArray[np.float32],
    *,
    progress: Progress | None = None,
) -> OnnxCheck:
    """Let onnxruntime answer on the images of a run; each class has to be the network's own.

    `images` are stored squares `(N, S, S, 3)`, `run_logits` `(N, C)` what the run kept of them. The
    network itself computes in float32 here, whatever precision it was trained in.

    Raises:
        CannotExport: if a class differs, or a logit by more than 1e-3.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    largest, n_others, n_same = 0.0, 0, 0
    for start in range(0, len(images), EVALUATION_BATCH_SIZE):
        some = slice(start, start + EVALUATION_BATCH_SIZE)
        inputs = network.inputs_of(np.asarray(images[some])).cpu()
        with evaluation_mode(network.model):
            expected = network.model(inputs).numpy()
        (logits,) = session.run(["logits"], {"images": np.ascontiguousarray(inputs.numpy())})
        classes = logits.argmax(axis=1)
        largest = max(largest, float(np.abs(logits - expected).max()))
        n_others += int((classes != expected.argmax(axis=1)).sum())
        n_same += int((classes == run_logits[some].argmax(axis=1)).sum())
        if progress is not None:
            progress(min(start + EVALUATION_BATCH_SIZE, len(images)), len(images))
    if n_others or not largest <= LARGEST_DIFFERENCE:
        raise CannotExport(
            f"the ONNX file answers otherwise: another class on {plural(n_others, 'image')} of "
            f"{len(images)}, a logit off by {largest:.2g} ({LARGEST_DIFFERENCE:g} is allowed); "
            "--to safetensors keeps every network"
        )
    return OnnxCheck(images=len(images), largest_difference=largest, same_as_run=n_same)
