"""Are copies found after they were encoded or scaled anew, and different pictures kept apart?"""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cnnbench.data.open import open_dataset
from cnnbench.data.pixels.cache import remembered_hashes
from cnnbench.data.pixels.hashes import ImageHash, hash_file, hash_files, hash_image
from cnnbench.data.pixels.near_duplicates import near_copies, near_groups
from cnnbench.data.thorough_check import examine


def scene(number: int) -> Image.Image:
    """Draw a smooth coloured picture, as photos are at the scale of their hash."""
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = coarse.resize((160, 120), Image.Resampling.BICUBIC)
    return smooth.filter(ImageFilter.GaussianBlur(1))


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Make 60 training images; of 60 test images 20 are copies, 20 encoded anew, 20 are new."""
    root = tmp_path / "leaking"
    for split in ("train", "test"):
        for label in ("a", "b"):
            (root / split / label).mkdir(parents=True)
    for number in range(60):
        label = "ab"[number % 2]
        scene(number).save(root / "train" / label / f"{number}.png")
        file = root / "test" / label / f"{number}"
        if number < 20:
            scene(number).save(file.with_suffix(".png"))
        elif number < 40:
            small = scene(number).resize((100, 75), Image.Resampling.BILINEAR)
            small.save(file.with_suffix(".jpg"), quality=60)
        else:
            scene(1000 + number).save(file.with_suffix(".png"))
    return root


def test_planted_copies_are_found_and_nothing_else(leaking: Path) -> None:
    by_verdict = {finding.verdict: finding for finding in examine(str(leaking)).findings}
    numbers = {Path(name).stem for name in by_verdict["leak"].names}
    assert numbers == {str(number) for number in range(20)}
    near = {int(Path(name).stem) for name in by_verdict["near leak"].names}
    assert near <= set(range(20, 40))
    assert len(near) >= 19


def test_a_turned_photo_is_near_to_itself_upright(tmp_path: Path) -> None:
    turn = Image.Exif()
    turn[0x0112] = 6
    scene(1).save(tmp_path / "upright.jpg", quality=95)
    scene(1).transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "turned.jpg", quality=95, exif=turn
    )
    hashes = list(hash_files(tmp_path, ["upright.jpg", "turned.jpg"]).values())
    assert near_copies(hashes, [0], [1]) == {1: 0}


def test_flat_pictures_of_other_colours_are_not_near() -> None:
    hashes = [hash_image(Image.new("RGB", (40, 30), colour)) for colour in ("red", "navy", "red")]
    assert near_groups(hashes) == [0, 1, 0]


def test_many_pictures_of_one_hash_are_compared_all() -> None:
    levels = (0, 127, 255)
    flat = [
        Image.new("RGB", (40, 30), (red, green, blue))
        for red in levels
        for green in levels
        for blue in levels
    ]
    assert near_groups([hash_image(image) for image in flat]) == list(range(27))


def test_memory_does_not_grow_with_the_number_of_near_pairs() -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (2_500, 192), dtype=np.uint8)
    greys = rng.integers(0, 256, (2_500, 1_024), dtype=np.uint8)
    for thumbnails in (colours, greys):  # 1,500 empty tiles, each with other noise
        thumbnails[:1_500] = 250 + (rng.random((1_500, thumbnails.shape[1])) < 0.1)
    hashes = [
        ImageHash(colours=small.tobytes(), greys=grey.tobytes())
        for small, grey in zip(colours, greys, strict=True)
    ]
    tracemalloc.start()
    groups = near_groups(hashes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert groups == [0] * 1_500 + list(range(1_500, 2_500))
    assert peak < 36e6  # 32 bytes for each of 1.1 million pairs


def test_a_broken_image_is_near_to_none(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    hashes = list(hash_files(tmp_path, ["a.jpg", "b.jpg"]).values())
    assert near_groups(hashes) == [0, 1]
    assert near_copies(hashes, [0], [1]) == {}


def test_remembered_hashes_are_the_same_and_follow_the_content(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    scene(1).save(tmp_path / "b.png")
    (tmp_path / "a.jpg").write_bytes(b"<html>")
    scene(2).save(tmp_path / "c.jpg")
    first = remembered_hashes(tmp_path, {"b.png": "2", "a.jpg": "1", "c.jpg": "3"})
    assert first == {name: hash_file(tmp_path / name) for name in ("b.png", "a.jpg", "c.jpg")}
    for file in tmp_path.glob("*.*g"):
        file.unlink()  # so only what is remembered can answer, whatever the files are called
    again = remembered_hashes(tmp_path, {"x.png": "2", "y.jpg": "1", "z.jpg": "3"})
    assert again == {"x.png": first["b.png"], "y.jpg": first["a.jpg"], "z.jpg": first["c.jpg"]}


def test_near_duplicates_stay_on_one_side_of_a_split(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for label, start in (("a", 0), ("b", 100)):
        (root / label).mkdir(parents=True)
        for number in range(start, start + 12):
            for quality in (50, 70, 90):
                scene(number).save(root / label / f"{number}-{quality}.jpg", quality=quality)
    dataset = open_dataset(str(root))
    sides = {
        split: {Path(name).stem.split("-")[0] for name in part.names}
        for split, part in dataset.splits.items()
    }
    assert sides["test"]
    assert not sides["train"] & sides["test"]
    assert len(dataset.splits["test"]) == 12  # a fifth of 36 would be 7; groups of 3 give 6 each


@pytest.mark.parametrize(("allowed", "kept"), [(3, 8), (5, 8)])
def test_broken_images_within_the_cap_are_left_out_and_named(make_tree, allowed, kept) -> None:
    root = make_tree({"train/a": 4, "train/b": 4, "val/a": 2, "val/b": 2})
    whole = open_dataset(str(root))
    for name in ("train/a/x.jpg", "train/b/y.png", "val/b/z.gif"):
        (root / name).write_bytes(b"")
    skipped = open_dataset(str(root), options={"skip_broken": str(allowed)})
    assert len(skipped.splits["train"]) == kept
    assert skipped.fingerprint == whole.fingerprint  # the same images are left
    assert "3 broken images are left out for every model" in skipped.notices[0]
    assert "val/b/z.gif (empty)" in skipped.notices[0]


def test_more_broken_images_than_the_cap_stop_the_run(make_tree) -> None:
    root = make_tree({"train/a": 4, "train/b": 4, "val/a": 2, "val/b": 2})
    for name in ("train/a/x.jpg", "train/b/y.png", "val/b/z.gif"):
        (root / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"3 of 15 images are broken, skip_broken allows 2"):
        open_dataset(str(root), options={"skip_broken": "2"})


@pytest.mark.parametrize("words", ["-1", "many"])
def test_a_cap_that_is_no_count_is_refused(make_tree, words) -> None:
    root = make_tree({"train/a": 2, "train/b": 2, "val/a": 2})
    with pytest.raises(ValueError, match="skip_broken"):
        open_dataset(str(root), options={"skip_broken": words})
