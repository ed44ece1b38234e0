"""A network that is kept comes back as it was, or is refused."""

import errno
import json
from types import SimpleNamespace

import pytest
import torch
from kept_networks import a_run, facts, keep
from safetensors import SafetensorError

from cnnbench.base.files import REPORT_BYTES
from cnnbench.store import DamagedError, StoreError
from cnnbench.store.network import WEIGHTS, copy_network


def states():
    """Return tensors in every layout that a trained network may hold them in."""
    shared = torch.arange(4.0)
    return {
        "conv.weight": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "fc.weight": torch.randn(3, 8).t(),
        "half": torch.randn(3).to(torch.bfloat16),
        "steps": torch.tensor(7),
        "tied": shared,
        "tied.again": shared,
    }


def test_tensors_come_back_as_float32_in_plain_layout(tmp_path):
    _, _, cell = a_run(tmp_path)
    put = states()
    cell.write_network(put, facts(cell.cell))
    kept = cell.kept()
    got = cell.weights(kept)
    assert set(got) == set(put)
    for name, value in put.items():
        assert torch.equal(got[name], value.float() if value.is_floating_point() else value)
        assert got[name].is_contiguous()
    assert got["steps"].dtype == torch.int64


def test_facts_come_back_with_every_digit_and_the_hash_of_the_weights(tmp_path):
    _, _, cell = a_run(tmp_path)
    put = facts(cell.cell, mean=(0.1 + 0.2, 1 / 3, 2**-40), std=(1 / 255, 1e-9, 0.7))
    cell.write_network({"weight": torch.zeros(1)}, put)
    assert cell.kept() == put.model_copy(update={"sha256": cell.kept().sha256})
    assert len(cell.kept().sha256) == 64


def test_where_nothing_was_kept_nothing_is_known(tmp_path):
    _, _, cell = a_run(tmp_path)
    assert not cell.has_network()
    assert cell.kept() is None
    cell.forget_network()


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone"])
def test_damaged_weights_are_refused_before_they_are_used(tmp_path, damage):
    _, _, cell = a_run(tmp_path)
    keep(cell)
    path = cell.path / WEIGHTS
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        changed = {"flip": whole[:-1] + bytes([whole[-1] ^ 1]), "cut": whole[:-4], "empty": b""}
        path.write_bytes(changed[damage])
    with pytest.raises(StoreError, match=r"model\.safetensors.*--fresh"):
        cell.weights(cell.kept())


def test_facts_of_another_version_and_damaged_ones_are_told_apart(tmp_path):
    _, _, cell = a_run(tmp_path)
    keep(cell)
    path = cell.path / "model.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"version": 99}))
    with pytest.raises(StoreError, match=r"version 99.*update cnnbench"):
        cell.kept()
    path.write_text("{")
    with pytest.raises(DamagedError, match=r"model\.json is damaged"):
        cell.kept()


def test_a_disk_that_is_full_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    import safetensors.torch

    def refuse(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    _, _, cell = a_run(tmp_path)
    monkeypatch.setattr(safetensors.torch, "save_file", refuse)
    with pytest.raises(StoreError, match=r"cannot write .*free some space") as raised:
        keep(cell)
    assert raised.value.__cause__.errno == errno.ENOSPC
    assert not list(cell.path.glob("model*"))
    assert not list(cell.path.glob(".*.tmp"))


def test_a_copy_is_the_same_files(tmp_path):
    _, _, cell = a_run(tmp_path)
    keep(cell)
    copy_network(cell.path, tmp_path)
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / name).read_bytes() == (cell.path / name).read_bytes()


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([(60, 9), (70, 9), (65, 9)], [1]),
        ([(70, 9), (70, 5), (70, 7)], [1]),
        ([(70, 5), (70, 5)], [0]),
        ([(70, 5)], [0]),
    ],
)
def test_the_best_network_stays_and_of_equal_ones_the_cheapest(tmp_path, scores, kept):
    run, plan, _ = a_run(tmp_path, seeds=len(scores))
    for cell, (correct, macs) in zip(plan.cells, scores, strict=True):
        folder = run.cell(cell)
        keep(folder, correct=correct, macs=macs)
        folder.write_result(folder.result().model_copy(update={"status": "done"}))
    run.keep_best_network(plan)
    there = [place for place, cell in enumerate(plan.cells) if run.cell(cell).has_network()]
    assert there == kept
    for cell in plan.cells:
        folder = run.cell(cell)
        assert (folder.path / WEIGHTS).exists() == folder.has_network()


def test_a_network_whose_cell_has_no_result_is_no_rival(tmp_path):
    run, plan, _ = a_run(tmp_path, seeds=2)
    first, second = (run.cell(cell) for cell in plan.cells)
    keep(first, correct=50)
    first.write_result(first.result().model_copy(update={"status": "done"}))
    keep(second, correct=99)  # killed before its result
    run.keep_best_network(plan)
    assert first.has_network()


def test_weights_are_out_of_the_way_of_git(tmp_path):
    run, plan, _ = a_run(tmp_path)
    ignored = (run.path / ".gitignore").read_text().split()
    assert {"*.safetensors", "checkpoint/", "log.txt"} <= set(ignored)
    (run.path / ".gitignore").write_text("mine\n")
    run.write_plan(plan)
    assert (run.path / ".gitignore").read_text() == "mine\n"


def test_room_for_what_is_kept_is_asked_for_with_the_checkpoints(tmp_path, monkeypatch):
    _, _, cell = a_run(tmp_path)
    params = 10**9
    usage = SimpleNamespace(free=3 * 2 * 4 * params + REPORT_BYTES)
    monkeypatch.setattr("cnnbench.base.files.shutil.disk_usage", lambda _: usage)
    cell.require_room(params, keeps=False)
    with pytest.raises(StoreError, match=r"network of this cell need .*--keep none"):
        cell.require_room(params, keeps=True)
