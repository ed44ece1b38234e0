"""Are links followed, and what programs and runs leave among photos passed over by name?"""

import os
from pathlib import Path

import pytest

from cnnbench.data import DataError
from cnnbench.data.open import open_dataset, require_outside
from cnnbench.data.pixels.cache import decoded
from cnnbench.data.thorough_check import examine

SPLITS = {"train/apple": 4, "train/plum": 4, "val/apple": 2, "val/plum": 2}


def linked(root: Path, *folders: str) -> Path:
    """Return a folder of links to `folders` of `root`, at the same places."""
    copy = root.parent / "links"
    for folder in folders:
        (copy / folder).parent.mkdir(parents=True, exist_ok=True)
        (copy / folder).symlink_to(root / folder)
    return copy


@pytest.mark.parametrize(
    "folders", [("train", "val"), tuple(SPLITS), ("train", "val/apple", "val/plum")]
)
def test_links_give_the_dataset_of_what_they_lead_to(make_tree, folders) -> None:
    root = make_tree(SPLITS)
    copy = linked(root, *folders)
    dataset = open_dataset(str(copy))
    assert dataset.fingerprint == open_dataset(str(root)).fingerprint
    assert dataset.notices == (
        "12 images are reached by symbolic links that lead out of the folder, for example "
        "train/apple/0.png",
    )
    assert examine(str(copy)).images == {"train": 8, "val": 4}
    assert len(decoded(dataset, "val", 16).images) == 4


def test_links_to_single_images_are_images(make_tree) -> None:
    root = make_tree(SPLITS)
    names = [p.relative_to(root).as_posix() for p in root.rglob("*.png")]
    copy = linked(root, *names)
    assert open_dataset(str(copy)).fingerprint == open_dataset(str(root)).fingerprint


def test_links_within_the_folder_are_followed_and_not_counted_as_leading_out(make_tree) -> None:
    root = make_tree(SPLITS)
    (root / "train/plum/again.png").symlink_to("0.png")
    dataset = open_dataset(str(root))
    assert len(dataset.splits["train"]) == 9
    assert dataset.notices == ()


def test_a_loop_ends_where_it_began(make_tree) -> None:
    root = make_tree(SPLITS)
    (root / "train/apple/all").symlink_to(root)
    dataset = open_dataset(str(root))
    assert len(dataset.splits["train"]) == 8
    assert dataset.notices == ("passed over: 1 links in a loop",)


def test_links_that_lead_nowhere_stop_the_run_by_name_unless_they_may_be_left_out(
    make_tree,
) -> None:
    root = make_tree({"apple": 4, "plum": 4})
    (root / "pear").symlink_to(root / "gone")
    (root / "plum/x.png").symlink_to("/no/such/disk/x.png")
    with pytest.raises(DataError, match=r"2 symbolic links lead nowhere: pear, plum/x\.png"):
        open_dataset(str(root))
    assert not examine(str(root)).usable
    assert open_dataset(str(root), options={"ignore": "pear,x.png"}).classes == ("apple", "plum")
    dataset = open_dataset(str(root), options={"skip_broken": "2"})
    assert dataset.classes == ("apple", "plum")
    assert any("lead nowhere: pear, plum/x.png; left out" in n for n in dataset.notices)


def test_a_split_whose_link_leads_nowhere_is_named(make_tree) -> None:
    root = make_tree(SPLITS)
    (root / "test.v2").symlink_to("/no/such/disk")
    with pytest.raises(DataError, match=r"1 symbolic link leads nowhere: test\.v2"):
        open_dataset(str(root))


LEFT = ["@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "System Volume Information"]


@pytest.mark.parametrize("name", [*LEFT, "@Recycle", "lost+found", "__pycache__", "LOST.DIR"])
def test_what_programs_leave_changes_nothing_and_is_named(make_tree, picture, name: str) -> None:
    root = make_tree({"apple": 4, "plum": 4})
    before = open_dataset(str(root)).fingerprint
    picture(root / name / "0.png/SYNOPHOTO_THUMB_M.jpg", 90)
    picture(root / "apple" / name / "deep/thumb.png", 91)
    picture(root / "plum/._0.png", 92)
    dataset = open_dataset(str(root))
    assert dataset.fingerprint == before
    assert f"2 {name} (left by another program)" in dataset.notices[-1]
    assert "1 hidden" in dataset.notices[-1]


@pytest.fixture
def run_folder(picture):
    """Return a maker of what `cnnbench run` leaves."""

    def make(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text('{\n "version": 1,\n "cnnbench": "0.1.0",\n "argv": [')
        for number, place in enumerate(("figures", "cells/lenet5-s0-1234567890")):
            picture(folder / place / "accuracy.png", 200 + number)
        return folder

    return make


@pytest.mark.parametrize("place", ["reports/a", "reports/b/tuning", "out", "apple/run", "x/y/z"])
def test_run_folders_among_the_classes_change_nothing_and_are_named(
    make_tree, run_folder, place: str
) -> None:
    root = make_tree({"apple": 4, "plum": 4})
    before = open_dataset(str(root)).fingerprint
    require_outside(open_dataset(str(root)), root / place)
    run_folder(root / place)
    dataset = open_dataset(str(root))
    assert dataset.fingerprint == before
    assert "(runs of cnnbench)" in dataset.notices[-1]


def test_photos_beside_a_run_folder_stay_a_class(make_tree, run_folder) -> None:
    root = make_tree({"apple": 4, "reports": 4})
    run_folder(root / "reports/apple-1")
    assert open_dataset(str(root)).classes == ("apple", "reports")


@pytest.mark.parametrize("place", [".", "apple", "plum/deep"])
def test_a_run_folder_around_the_images_is_refused(make_tree, picture, place: str) -> None:
    root = make_tree({"apple": 4, "plum": 4})
    picture(root / "plum/deep/1.png", 77)
    dataset = open_dataset(str(root))
    with pytest.raises(DataError, match="holds images of the dataset"):
        require_outside(dataset, root / place)
    require_outside(dataset, root.parent)
    require_outside(dataset, root / "new")


def test_names_that_are_not_utf8_are_scanned_hashed_and_decoded(make_tree, picture) -> None:
    root = make_tree({"apple": 4, "plum": 4})
    latin = Path(os.fsdecode(os.fsencode(root / "plum") + b"/p\xe4ge.png"))
    picture(latin, 98)
    (root / "apple").rename(Path(os.fsdecode(os.fsencode(root) + b"/\xc4pfel")))
    dataset = open_dataset(str(root))
    assert [ascii(name) for name in dataset.classes] == ["'plum'", "'\\udcc4pfel'"]
    assert all(notice.isprintable() for notice in dataset.notices)
    assert len(decoded(dataset, "train", 16).images) == 7
    assert examine(str(root)).images == {"train": 7, "test": 2}
