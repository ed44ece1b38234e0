"""A full, read-only or lying disk: the last good state loads, and nothing half is left."""

import os
import random
import shutil
import subprocess

import pytest
from disks import (
    damage,
    fill_until_refused,
    flip_bit,
    is_refused,
    payloads,
    small_disk,
    truncate,
    write_as_nobody,
)

from cnnbench.base.files import append_line, write_whole
from cnnbench.store import StoreError, checkpoints


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "checkpoint"
    for steps in (1, 2):
        checkpoints.save(folder, {"weight": [float(steps)] * 50}, steps=steps)
    return folder


@pytest.mark.parametrize("how", [flip_bit, truncate])
def test_damage_is_caught_and_the_one_before_is_loaded(saved, how):
    rng = random.Random(0)
    assert all(damage(saved, rng, how) for _ in range(20))


@pytest.mark.parametrize("forced", ["", "1"])
def test_no_hostile_pickle_is_obeyed(tmp_path, monkeypatch, forced):
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", forced)
    mark = tmp_path / "mark"
    for name, state in payloads(mark).items():
        assert is_refused(tmp_path / "hostile", mark, state), name


def test_the_payloads_do_work_where_they_are_obeyed(tmp_path):
    import torch

    mark = tmp_path / "mark"
    for name, state in payloads(mark).items():
        torch.save(state, tmp_path / "state.pt")
        torch.load(tmp_path / "state.pt", weights_only=False)
        assert mark.exists(), name
        mark.unlink()


def test_a_full_device_is_a_store_error_with_advice(tmp_path):
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    with pytest.raises(StoreError, match=r"No space left on device.*free some space"):
        append_line(tmp_path / "events.jsonl", "{}")


def test_a_full_disk_keeps_the_last_good_state(tmp_path):
    try:
        with small_disk(tmp_path / "disk", 2) as disk:
            good, faults = fill_until_refused(disk / "checkpoint")
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("mounting a small disk is not allowed here")
    assert good > 2
    assert not faults


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root")
def test_a_folder_of_somebody_else_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    code, said = write_as_nobody(folder)
    assert code == 4
    assert "Permission denied" in said
    assert len(said.strip().splitlines()) == 1


def test_a_file_is_synced_before_it_is_renamed_and_its_folder_after(tmp_path, monkeypatch):
    # No kill can show this: what is written survives in the page cache, synced or not.
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("sync"), fsync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda *ab: (order.append("rename"), replace(*ab))[1])
    write_whole(tmp_path / "file", lambda file: file.write(b"x"))
    assert order == ["sync", "rename", "sync"]
