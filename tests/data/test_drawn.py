"""Is the drawn set a dataset like any other, whatever the number of images asked for?"""

from pathlib import Path

import numpy as np
import pytest

from cnnbench.data import fruits
from cnnbench.data.cache import decoded
from cnnbench.data.dataset import Dataset
from cnnbench.data.errors import DataError
from cnnbench.data.opening import open_dataset

CARD = """
version = 1
name = "few-fruits"
title = "A few drawn fruit"
kind = "drawn"
drawn = true

[options]
train = { type = "int", default = 24 }
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
        ({"tset": "5"}, r"has no option 'tset'; did you mean 'test'\?"),
    ],
)
def test_wrong_options_are_refused(card: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(card, **options)
