"""Are splits and classes told apart by the words of downloads, and what is unclear asked about?"""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cnnbench.data import DataError
from cnnbench.data.open import open_dataset
from cnnbench.data.sources.layout import lay_out
from cnnbench.data.sources.reading import Reading
from cnnbench.data.sources.scan import Tree
from cnnbench.data.sources.split_words import meaning, split_folders

TRAIN = ["train", "training", "trn"]
VAL = ["val", "valid", "validation", "dev"]
TEST = ["test", "testing", "holdout", "hold-out", "eval"]
ADDED = [
    "{}",
    "{}_set",
    "{}-images",
    "{}Data",
    "images_{}",
    "{}2017",
    "dataset {}",
    "1_{}",
    "{}set",
]


def of(*folders: str, images: int = 4) -> dict[str, int]:
    """Return a tree with two classes in each of the folders."""
    return {f"{folder}/{name}": images for folder in folders for name in ("cat", "dog")}


def tree_of(folders: Sequence[tuple[Sequence[str], int]]) -> Tree:
    """Return the tree of folders, each with a number of images, without any file."""
    images = {"/".join([*place, f"{n}.png"]) for place, count in folders for n in range(count)}
    above = {"/".join(place[:n]) for place, _ in folders for n in range(1, len(place) + 1)}
    return Tree(
        root=Path("/photos"),
        images=tuple(sorted(images)),
        folders=tuple(sorted(above)),
        passed_over={},
    )


def notices_of(root, **options: str) -> str:
    return "\n".join(open_dataset(str(root), options=options).notices)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    word=st.sampled_from(
        [(role, w) for role, ws in (("train", TRAIN), ("val", VAL), ("test", TEST)) for w in ws]
    ),
    added=st.sampled_from(ADDED),
    case=st.sampled_from([str, str.upper, str.title]),
)
def test_a_split_is_known_by_its_word_in_any_case_and_with_what_downloads_add(
    word: tuple[str, str], added: str, case
) -> None:
    role, text = word
    assert meaning(added.format(case(text))) == (role, "")


@pytest.mark.parametrize(
    "name", ["apple", "trainer", "contest", "latest", "value", "device", "testament", "restrain"]
)
def test_a_word_inside_another_is_no_split(name: str) -> None:
    assert meaning(name)[0] is None


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("Training", "Test"), {"train", "test"}),
        (("Train", "Val"), {"train", "val"}),
        (("train", "valid", "test"), {"train", "val", "test"}),
        (("TRAIN", "Validation", "HoldOut"), {"train", "val", "test"}),
        (("seg_train/seg_train", "seg_test/seg_test"), {"train", "test"}),
        (("training_set/training_set", "test_set/test_set"), {"train", "test"}),
        (("fruits_train", "fruits_dev"), {"train", "val"}),
        (("flowerstrain", "flowerstest"), {"train", "test"}),
        (("dataset/train", "dataset/val"), {"train", "val"}),
        (("archive/photos/Training", "archive/photos/Testing"), {"train", "test"}),
        (("images/train2017", "images/val2017"), {"train", "val"}),
        (("train/images", "test/images"), {"train", "test"}),
    ],
)
def test_splits_of_downloads_are_splits(make_tree, folders, splits: set[str]) -> None:
    dataset = open_dataset(str(make_tree(of(*folders))))
    assert dataset.classes == ("cat", "dog")
    assert set(dataset.splits) == splits
    assert all(len(split) == 8 for split in dataset.splits.values())


@pytest.mark.parametrize(
    "classes",
    [
        ["contest", "crash test", "freight train", "restraint"],
        ["invalid", "valid"],
        ["chamonix", "val d'isere", "zermatt"],
        ["dev", "prod", "staging"],
        ["bus_station", "test_tube", "train_station", "trainer"],
        ["evaluation_board", "resistor"],
        ["test_negative", "test_positive"],
        ["mask", "no_mask"],
        ["image", "table", "text"],
        ["compost", "recycled", "trash"],
    ],
)
def test_classes_whose_names_have_words_of_splits_or_files_are_classes(
    classes: list[str],
) -> None:
    for splits in ((), ("train", "val")):
        places = [f"{split}/{name}" for split in splits for name in classes] or classes
        layout = lay_out(tree_of([(place.split("/"), 3) for place in places]), Reading())
        assert list(layout.scans["train"].files) == classes
        assert layout.is_split == bool(splits)


def test_words_other_than_the_splits_own_and_folders_gone_through_are_told(make_tree) -> None:
    text = notices_of(make_tree(of("set/seg_train/seg_train", "set/seg_test")))
    assert "the images are read from set/" in text
    assert "seg_train/ is train, seg_test/ is test" in text
    assert "the train images are read from set/seg_train/seg_train/" in text


def test_one_folder_around_the_classes_is_gone_through(make_tree, picture) -> None:
    root = make_tree(of("PetImages"))
    picture(root / "cover.png", 99)
    dataset = open_dataset(str(root))
    assert dataset.classes == ("cat", "dog")
    assert dataset.notices[0] == (
        "the images are read from PetImages/ (1 images beside it are not used)"
    )


REFUSED = {
    "twice the same split": (
        of("Train", "training", "test"),
        "Train/, training/, which mean the same",
    ),
    "two words for val": (
        of("train", "val", "valid"),
        "val/, valid/, which mean the same split, val",
    ),
    "kinds of files": ({"images": 4, "labels": 4}, "kinds of files by their names, not classes"),
    "kinds without images": ({"JPEGImages": 4, "Annotations": 0}, "kinds of files"),
    "kinds inside splits": (
        {"train/images": 4, "train/labels": 0, "val/images": 4},
        "no train/ with",
    ),
    "no labels": ({"train": 4, "test": 4}, "no train/ with class folders"),
    "no labels one deeper": ({"train/train": 4, "test1/test1": 4}, "no train/ with class folders"),
    "two of one split": ({"val": 4, "dev": 4}, "dev/, val/, which mean the same"),
    "several sets": ({f"{s}{d}": 4 for s in ("train", "test") for d in "AB"}, "several sets"),
    "a test among classes": ({"cat": 4, "dog": 4, "test": 4}, "test/ beside cat/, dog/"),
    "two datasets": (of("a/train", "a/val", "b/train", "b/val"), "splits inside its folders"),
    "splits in classes": ({"cat/train": 4, "cat/test": 4, "dog/train": 4}, "splits inside"),
    "versions": (
        {f"{v}/{n}": 2 for v in ("grey", "colour") for n in "abc"},
        "which are the classes",
    ),
    "words of another language": (of("Trainingsdaten", "Testdaten"), "which are the classes"),
    "masks in each class": (
        {f"{name}/{kind}": 4 for name in ("COVID", "Normal") for kind in ("images", "masks")},
        "kinds of files",
    ),
    "masks in each class of a split": (
        {
            f"{split}/{name}/{kind}": 4
            for split in ("train", "test")
            for name in ("COVID", "Normal")
            for kind in ("images", "masks")
        },
        "layout=splits makes every folder",
    ),
    "two groups of sets": (of("a_train", "a_test", "b_train", "b_test", "c"), "several sets"),
    "a copy of the classes": ({"yes": 4, "no": 4, "all/yes": 4, "all/no": 4}, "is it a copy"),
    "an unlabelled test alone": ({**of("train"), "test": 4}, "test (without class folders)"),
}


@pytest.mark.parametrize(("tree", "said"), REFUSED.values(), ids=REFUSED)
def test_what_can_be_read_in_two_ways_is_asked_about(make_tree, tree, said: str) -> None:
    with pytest.raises(DataError) as refused:
        open_dataset(str(make_tree(tree)))
    assert said in str(refused.value)
    assert "--data" in str(refused.value) or "--dataset" in str(refused.value)


@pytest.mark.parametrize(
    ("tree", "options", "classes"),
    [
        ({"val": 4, "dev": 4}, {"layout": "classes"}, ("dev", "val")),
        ({"cat": 4, "dog": 4, "test": 4}, {"layout": "classes"}, ("cat", "dog", "test")),
        ({"cat": 4, "dog": 4, "test": 4}, {"ignore": "test"}, ("cat", "dog")),
        ({"images": 4, "masks": 4}, {"layout": "classes"}, ("images", "masks")),
        (
            {f"{split}/{name}": 2 for split in ("train", "val") for name in ("image", "mask")},
            {"layout": "splits"},
            ("image", "mask"),
        ),
        (of("Train", "training", "test"), {"ignore": "training"}, ("cat", "dog")),
        (of("Train", "x", "y", "test"), {"ignore": "x,y", "layout": "splits"}, ("cat", "dog")),
    ],
)
def test_an_option_settles_what_is_unclear(make_tree, tree, options, classes) -> None:
    assert open_dataset(str(make_tree(tree)), options=options).classes == classes


def test_a_class_called_train_is_a_class_and_said_to_be(make_tree) -> None:
    root = make_tree({"bus": 4, "car": 4, "train": 4})
    assert open_dataset(str(root)).classes == ("bus", "car", "train")
    assert "read as classes, whatever else the names mean: train/" in notices_of(root)


def test_two_groups_of_which_one_is_called_test_are_classes(make_tree) -> None:
    root = make_tree({"control": 4, "test": 4})
    assert open_dataset(str(root)).classes == ("control", "test")
    assert "whatever else the names mean: test/" in notices_of(root)


def test_folders_that_lie_in_every_class_are_named(make_tree) -> None:
    text = notices_of(make_tree(of("healthy", "rust", "scab", images=2)))
    assert "folders of the same names lie in every class: cat/, dog/" in text


def test_folders_beside_the_splits_that_hold_images_are_named(make_tree) -> None:
    root = make_tree({**of("train", "val"), "test": 5, "extra": 3, "test_hard/cat": 2, "notes": 0})
    text = notices_of(root)
    assert "not used: 5 images of test/ (without class folders)" in text
    assert "not used: 3 images of extra/" in text
    assert "not used: 2 images of test_hard/" in text
    assert "notes" not in text


def test_a_name_to_ignore_that_is_nowhere_is_refused(make_tree) -> None:
    with pytest.raises(DataError, match=r"nothing in .* is called bats"):
        open_dataset(str(make_tree({"cat": 4, "dog": 4})), options={"ignore": "bats"})


WORDS = ["train", "Test", "val", "cat", "dog", "images", "labels", "seg_train", "seg_test", "0"]
places = st.lists(st.sampled_from(WORDS), max_size=3)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    folders=st.lists(st.tuples(places, st.integers(0, 3)), max_size=7),
    layout=st.sampled_from(["auto", "splits", "classes"]),
)
def test_every_image_is_used_once_or_counted_in_a_notice(folders, layout) -> None:
    tree = tree_of(folders)
    try:
        found = lay_out(tree, Reading(layout=layout))
    except DataError:
        reject()
    scans = found.scans.values()
    used = [name for scan in scans for names in scan.files.values() for name in names]
    told = sum(sum(scan.passed_over.values()) for scan in scans) + sum(
        int(count)
        for notice in found.notices
        for count in re.findall(r"(?:not used: |\()([0-9]+) images", notice)
    )
    assert len(set(used)) == len(used)
    assert len(used) + told == len(tree.images)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(names=st.lists(st.text("trainvesAB_1 é", min_size=1, max_size=9), unique=True, max_size=6))
def test_every_folder_is_a_split_or_another(names: list[str]) -> None:
    folders = split_folders(names)
    assert sorted([*folders.names, *folders.others]) == sorted(names)
