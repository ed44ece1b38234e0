"""Are sets whose images all look alike still split and checked by what differs in them?"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from cnnbench.data import DataError
from cnnbench.data.dataset import Dataset
from cnnbench.data.open import open_dataset
from cnnbench.data.pixels.hashes import hash_image
from cnnbench.data.pixels.near_duplicates import near_copies, near_groups
from cnnbench.data.thorough_check import examine

SIDE = 96
Maker = Callable[[np.random.Generator, int], Image.Image]


def letter(rng: np.random.Generator, label: int) -> Image.Image:
    """Draw a letter in black on white, at any place and in any size."""
    image = Image.new("RGB", (SIDE, SIDE), "white")
    size, left, top = (int(n) for n in rng.integers((30, 8, 4), (60, 40, 30)))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((left, top), "AEFHKTXZOS"[label], fill="black", font=font)
    return image


def part_on_a_belt(rng: np.random.Generator, label: int) -> Image.Image:
    """Draw what a fixed camera sees; the second class has a scratch."""
    image = Image.new("RGB", (SIDE, SIDE), (120, 122, 124))
    draw = ImageDraw.Draw(image)
    x, y = (int(n) for n in rng.integers(-3, 4, 2))
    draw.rectangle((24 + x, 24 + y, 72 + x, 72 + y), fill=(170, 171, 173))
    if label:
        ends = [tuple(int(n) for n in rng.integers(30, 66, 2)) for _ in range(2)]
        draw.line(ends, fill=(140, 141, 143), width=2)
    noise = rng.integers(0, 5, (SIDE, SIDE, 1))
    return Image.fromarray((np.asarray(image) + noise).astype(np.uint8))


def scan(rng: np.random.Generator, label: int) -> Image.Image:
    """Draw a chest: the same for all but for small shifts and soft differences."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    grey = 40 + 120 * np.exp(-((x - 0.5) ** 2) / 0.08)
    for centre in (0.3, 0.7):
        dx, dy = rng.normal(0, 0.015, 2)
        grey -= 70 * np.exp(-((x - centre - dx) ** 2) / 0.012 - (y - 0.5 - dy) ** 2 / 0.05)
    soft = Image.fromarray(rng.normal(0, 9 + label, (12, 12)).astype(np.float32))
    grey += np.asarray(soft.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def lights(rng: np.random.Generator, label: int) -> Image.Image:
    """Draw a few lights in the night."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    grey = rng.integers(0, 6, (SIDE, SIDE)).astype(float)
    for _ in range(1 + label):
        cx, cy = rng.uniform(10, SIDE - 10, 2)
        grey += 200 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(6, 40))
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def lines(rng: np.random.Generator, label: int) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    for _ in range(3 + label):
        ends = [tuple(int(n) for n in rng.integers(8, SIDE - 8, 2)) for _ in range(2)]
        ImageDraw.Draw(image).line(ends, fill="black")
    return image


def save(root: Path, make: Maker, classes: int, each: int) -> Path:
    for label in range(classes):
        (root / f"c{label}").mkdir(parents=True)
        for number in range(each):
            image = make(np.random.default_rng(1000 * label + number), label)
            image.save(root / f"c{label}" / f"{number:02}.png")
    return root


def counts_of_test(dataset: Dataset) -> list[int]:
    return np.bincount(dataset.splits["test"].labels, minlength=len(dataset.classes)).tolist()


@pytest.mark.parametrize(
    ("make", "classes", "each"),
    [(letter, 10, 20), (part_on_a_belt, 2, 40), (scan, 2, 40), (lights, 2, 40), (lines, 2, 40)],
)
def test_a_plain_set_is_split_in_each_class_as_any_other(tmp_path, make, classes, each) -> None:
    dataset = open_dataset(str(save(tmp_path / "set", make, classes, each)))
    assert counts_of_test(dataset) == [each // 5] * classes
    assert len(dataset.notices) == 1  # no group is too large to be believed


def test_check_accuses_few_letters_of_a_leak(tmp_path: Path) -> None:
    root = tmp_path / "letters"
    save(root / "train", letter, 10, 30)
    save(root / "drawn", lambda rng, label: letter(rng.spawn(1)[0], label), 10, 6)
    (root / "drawn").rename(root / "test")
    leaks = [f for f in examine(str(root)).findings if f.verdict == "near leak"]
    assert sum(len(finding.names) for finding in leaks) <= 9  # of 60


def test_few_test_images_are_judged_by_what_is_usual_in_the_whole_set(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    save(root / "train", scan, 2, 20)
    save(root / "drawn", lambda rng, label: scan(rng.spawn(1)[0], label), 2, 4)
    (root / "drawn").rename(root / "test")
    assert not [f for f in examine(str(root)).findings if f.verdict.startswith("near")]


@pytest.mark.parametrize("make", [letter, part_on_a_belt, scan, lights, lines])
def test_a_copy_saved_anew_is_found_among_images_that_look_alike(make: Maker, tmp_path) -> None:
    images = [make(np.random.default_rng(n), n % 2) for n in range(40)]
    copies = []
    for number, image in enumerate(images[:10]):
        path = tmp_path / f"{number}.jpg"
        image.convert("RGB").point(lambda level: min(255, level + level // 20)).save(path)
        with Image.open(path) as saved:
            copies.append(hash_image(saved.convert("RGB")))
    hashes = [hash_image(image.convert("RGB")) for image in images] + copies
    found = near_copies(hashes, range(40), range(40, 50))
    assert len(found) == 10


def test_colours_of_one_shape_are_told_apart() -> None:
    def lamp(colour: str) -> Image.Image:
        image = Image.new("RGB", (SIDE, SIDE), "grey")
        ImageDraw.Draw(image).ellipse((40, 40, 56, 56), fill=colour)
        return image

    hashes = [hash_image(lamp(colour)) for colour in ("red", "lime", "blue", "yellow", "red")]
    assert near_groups(hashes) == [0, 1, 2, 3, 0]


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(3, 10))
def test_all_of_a_group_are_near_to_one_of_it(seed: int, step: float) -> None:
    rng = np.random.default_rng(seed)
    unrelated = rng.uniform(0, 255, (30, 8, 8, 3))
    film = rng.uniform(60, 200, (8, 8, 3)) + np.cumsum(rng.normal(0, step, (30, 8, 8, 3)), axis=0)
    frames = np.concatenate([film, unrelated]).clip(0, 255).astype(np.uint8)
    pixels = (Image.fromarray(frame) for frame in frames)
    hashes = [hash_image(each.resize((64, 64), Image.Resampling.NEAREST)) for each in pixels]
    groups = near_groups(hashes)
    sizes = Counter(groups)
    assert 1 < max(sizes.values()) < 30  # the film is no chain
    for group, _ in sizes.most_common(2):
        members = [index for index, each in enumerate(groups) if each == group]
        assert members[0] == group
        assert any(len(near_copies(hashes, [one], members)) == len(members) for one in members)


def photo(number: int) -> Image.Image:
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return coarse.resize((80, 60), Image.Resampling.BICUBIC)


def write(folder: Path, images: Iterable[Image.Image], *, quality: int = 90) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        image.save(folder / f"{len(list(folder.iterdir())):03}.jpg", quality=quality)


def again(number: int, count: int) -> list[Image.Image]:
    """Return a photo `count` times, each with other noise."""
    still = np.asarray(photo(number)).astype(int)
    noise = np.random.default_rng(number).integers(-6, 7, (count, *still.shape))
    return [Image.fromarray(frame.clip(0, 255).astype(np.uint8)) for frame in still + noise]


def test_a_group_over_half_a_class_is_reported_and_not_obeyed(tmp_path: Path) -> None:
    write(tmp_path / "s/a", [*again(1, 16), *map(photo, range(100, 104))])
    write(tmp_path / "s/b", map(photo, range(200, 260)))
    dataset = open_dataset(str(tmp_path / "s"))
    assert counts_of_test(dataset) == [4, 12]
    assert dataset.notices[0].endswith("no near duplicates found (train 64, test 16)")
    assert dataset.notices[1].startswith(
        "16 of 80 images look nearly the same (a group of 16, for example a/000.jpg, a/001.jpg)"
    )


def test_a_large_group_over_several_classes_is_not_obeyed(tmp_path: Path) -> None:
    frames = again(1, 24)
    for place, label in enumerate("abc"):
        write(tmp_path / "s" / label, frames[8 * place : 8 * place + 8])
        write(tmp_path / "s" / label, map(photo, range(100 * place + 100, 100 * place + 132)))
    dataset = open_dataset(str(tmp_path / "s"))
    assert counts_of_test(dataset) == [8, 8, 8]
    assert "24 of 120 images look nearly the same" in dataset.notices[1]


def test_a_burst_is_kept_on_one_side_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "s/a", [*again(1, 8), *again(2, 3), *map(photo, range(100, 109))])
    write(tmp_path / "s/b", map(photo, range(200, 220)))
    dataset = open_dataset(str(tmp_path / "s"))
    names = set(dataset.splits["test"].names)
    burst = {f"a/{number:03}.jpg" for number in range(8)}
    assert not burst & names
    assert "11 near duplicates in 2 groups kept on one side each" in dataset.notices[0]
    assert len(dataset.notices) == 1


def test_equal_pixels_stay_together_in_a_group_that_is_not_obeyed(tmp_path: Path) -> None:
    frames = again(1, 16)
    write(tmp_path / "s/a", [*frames, *map(photo, range(100, 104))])
    for number in range(16):
        with Image.open(tmp_path / f"s/a/{number:03}.jpg") as image:
            image.save(tmp_path / f"s/a/copy-{number:03}.png")
    write(tmp_path / "s/b", map(photo, range(200, 220)))
    dataset = open_dataset(str(tmp_path / "s"))
    for split in dataset.splits.values():
        stems = [Path(name).stem for name in split.names if name.startswith("a/")]
        copied = {stem.removeprefix("copy-") for stem in stems if stem.startswith("copy-")}
        assert copied == {stem for stem in stems if stem in {f"{n:03}" for n in range(16)}}


def test_near_duplicates_can_be_left_out_of_account(tmp_path: Path) -> None:
    write(tmp_path / "s/a", again(1, 2))
    write(tmp_path / "s/b", map(photo, range(200, 210)))
    with pytest.raises(DataError, match=r"of its 2 images 1 are different .*near_duplicates=off"):
        open_dataset(str(tmp_path / "s"))
    dataset = open_dataset(str(tmp_path / "s"), options={"near_duplicates": "off"})
    assert counts_of_test(dataset) == [1, 2]
    assert "near duplicates not looked for" in dataset.notices[0]
    (tmp_path / "s/a/001.jpg").write_bytes((tmp_path / "s/a/000.jpg").read_bytes())
    with pytest.raises(DataError, match=r"one each; add other images$"):
        open_dataset(str(tmp_path / "s"), options={"near_duplicates": "off"})


def test_a_word_other_than_group_and_off_is_refused(make_tree) -> None:
    root = make_tree({"train/a": 2, "train/b": 2, "val/a": 2})
    with pytest.raises(ValueError, match=r"near_duplicates.*group or off"):
        open_dataset(str(root), options={"near_duplicates": "no"})


def test_a_split_without_near_duplicates_is_that_of_the_contents(tmp_path: Path) -> None:
    write(tmp_path / "s/a", map(photo, range(20)))
    write(tmp_path / "s/b", map(photo, range(200, 220)))
    grouped = open_dataset(str(tmp_path / "s"))
    apart = open_dataset(str(tmp_path / "s"), options={"near_duplicates": "off"})
    assert grouped.fingerprint == apart.fingerprint
