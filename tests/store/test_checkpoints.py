"""A checkpoint is trusted only after its hash, and a damaged one falls back with a warning."""

import json
import random

import pytest
import torch

from cnnbench.base.digests import sha256_of
from cnnbench.store import StoreError, checkpoints


def a_state(value):
    return {"model": {"weight": torch.full((8,), float(value))}, "steps": value}


def saved(folder, *steps):
    for step in steps:
        checkpoints.save(folder, a_state(step), steps=step)
    return sorted(folder.glob("*.pt"))


def test_nothing_saved_is_nothing_loaded(tmp_path):
    assert checkpoints.load(tmp_path / "none") is None


def test_the_newest_comes_back_as_it_was(tmp_path):
    saved(tmp_path, 5, 10)
    loaded = checkpoints.load(tmp_path)
    assert loaded.steps == 10
    assert loaded.notice == ""
    assert torch.equal(loaded.state["model"]["weight"], torch.full((8,), 10.0))


def test_two_are_kept(tmp_path):
    saved(tmp_path, 1, 2, 3, 4)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-000000003.json",
        "step-000000003.pt",
        "step-000000004.json",
        "step-000000004.pt",
    ]


def test_every_flipped_byte_is_caught(tmp_path):
    _, newest = saved(tmp_path, 1, 2)
    whole = newest.read_bytes()
    for place in random.Random(0).sample(range(len(whole)), 30):
        newest.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.warns(UserWarning, match="is damaged"):
            loaded = checkpoints.load(tmp_path)
        assert loaded.steps == 1
        assert "step-000000002.pt is damaged" in loaded.notice


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_truncated_one_is_caught(tmp_path, length):
    _, newest = saved(tmp_path, 1, 2)
    newest.write_bytes(newest.read_bytes()[:length])
    with pytest.warns(UserWarning, match="is damaged"):
        assert checkpoints.load(tmp_path).steps == 1


def test_one_without_a_sidecar_never_counted(tmp_path):
    saved(tmp_path, 1, 2)
    (tmp_path / "step-000000002.json").unlink()
    assert checkpoints.load(tmp_path).steps == 1


def test_training_never_starts_again_at_zero_in_silence(tmp_path):
    for path in saved(tmp_path, 1, 2):
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(StoreError, match="from zero"):
        checkpoints.load(tmp_path)


class Hostile:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_a_hostile_pickle_has_no_effect_even_with_a_right_hash(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    (path,) = saved(tmp_path, 1)
    torch.save({"model": Hostile()}, path)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    del sidecar["seal"]
    sidecar["sha256"] = sha256_of(path)
    sidecar["seal"] = checkpoints._seal(sidecar)
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(StoreError, match="is sound"):
        checkpoints.load(tmp_path)
    assert "must not run" not in capsys.readouterr().out


def test_every_flipped_bit_of_a_sidecar_is_caught(tmp_path):
    _, newest = saved(tmp_path, 1, 2)
    sidecar = newest.with_suffix(".json")
    whole = sidecar.read_bytes()
    for place in range(len(whole)):
        bit = 1 << (place % 8)
        sidecar.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        with pytest.warns(UserWarning, match="is damaged"):
            assert checkpoints.load(tmp_path).steps == 1


def test_a_checkpoint_of_another_version_is_refused_by_name(tmp_path):
    (path,) = saved(tmp_path, 1)
    path.with_suffix(".json").write_text('{"version": 1, "steps": 1, "sha256": "", "torch": ""}')
    with pytest.raises(StoreError, match=r"version 1, this cnnbench reads version 2"):
        checkpoints.load(tmp_path)


def test_a_checkpoint_without_a_sidecar_takes_no_place_of_a_good_one(tmp_path):
    saved(tmp_path, 1, 2, 9)
    (tmp_path / "step-000000009.json").unlink()
    saved(tmp_path, 5)
    assert [path.name for path in sorted(tmp_path.glob("*.pt"))] == [
        "step-000000002.pt",
        "step-000000005.pt",
    ]
