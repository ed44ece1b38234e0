"""Is the drawn set a dataset like any other, whatever the number of images asked for?"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench import fruits
from cnnbench.data import DataError
from cnnbench.data.dataset import Dataset, first_of_each_class
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


def test_another_stored_size_scales_the_picture(card: str, tmp_path: Path) -> None:
    images = decoded(opened(card), "test", 40, folder=tmp_path / "cache").images
    assert images.shape == (12, 40, 40, 3)


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
