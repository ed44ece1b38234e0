"""An ONNX file gives the network's own answers, or there is none."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from cnnbench.data import DataError
from cnnbench.engine.evaluate import evaluation_mode
from cnnbench.inference import ExportFormat, export, onnx
from cnnbench.inference.export import export_network
from cnnbench.inference.network import load_network
from cnnbench.inference.onnx import CannotExport, check_onnx, write_onnx
from zoo.layers import LocalResponseNorm

NO_ONNX = pytest.mark.skipif(
    any(find_spec(name) is None for name in onnx._PACKAGES),
    reason="needs the extra [onnx]",
)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("size", [3, 5])
def test_response_normalisation_has_a_form_of_plain_operations(groups, size):
    layer = LocalResponseNorm(n=size, alpha=0.3, beta=0.75, k=2.0, groups=groups)
    x = torch.randn(2, 12, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer._in_plain_operations(x), layer(x))


def test_without_the_extra_it_is_said_what_to_install(folder, network, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    out = tmp_path / "out"
    with pytest.raises(CannotExport, match=r"pip install 'cnnbench\[onnx\]'"):
        export_network(network, folder, out, to=ExportFormat.ONNX, card=lambda *_: "")
    assert not out.exists()


def answers(path, model, inputs):
    """Return the largest difference between an ONNX file and the network it was made of."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": inputs.numpy()})
    with evaluation_mode(model):
        expected = model(inputs).numpy()
    assert (logits.argmax(1) == expected.argmax(1)).all()
    return float(np.abs(logits - expected).max())


@NO_ONNX
@pytest.mark.slow
def test_an_export_is_checked_on_the_images_of_the_run(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "measure_speed", lambda network: None)
    checks = []
    out = tmp_path / "out"
    network = load_network(folder)
    export_network(
        network, folder, out, to=ExportFormat.ONNX, card=lambda _, check: checks.append(check) or ""
    )
    (check,) = checks
    assert (check.images, check.same_as_run) == (39, 39)
    assert check.largest_difference <= 1e-3
    assert sorted(path.name for path in out.iterdir()) == [
        *("README.md", "labels.txt", "model.onnx", "preprocessing.json"),
    ]


@NO_ONNX
@pytest.mark.slow
def test_a_file_with_other_answers_is_refused(folder, tmp_path):
    network, other = load_network(folder), load_network(folder)
    with torch.no_grad():
        next(other.model.parameters()).add_(0.1)
    write_onnx(other.model, tmp_path / "model.onnx", image_size=32)
    squares = np.random.default_rng(0).integers(0, 256, (40, 54, 54, 3), dtype=np.uint8)
    logits = network.logits_of(squares)
    with pytest.raises(CannotExport, match="answers otherwise"):
        check_onnx(tmp_path / "model.onnx", network, squares, logits)


class Odd(nn.Module):
    """A layer that no ONNX file can hold: what it computes hangs on a sum."""

    def forward(self, x):
        return x if x.sum() > 0 else -x


@NO_ONNX
@pytest.mark.slow
def test_a_network_that_cannot_be_exported_names_the_layer(tmp_path):
    model = nn.Sequential()
    model.add_module("first", nn.Conv2d(3, 4, 3))
    model.add_module("odd", Odd())
    model.add_module("last", nn.Flatten())
    with pytest.raises(CannotExport, match=r"layer 'odd' \(Odd\)"):
        write_onnx(model.eval(), tmp_path / "model.onnx", image_size=16)


@pytest.mark.parametrize("to", ExportFormat)
def test_images_that_changed_stop_an_onnx_export_alone(folder, tmp_path, monkeypatch, to):
    monkeypatch.setattr(export, "measure_speed", lambda network: None)
    monkeypatch.setattr(export, "require_onnx", lambda: None)
    network, out = load_network(folder), tmp_path / "out"
    changed = network.kept.model_copy(update={"dataset_fingerprint": "0" * 64})
    object.__setattr__(network, "kept", changed)

    def do():
        export_network(network, folder, out, to=to, card=lambda *_: "")

    if to is ExportFormat.ONNX:
        with pytest.raises(DataError, match="--dataset"):
            do()
    else:
        do()
    assert out.exists() == (to is not ExportFormat.ONNX)


@NO_ONNX
@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_models())
def test_every_network_of_the_zoo_exports(name, tmp_path):
    size = max(zoo.card(name).smallest_image_size, min(64, zoo.card(name).image_size))
    torch.manual_seed(0)
    model = zoo.build(name, num_classes=5, init="common", image_size=size).eval()
    write_onnx(model, tmp_path / "model.onnx", image_size=size)
    inputs = torch.randn(3, 3, size, size)  # three at once, where two were traced
    assert answers(tmp_path / "model.onnx", model, inputs) <= 1e-3
