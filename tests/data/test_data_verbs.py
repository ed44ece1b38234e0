"""Do `check`, `fetch` and `datasets --clean` say the right thing and leave with the right code?"""

import json
import sys
from pathlib import Path

import pytest

from cnnbench.cli import main
from cnnbench.data.open import open_dataset
from cnnbench.data.pixels.cache import decoded


@pytest.fixture
def cnnbench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cnnbench", *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


@pytest.fixture
def photos(make_tree) -> Path:
    return make_tree({"train/a": 40, "train/b": 40, "val/a": 20, "val/b": 20})


def test_check_of_a_clean_folder_leaves_with_zero(cnnbench, photos) -> None:
    code, out, _ = cnnbench("check", str(photos))
    assert code == 0
    assert "train 80, val 40" in out
    assert "it can be trained on" in out


def test_check_names_a_broken_image_and_leaves_with_three(cnnbench, photos) -> None:
    (photos / "val/b/<i>.jpg").write_bytes(b"")
    code, out, _ = cnnbench("check", str(photos))
    assert code == 3
    assert "val/b/<i>.jpg: the file is empty (0 bytes)" in out
    code, out, _ = cnnbench("check", str(photos), "--skip-broken", "1")
    assert code == 0
    assert "1 broken image is left out for every model" in out


def test_check_in_json_has_every_finding_and_file(cnnbench, photos) -> None:
    (photos / "val/b/x.jpg").write_bytes(b"")
    code, out, _ = cnnbench("check", str(photos), "--json")
    document = json.loads(out)
    assert code == 3
    assert document["files"]["val/b/x.jpg"] == ["empty"]
    assert document["findings"][0]["names"] == ["val/b/x.jpg"]
    assert document["usable"] is False


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("check", "./none"), 3, "no such folder"),
        (("check", "fruitz"), 3, "did you mean 'fruits'"),
        (("check", "digits", "--data", "x"), 2, "must be KEY=VALUE"),
        (("check", ".", "--skip-broken", "-1"), 3, "skip_broken must be"),
        (("fetch", "fruits"), 3, "nothing to fetch"),
        (("fetch", "."), 3, "no card"),
        (("fetch", "grocery-fruits", "--from", "/no/such/file"), 4, "cannot read"),
        (("fetch", "grocery-fruits", "--from", "http://example.org/x"), 4, "only https"),
        (("check", "grocery-fruits"), 3, "type: cnnbench fetch grocery-fruits"),
        (
            ("run", "--models", "alexnet", "--dataset", "grocery-fruits"),
            3,
            "type: cnnbench fetch grocery-fruits",
        ),
    ],
)
def test_a_mistake_is_told_in_a_line(cnnbench, words, code: int, said: str) -> None:
    left, out, err = cnnbench(*words)
    assert (left, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_a_folder_called_like_a_card_is_named_and_how_to_use_it(
    cnnbench, make_tree, monkeypatch
) -> None:
    root = make_tree({"digits/left": 4, "digits/right": 4, "imagenet/a": 2})
    monkeypatch.chdir(root)
    said = "the folder digits/ that lies here is not used: type ./digits for it"
    code, out, _ = cnnbench("check", "digits")
    assert code == 0
    assert "train 1437" in out
    assert said in " ".join(out.split())
    words = ("--models", "lenet5", "--dry-run", "--device", "cpu", "--precision", "fp32")
    assert said in cnnbench("run", *words, "--dataset", "digits")[1]
    assert "2 classes" in cnnbench("run", *words, "--dataset", "./digits")[1]
    assert "2 classes" in cnnbench("run", *words, "--dataset", "digits/")[1]
    code, _, err = cnnbench("check", "imagenet")
    assert code == 3
    assert "type ./imagenet for it" in err


def test_a_run_folder_around_the_images_leaves_with_three(cnnbench, photos, monkeypatch) -> None:
    monkeypatch.chdir(photos.parent)
    words = ("run", "--models", "lenet5", "--dataset", "photos", "--device", "cpu", "--dry-run")
    code, out, err = cnnbench(*words, "--precision", "fp32", "--out", "photos/train")
    assert (code, out) == (3, "")
    assert "--out 'photos/train' holds images of the dataset" in err


def test_clean_removes_decoded_images_and_they_come_again(cnnbench, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    dataset = open_dataset(str(photos))
    before = decoded(dataset, "train", 16)
    (tmp_path / "cache/mine.txt").write_text("not the cache's")
    code, out, _ = cnnbench("datasets", "--clean")
    assert code == 0
    assert "removed 2 files" in out
    assert not list((tmp_path / "cache").rglob("*.npy"))
    assert (tmp_path / "cache/mine.txt").exists()
    assert before.images[0, 0, 0].tolist() == decoded(dataset, "train", 16).images[0, 0, 0].tolist()
