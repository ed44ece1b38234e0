"""Does a folder become a dataset whose labels are right, or is it refused by name?"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cnnbench.data import DataError
from cnnbench.data.dataset import Dataset, first_of_each_class
from cnnbench.data.open import open_dataset
from cnnbench.data.sources.folder import open_folder


def folder_of(dataset: Dataset, split: str, index: int) -> str:
    name = dataset.splits[split].names[index]
    return name.split("/")[1]


def assert_labels_are_folders(dataset: Dataset) -> None:
    for split, images in dataset.splits.items():
        for index, label in enumerate(images.labels):
            assert dataset.classes[label] == folder_of(dataset, split, index)


usable = st.text("abAB é界\n$<|.0", min_size=1, max_size=6).filter(lambda n: n[0] != ".")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    classes=st.lists(
        usable, min_size=2, max_size=6, unique_by=lambda n: " ".join(n.casefold().split())
    ),
    data=st.data(),
)
def test_label_is_the_folder_whatever_classes_val_lacks(
    classes: list[str], data: st.DataObject
) -> None:
    in_val = data.draw(st.lists(st.sampled_from(classes), min_size=1, unique=True))
    with TemporaryDirectory() as home:
        for split, members in (("train", classes), ("val", in_val)):
            for name in members:
                folder = Path(home, split, name)
                folder.mkdir(parents=True)
                (folder / "1.jpg").write_bytes(os.urandom(8))
        dataset = open_dataset(home)
    assert dataset.classes == tuple(sorted(classes))
    assert set(dataset.splits["val"].labels) == {dataset.classes.index(name) for name in in_val}
    assert_labels_are_folders(dataset)


def test_class_that_train_lacks_is_refused_by_name(make_tree) -> None:
    root = make_tree({"train/apple": 2, "train/plum": 2, "val/apple": 1, "val/durian": 1})
    with pytest.raises(DataError, match=r"'durian' is in val/ but not in"):
        open_dataset(str(root))


def test_class_without_test_images_is_a_notice(make_tree) -> None:
    root = make_tree({"train/apple": 1, "train/fig": 1, "train/plum": 1, "val/plum": 2})
    dataset = open_dataset(str(root))
    assert dataset.notices == ("val has no images of: apple, fig",)
    assert dataset.splits["val"].labels.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"train/apple": 2, "train/plum": 0, "val/apple": 1}, "without images to train on: plum"),
        ({"train/apple": 2, "val/apple": 1}, "one class only: apple"),
        ({"train/apple": 2, "train/plum": 2}, "has train/ but no val/ or test/"),
        ({"train/apple": 2, "train/plum": 2, "val/apple": 0}, "has no images in val/"),
        ({"val/apple": 2, "test/apple": 2}, "has no train/ with class folders, saw: test, val"),
        ({".": 0}, "has no class folders with images"),
        ({"apple": 5, "plum": 1}, "class 'plum' cannot be split"),
    ],
)
def test_unusable_folders_are_refused_with_the_reason(make_tree, tree, message: str) -> None:
    root = make_tree(tree)
    with pytest.raises(DataError, match=message):
        open_dataset(str(root))


def test_one_folder_that_holds_the_classes_is_gone_through(make_tree) -> None:
    root = make_tree({"train/Fruit/apple": 1, "train/Fruit/plum": 1, "val/Fruit/plum": 1})
    dataset = open_dataset(str(root))
    assert dataset.classes == ("apple", "plum")
    assert dataset.splits["val"].labels.tolist() == [1]
    assert "the train images are read from train/Fruit/" in dataset.notices


CREME, CREME_OF_A_MAC = "cr\xe8me", "cre\u0300me"


def test_a_name_in_another_unicode_form_is_the_same_class(make_tree) -> None:
    root = make_tree({f"train/{CREME}": 2, "train/plum": 2, f"val/{CREME_OF_A_MAC}": 2})
    dataset = open_dataset(str(root))
    assert dataset.classes == (CREME, "plum")
    assert dataset.splits["val"].labels.tolist() == [0, 0]
    assert any("differ only in Unicode form" in notice for notice in dataset.notices)


@pytest.mark.parametrize(
    ("train", "val", "reason"),
    [
        ("apple", "Apple", "they differ in upper and lower case"),
        ("apple", "apple ", "they differ in spaces or marks that are not seen"),
        ("apple", "ap\u200bple", "they differ in spaces or marks that are not seen"),
    ],
)
def test_a_class_of_val_that_is_nearly_one_of_train_is_refused_with_the_difference(
    make_tree, train: str, val: str, reason: str
) -> None:
    root = make_tree({f"train/{train}": 2, "train/plum": 2, f"val/{val}": 2})
    with pytest.raises(DataError, match=reason):
        open_dataset(str(root))


@pytest.mark.parametrize("twin", [CREME_OF_A_MAC, f"{CREME} ", f"{CREME}\u200b"])
def test_two_classes_that_look_the_same_are_refused(make_tree, twin: str) -> None:
    root = make_tree({f"{CREME}": 3, twin: 3, "plum": 3})
    with pytest.raises(DataError, match=r"two classes of .* look the same"):
        open_dataset(str(root))


def test_classes_that_differ_only_in_case_are_named(make_tree) -> None:
    root = make_tree({"train/A": 2, "train/a": 2, "val/A": 2, "val/a": 2})
    dataset = open_dataset(str(root))
    assert dataset.classes == ("A", "a")
    assert dataset.notices == ("classes that differ only in upper and lower case: A, a",)


def test_missing_folder_and_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_dataset(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"unknown dataset 'frutz'.*a folder path works too"):
        open_dataset("frutz")
    for hostile in ("x" * 5000, "\0", "/\0", "", "  "):
        with pytest.raises(DataError):
            open_dataset(hostile)


def test_a_file_is_not_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "fruit.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="is a file; a folder of images is needed"):
        open_dataset(str(tmp_path / "fruit.zip"))


def test_an_unknown_option_of_a_folder_is_named(make_tree) -> None:
    root = make_tree({"apple": 2, "plum": 2})
    with pytest.raises(DataError, match="has no option 'size'; its options: layout, ignore"):
        open_dataset(str(root), options={"size": "3"})


def test_hidden_and_foreign_files_are_counted(make_tree, picture) -> None:
    root = make_tree({"train/apple": 1, "train/plum": 1, "val/apple": 1, "val/plum": 1})
    (root / "train/.DS_Store").write_bytes(b"")
    (root / "train/apple/notes.txt").write_text("sour")
    picture(root / "train/apple/.thumb.png", 7)
    picture(root / "train/stray.png", 8)
    dataset = open_dataset(str(root))
    assert len(dataset.splits["train"]) == 2
    assert dataset.notices == (
        "passed over: 2 hidden, 1 images outside any class folder, 1 not images",
    )


def test_images_in_folders_below_a_class_belong_to_it(make_tree) -> None:
    root = make_tree({"train/apple/red": 1, "train/apple/green": 2, "train/fig": 1, "val/fig": 1})
    dataset = open_dataset(str(root))
    assert dataset.splits["train"].labels.tolist() == [0, 0, 0, 1]


def test_names_that_are_not_utf8_are_kept(make_tree, picture) -> None:
    root = make_tree({"apple": 2, "plum": 2})
    strange = os.fsdecode(b"caf\xe9\n.png")
    picture(root / "plum" / strange, 99)
    dataset = open_dataset(str(root))
    names = {name for split in dataset.splits.values() for name in split.names}
    assert f"plum/{strange}" in names
    assert len(dataset.fingerprint) == 64


def test_splits_choose_headline_and_curve(make_tree) -> None:
    two = {"train/apple": 1, "train/plum": 1, "test/plum": 1}
    dataset = open_dataset(str(make_tree(two)))
    assert (dataset.headline_split, dataset.curve_split) == ("test", "test")
    dataset = open_dataset(str(make_tree({**two, "val/plum": 1})))
    assert (dataset.headline_split, dataset.curve_split) == ("test", "val")


def test_one_level_is_split_in_each_class_by_the_seed(make_tree) -> None:
    root = make_tree({"apple": 20, "plum": 3})
    dataset = open_dataset(str(root))
    assert dataset.splits["test"].labels.tolist() == [0] * 4 + [1]
    assert dataset.splits["train"].labels.tolist() == [0] * 16 + [1] * 2
    assert open_dataset(str(root)).fingerprint == dataset.fingerprint
    other = open_folder(root, split_seed=1)
    assert other.splits["test"].names != dataset.splits["test"].names


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    contents=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=2, max_size=4)
)
def test_equal_files_stay_on_one_side_of_a_split(contents: list[list[int]]) -> None:
    with TemporaryDirectory() as home:
        for label, values in enumerate(contents):
            Path(home, str(label)).mkdir()
            for number, value in enumerate(values):
                Path(home, str(label), f"{number}.jpg").write_text(str(value))
        try:
            dataset = open_dataset(home)
        except DataError:  # a class that has no two images to divide
            reject()
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert not set(train.digests) & set(test.digests)
    assert len(train) + len(test) == sum(map(len, contents))
    assert set(train.labels) == set(test.labels) == set(range(len(contents)))


def test_fingerprint_follows_content_and_place_not_the_folder_above(make_tree) -> None:
    root = make_tree({"train/apple": 2, "train/plum": 1, "val/plum": 1})
    before = open_dataset(str(root)).fingerprint
    moved = shutil.copytree(root, root.parent / "elsewhere")
    assert open_dataset(str(moved)).fingerprint == before
    (moved / "train/apple/0.png").rename(moved / "train/plum/9.png")
    assert open_dataset(str(moved)).fingerprint != before
    with (root / "val/plum/0.png").open("ab") as file:
        file.write(b"x")
    assert open_dataset(str(root)).fingerprint != before


def test_small_subset_takes_the_classes_in_turn(make_tree) -> None:
    root = make_tree({"train/apple": 5, "train/plum": 1, "train/fig": 3, "val/plum": 1})
    dataset = open_dataset(str(root))
    small = first_of_each_class(dataset, {"train": 5})
    assert small.splits["train"].labels.tolist() == [0, 0, 1, 1, 2]
    assert set(small.splits["train"].names) <= set(dataset.splits["train"].names)
    assert small.fingerprint != dataset.fingerprint
    assert small.notices[-1].endswith("train 5, val 1")
