"""Are leaks, contradictions and small tests said before anything is trained?"""

import shutil

import pytest

from cnnbench.data.open import open_dataset
from cnnbench.data.quick_check import quick_check, smallest_difference


def warnings_of(root) -> str:
    return "\n".join(quick_check(open_dataset(str(root))))


def test_copies_within_and_between_splits_are_counted(make_tree) -> None:
    root = make_tree({"train/apple": 4, "train/plum": 4, "val/apple": 2, "val/plum": 2})
    shutil.copy(root / "train/apple/0.png", root / "train/apple/9.png")
    shutil.copy(root / "train/apple/1.png", root / "val/apple/9.png")
    text = warnings_of(root)
    assert "train holds 1 exact copy of its images, for example train/apple/0.png" in text
    assert "1 of 5 val images are exact copies of train images, for example val/apple/9" in text


def test_one_image_in_two_classes_is_said(make_tree) -> None:
    root = make_tree({"train/apple": 4, "train/plum": 4, "val/apple": 2, "val/plum": 2})
    shutil.copy(root / "train/apple/0.png", root / "train/plum/9.png")
    assert "train holds one image in two classes (apple, plum)" in warnings_of(root)


def test_unequal_classes_are_said(make_tree) -> None:
    root = make_tree({"train/a": 12, "train/b": 2, "train/c": 3, "test/a": 8, "test/b": 2})
    text = warnings_of(root)
    assert "train is unequal: a has 12 images, b has 2" in text
    assert "answering a every time is right on 80.0% of test, chance would be 33.3%" in text


def test_a_small_test_is_said_and_a_clean_set_has_nothing_else(make_tree) -> None:
    root = make_tree({"train/a": 4, "train/b": 4, "test/a": 8, "test/b": 8})
    assert warnings_of(root) == (
        "16 test images cannot separate models that are less than about 23 points apart"
    )


def test_a_single_image_is_counted_as_one(make_tree) -> None:
    root = make_tree({"train/a": 12, "train/b": 1, "test/a": 1})
    text = warnings_of(root)
    assert "train is unequal: a has 12 images, b has 1\n" in text
    assert "\n1 test image cannot separate models" in text


def test_smallest_difference_has_the_stated_arithmetic() -> None:
    assert smallest_difference(128) == pytest.approx(8.0, abs=0.05)
    assert smallest_difference(2000) == pytest.approx(2.0, abs=0.05)
