"""A damaged or hostile file of weights is refused in one clear line, and nothing in it is run."""

import contextlib
import functools
import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

import zoo
from zoo.weights import MissingWeights
from zoo.weights.fitting import BadWeights, fit, read_tensors

SIZE = {"num_classes": 10, "image_size": 32}
TINY = save({"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)})


@functools.cache
def state():
    torch.manual_seed(0)
    return zoo.build("resnet20", **SIZE).state_dict()


def take(path):
    """Read a file and fit it, as planning does."""
    return fit("resnet20", read_tensors(path), **SIZE)


def safetensors(header, data=b""):
    """Return the bytes of a file whose header is `header`, as text or to be made text of."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


class Hostile:
    """Makes whoever unpickles it run a program."""

    def __reduce__(self):
        return os.mkdir, ("was-run",)


# -- files by their bytes -------------------------------------------------------------------------


def a_zip_with_more_inside():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("archive/data/0", bytes(10**7))
    return file.getvalue()


def a_zip_with_a_name_twice():
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of it, too
        with zipfile.ZipFile(file, "w") as archive:
            for content in (b"a", b"b"):
                archive.writestr("archive/data.pkl", content)
    return file.getvalue()


def a_torchscript_program():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"archive/{name}", b"")
    return file.getvalue()


def a_tensor_named_twice():
    one = '"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    return safetensors(f"{{{one}, {one}}}".encode(), bytes(4))


def overlapping():
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return safetensors({"a": tensor, "b": tensor | {"data_offsets": [4, 12]}}, bytes(12))


REFUSED = {
    "empty": (lambda: b"", "is empty"),
    "truncated": (lambda: save(state())[:-1000], "is damaged or no file of weights"),
    "truncated-pth": (lambda: saved(state())[:-1000], "is damaged or no file of weights"),
    "endless-header": (
        lambda: struct.pack("<Q", 2**62) + b"{" + bytes(100),
        "is damaged or no file",
    ),
    "header-no-json": (lambda: safetensors(b"{never closed"), "is damaged or no file of weights"),
    "overlapping": (overlapping, "is damaged or no file of weights"),
    "beyond-its-end": (
        lambda: safetensors(
            {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}, bytes(4)
        ),
        "is damaged or no file of weights",
    ),
    "name-twice": (a_tensor_named_twice, "names 'a' 2 times"),
    "pickle": (lambda: pickle.dumps(Hostile(), protocol=2), r"more than tensors \('\w+.mkdir'\)"),
    "new-pickle": (lambda: pickle.dumps(Hostile()), "holds more than tensors"),
    "pickle-in-zip": (lambda: saved({"a": Hostile()}), r"holds more than tensors \('\w+.mkdir'\)"),
    "whole-module": (lambda: saved(torch.nn.Linear(2, 2)), r"'torch.nn.modules.linear.Linear'"),
    "zip-bomb": (a_zip_with_more_inside, "claims to unpack"),
    "zip-name-twice": (a_zip_with_a_name_twice, "names 'archive/data.pkl' 2 times"),
    "zip-of-other-things": (
        lambda: a_zip_with_more_inside()[:50] + bytes(50),
        "is damaged or no file of weights",
    ),
    "torchscript": (a_torchscript_program, "is a TorchScript program"),
    "endless-tensor": (
        lambda: saved({"a": torch.ones(1).expand(10**12)}),
        "claims 1,000,000,000,000 numbers for 'a'",
    ),
    "text": (lambda: b"the weights are in the other folder\n", "neither .safetensors nor"),
    "web-page": (lambda: b"\n<!DOCTYPE html><html>404</html>", "is a web page, not weights"),
    "nothing-inside": (lambda: saved({}), "holds no tensors"),
    "a-list": (lambda: saved([[torch.ones(2)]]), "holds no tensors by name, but a list"),
    "other-things": (lambda: saved({"epoch": 3}), "'epoch' is a int"),
    "numbered": (lambda: saved({1: torch.ones(2)}), "'1' is a Tensor"),
    "nan": (lambda: saved(state() | {"conv1.weight": torch.full((16, 3, 3, 3), torch.nan)}), "NaN"),
    "inf": (lambda: save(state() | {"fc.bias": torch.full((10,), -torch.inf)}), "infinite"),
    "float64-beyond-float32": (
        lambda: saved({"a": torch.tensor([1e300], dtype=torch.float64)}),
        "infinite",
    ),
    "complex": (lambda: saved({"a": torch.ones(2, dtype=torch.complex64)}), "'a' as complex64"),
    "float8": (lambda: saved({"a": torch.ones(2).to(torch.float8_e5m2)}), "'a' as float8_e5m2"),
    "whole-numbers": (lambda: saved({k: v.long() for k, v in state().items()}), "whole numbers"),
    "sparse": (lambda: saved({"a": torch.eye(3).to_sparse()}), "'a' as sparse_coo float32"),
    "meta": (lambda: saved({"a": torch.empty(2, device="meta")}), "save it as plain float32"),
    "odd-names": (
        lambda: saved({"a\n\x1b[31m\u202e" + "x" * 10**5: torch.ones(1)}),
        r"left over \('a\\n\\x1b\[31m\\u202exxx",
    ),
    "another-network": (lambda: saved(OrderedDict(a=torch.ones(2))), r"\d+ tensors of \d+ missing"),
    "another-shape": (
        lambda: saved(state() | {"conv1.weight": torch.ones(16, 3, 5, 5)}),
        "16x3x5x5",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_damaged_or_hostile_file_is_refused_in_one_line(kind, suffix, tmp_path, monkeypatch):
    content, message = REFUSED[kind]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content())
    with pytest.raises(BadWeights, match=message) as refused:
        take(path)
    assert refused.value.exit_code == 3
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500
    assert list(tmp_path.iterdir()) == [path]  # nothing was run


@pytest.mark.parametrize("kind", ["pickle", "new-pickle", "pickle-in-zip", "whole-module"])
def test_no_environment_makes_a_pickle_run(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path = tmp_path / "weights.pth"
    path.write_bytes(REFUSED[kind][0]())
    with pytest.raises(BadWeights, match="holds more than tensors"):
        take(path)
    assert list(tmp_path.iterdir()) == [path]


def test_quantised_tensors_are_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that this is going away
        torch.save(
            {"a": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, tmp_path / "a"
        )
    with pytest.raises(BadWeights, match="'a' as quantised qint8"):
        take(tmp_path / "a")


# -- files by what they are -----------------------------------------------------------------------


def a_folder(path):
    path.mkdir()


def a_loop_of_links(path):
    path.symlink_to(path)


def a_pipe(path):
    os.mkfifo(path)


def a_loop_of_folders(path):
    path.symlink_to(path.parent)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_folder, "is a folder; name the file in it"),
        (a_loop_of_folders, "is a folder; name the file in it"),
        (a_loop_of_links, "cannot be read: Too many levels"),
        (a_pipe, "is no regular file"),
    ],
)
def test_what_is_no_file_is_refused(make, message, tmp_path):
    path = tmp_path / "weights.pth"
    make(path)
    with pytest.raises(BadWeights, match=message):
        take(path)


def test_a_file_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingWeights, match="there is no file"):
        take(tmp_path / "weights.pth")


@contextlib.contextmanager
def as_somebody_else():
    """Let go of the rights of root, whom no permission stops."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(TINY)
    path.chmod(0)
    with pytest.raises(BadWeights, match="cannot be read: Permission denied"), as_somebody_else():
        take(path)


# -- what is fine ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("write", [save_file, torch.save])
def test_floats_of_another_width_become_float32(dtype, write, tmp_path):
    floats = {n: v.to(dtype) if v.is_floating_point() else v for n, v in state().items()}
    write(floats, tmp_path / "weights")
    read = read_tensors(tmp_path / "weights")
    assert read["conv1.weight"].dtype is torch.float32
    assert torch.equal(read["conv1.weight"], floats["conv1.weight"].float())
    assert take(tmp_path / "weights").notes == ()


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_what_training_scripts_put_around_weights_is_taken_off(key, tmp_path):
    torch.save({key: state(), "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "weights.pth")
    assert take(tmp_path / "weights.pth").notes == ()


def test_the_format_of_old_torch_is_read(tmp_path):
    torch.save(state(), tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert take(tmp_path / "a.pth").notes == ()


def test_parameters_are_tensors_like_any_other(tmp_path):
    torch.save({"a": torch.nn.Parameter(torch.ones(2))}, tmp_path / "a.pth")
    assert not read_tensors(tmp_path / "a.pth")["a"].requires_grad


@given(place=st.integers(0, len(TINY) - 1), bit=st.integers(0, 7), keep=st.integers(0, len(TINY)))
def test_a_flipped_bit_or_a_lost_end_is_read_or_refused_and_nothing_else(
    tmp_path_factory, place, bit, keep
):
    content = bytearray(TINY)
    content[place] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(content[: max(keep, place + 1)])
    with contextlib.suppress(BadWeights):
        assert all(value.dtype is torch.float32 for value in read_tensors(path).values())
