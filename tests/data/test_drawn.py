"""Is the drawn set a dataset like any other, whatever the number of images asked for?"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench import fruits
from cnnbench.data import DataError
from cnnbench.data.dataset import Dataset, ImageSource, first_of_each_class, hold_out
from cnnbench.data.open import open_dataset
from cnnbench.data.pixels.cache import decoded
from cnnbench.data.sources.drawn import nuisance_columns

CARD = """
version = 1
name = "few-fruits"
title = "A few drawn fruit"
kind = "drawn"
drawn = true

[options]
train = { type = "int", default = 24 }
val = { type = "int", default = 0 }
test = { type = "int", default = 12 }
size = { type = "int", default = 64 }
seed = { type = "int", default = 0 }
"""


@pytest.fixture
def card(tmp_path: Path) -> str:
    (tmp_path / "few.toml").write_text(CARD)
    return str(tmp_path / "few.toml")


def opened(card: str, **options: str) -> Dataset:
    return open_dataset(card, options=options)


def test_drawn_pixels_and_labels_are_the_renderers(card: str, tmp_path: Path) -> None:
    dataset = opened(card)
    result = decoded(dataset, "test", 64, folder=tmp_path / "cache")
    options = fruits.FruitOptions(train=24, test=12, size=64)
    assert (result.images[7] == fruits.draw(options, "test", 7)).all()
    assert result.labels[7] == fruits.label_of(options, "test", 7)
    assert np.bincount(result.labels).tolist() == [1] * 12


@pytest.mark.parametrize("size", [20, 80])
def test_another_size_is_the_drawn_picture_scaled_to_the_byte(
    card: str, tmp_path: Path, size: int
) -> None:
    split = opened(card).splits["test"]
    images = decoded(opened(card), "test", size, folder=tmp_path / "cache").images
    assert images.shape == (12, size, size, 3)
    for index in (0, 11):
        assert (images[index] == split.source.image(index, size)).all()


@dataclass(frozen=True)
class Counted:
    """Images of another source that count how often each is asked for."""

    source: ImageSource
    calls: list[int] = field(default_factory=list)
    releases_gil: bool = True

    def image(self, index: int, size: int) -> np.ndarray:
        self.calls.append(index)
        return self.source.image(index, size)


def counted(card: str, **options: str) -> tuple[Dataset, list[int]]:
    """Open the set and return with it the training images drawn so far, as a list that grows."""
    dataset = opened(card, **options)
    source = Counted(dataset.splits["train"].source)
    train = replace(dataset.splits["train"], source=source)
    return replace(dataset, splits={**dataset.splits, "train": train}), source.calls


def test_a_picture_is_drawn_once_for_every_size(card: str, tmp_path: Path) -> None:
    dataset, drawn = counted(card)
    seen: list[tuple[int, int]] = []
    for size in (40, 64, 48):
        decoded(dataset, "train", size, folder=tmp_path, progress=lambda *now: seen.append(now))
    assert sorted(drawn) == list(range(24))
    assert seen == [(8, 24), (16, 24), (24, 24)]


def test_tuning_draws_no_picture_that_the_run_will_not_need(card: str, tmp_path: Path) -> None:
    dataset, drawn = counted(card)
    trial = hold_out(dataset, 0.2)
    for size in (40, 64):
        for split in ("train", "val"):
            images = decoded(trial, split, size, folder=tmp_path).images
            source = trial.splits[split].source
            assert (images[3] == source.image(3, size)).all()
            del drawn[-1]  # which the line before has drawn
    decoded(dataset, "train", 64, folder=tmp_path)
    assert sorted(drawn) == list(range(24))


def test_a_small_part_is_drawn_by_itself_until_the_whole_is_there(
    card: str, tmp_path: Path
) -> None:
    dataset, drawn = counted(card, train="48")
    few = first_of_each_class(dataset, {"train": 12})
    first = decoded(few, "train", 40, folder=tmp_path).images
    assert len(drawn) == 12
    decoded(dataset, "train", 64, folder=tmp_path)
    assert len(drawn) == 12 + 48
    other = decoded(first_of_each_class(dataset, {"train": 13}), "train", 40, folder=tmp_path)
    assert len(drawn) == 12 + 48
    assert (other.images[0] == first[0]).all()


def test_a_trial_of_a_small_part_draws_that_part_only(card: str, tmp_path: Path) -> None:
    dataset, drawn = counted(card, train="48")
    trial = hold_out(first_of_each_class(dataset, {"train": 24 - 1}), 0.2)
    for split in trial.splits:
        decoded(trial, split, 40, folder=tmp_path)
    assert len(drawn) == len(set(drawn)) == 23


def test_photos_of_another_size_are_read_from_their_files(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    for folder in ("train/a", "train/b", "test/a", "test/b"):
        (tmp_path / folder).mkdir(parents=True)
        pixels = noise.integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / "1.png")
    photos = open_dataset(str(tmp_path), options={})
    decoded(photos, "train", 64, folder=tmp_path / "cache")
    small = decoded(photos, "train", 16, folder=tmp_path / "cache").images
    assert (small[0] == photos.splits["train"].source.image(0, 16)).all()
    assert len([*(tmp_path / "cache").rglob("*.npy")]) == 2


def test_more_test_images_leave_training_in_the_cache(card: str) -> None:
    few, many = opened(card), opened(card, test="36")
    assert many.splits["train"].fingerprint == few.splits["train"].fingerprint
    assert many.splits["test"].fingerprint != few.splits["test"].fingerprint
    assert many.fingerprint != few.fingerprint
    assert opened(card, seed="1").splits["train"].fingerprint != few.splits["train"].fingerprint


def test_the_report_is_told_that_images_are_drawn(card: str) -> None:
    dataset = opened(card)
    assert dataset.drawn
    assert dataset.notices == ("the images are drawn by a program, they are not photos",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": "many"}, "option 'train' .* must be of type int, saw 'many'"),
        ({"train": "-3"}, "cannot be drawn: .*train"),
        ({"test": "0"}, "needs at least one test image"),
        ({"size": "16"}, "size must be between 32 and 1024 pixels, got 16"),
        ({"size": "256px"}, "option 'size' .* must be of type int, saw '256px'"),
        ({"seed": "-1"}, "seed must be at least 0, got -1"),
        ({"tset": "5"}, r"has no option 'tset'; did you mean 'test'\?"),
    ],
)
def test_wrong_options_are_refused(card: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(card, **options)


def test_a_validation_split_comes_on_request_and_shares_no_scene(card: str) -> None:
    dataset = opened(card, val="12", test="24")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 24,
        "val": 12,
        "test": 24,
    }
    options = fruits.FruitOptions(train=24, val=12, test=24, size=64)
    lamps = [
        fruits.nuisances(options, split, k).lamp_elevation_degrees
        for split in fruits.SPLITS
        for k in range(4)
    ]
    assert len(set(lamps)) == 12


def test_a_table_of_nuisances_has_a_row_for_every_image(card: str, tmp_path: Path) -> None:
    split = opened(card).splits["test"]
    columns = nuisance_columns(split, folder=tmp_path)
    assert columns["label"] == tuple(split.labels.tolist())
    options = fruits.FruitOptions(train=24, test=12, size=64)
    assert columns["hero_pixels"][7] == fruits.nuisances(options, "test", 7).hero_pixels


def test_a_table_of_nuisances_is_stored_and_a_torn_one_measured_again(
    card: str, tmp_path: Path
) -> None:
    split = opened(card).splits["test"]
    first = nuisance_columns(split, folder=tmp_path)
    (stored,) = (tmp_path / "nuisances").iterdir()
    written = stored.read_text()
    assert nuisance_columns(split, folder=tmp_path) == first
    stored.write_text(written[: len(written) // 2])
    assert nuisance_columns(split, folder=tmp_path) == first
    assert stored.read_text() == written


def test_a_few_chosen_images_have_the_nuisances_of_those(card: str, tmp_path: Path) -> None:
    dataset = opened(card, test="36")
    few = first_of_each_class(dataset, {"test": 12}).splits["test"]
    columns = nuisance_columns(few, folder=tmp_path)
    assert columns["label"] == tuple(few.labels.tolist())


def test_photos_have_no_known_nuisances(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            shade = np.full((8, 8, 3), 40 + 60 * len(split) % 97, np.uint8)
            Image.fromarray(shade).save(tmp_path / split / name / "1.png")
    photos = open_dataset(str(tmp_path), options={})
    with pytest.raises(TypeError, match="only drawn images have known nuisances"):
        nuisance_columns(photos.splits["train"], folder=tmp_path / "cache")
