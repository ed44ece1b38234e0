"""Does a list of files and classes become the dataset that it says, or is it refused by name?"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.data import DataError
from cnnbench.data.dataset import Dataset
from cnnbench.data.open import open_dataset
from cnnbench.data.sources.image_index import ImageIndex
from cnnbench.data.thorough_check import examine

CLASSES = ("cat", "dog")
COUNT = 12


@pytest.fixture
def kaggle(make_tree) -> Path:
    """Return a folder as Kaggle packs it: images to train on and to test on, without classes."""
    return make_tree({"train": COUNT, "test": 4})


def rows(row: str = "{n}.png,{label}", head: str = "id,label", count: int = COUNT) -> str:
    lines = [
        row.format(n=n, label=CLASSES[n % 2], split="train" if n < 8 else "valid")
        for n in range(count)
    ]
    return "\n".join([head, *lines] if head else lines) + "\n"


def opened(root: Path, text: str | bytes, name: str = "train.csv", **options: str) -> Dataset:
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_dataset(str(root / name), options=options)


def labels_of(dataset: Dataset) -> dict[str, str]:
    return {
        name: dataset.classes[label]
        for split in dataset.splits.values()
        for name, label in zip(split.names, split.labels, strict=True)
    }


WANTED = {f"train/{n}.png": CLASSES[n % 2] for n in range(COUNT)}
FORMS = {
    "file names": rows(),
    "ids without suffix": rows("{n},{label}"),
    "without a header": rows(head=""),
    "semicolons": rows("{n}.png;{label}", "id;label"),
    "tabs": rows("{n}.png\t{label}", "id\tlabel"),
    "spaces": rows("train/{n}.png {label}", ""),
    "a mark in front": "\ufeff" + rows(),
    "Windows line ends": rows().replace("\n", "\r\n"),
    "quotes and spaces": rows('"{n}.png" , "{label}" '),
    "Windows paths": rows("C:\\Users\\me\\train\\{n}.png,{label}"),
    "paths of another machine": rows("/kaggle/input/x/train/{n}.png,{label}"),
    "class first": rows("{label},{n}.png", "label,id"),
    "rows that repeat": rows() + rows(head=""),
    "UTF-16": rows().encode("utf-16"),
    "other columns": rows("{n}.png,7,{label}", "image,age,class"),
    "numbered by pandas": rows("{n},train/{n}.png,{label}", ",file,kind"),
    "numbered twice": rows("{n},{n},{n}.png,{label}", ",Unnamed: 0,file,kind"),
    "a class's id": rows("{n}.png,7,{label}", "Path,Width,ClassId"),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_every_form_of_a_list_gives_the_same_classes(kaggle, text) -> None:
    dataset = opened(kaggle, text)
    assert labels_of(dataset) == WANTED
    assert "passed over: 4 images that train.csv does not list" in dataset.notices
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 10, "test": 2}


@pytest.mark.parametrize("title", ["Subset", "data split", "is_valid"])
def test_a_column_of_splits_is_used(kaggle, title: str) -> None:
    text = rows("{n}.png,{label},{split}", f"id,label,{title}")
    if title == "is_valid":
        text = text.replace(",train", ",False").replace(",valid", ",True")
    dataset = opened(kaggle, text)
    assert labels_of(dataset) == WANTED
    assert len(dataset.splits["train"]) == 8
    assert len(dataset.splits["val"]) == 4


def test_a_column_that_is_called_like_splits_and_says_something_else_is_named(kaggle) -> None:
    dataset = opened(kaggle, rows("{n}.png,{label},{n}", "id,label,fold"))
    assert "not used: column 'fold', which says 0, 1, 10 and 9 more" in dataset.notices


def test_images_in_split_folders_without_a_column_of_splits_are_named(kaggle) -> None:
    dataset = opened(kaggle, rows("train/{n}.png,{label}") + "test/0.png,cat\ntest/1.png,dog\n")
    assert any(
        "not taken for splits: the folders test/, train/" in notice for notice in dataset.notices
    )


def test_an_old_encoding_is_told(kaggle) -> None:
    dataset = opened(kaggle, rows().replace("cat", "p\xe2t\xe9").encode("latin1"))
    assert dataset.classes == ("dog", "p\xe2t\xe9")
    assert "train.csv is not in UTF-8; it is read as Windows-1252" in dataset.notices


def test_a_list_of_a_split_folder_has_the_labels_of_the_folder(make_tree) -> None:
    root = make_tree({"train/cat": 4, "train/dog": 4, "test/cat": 2, "test/dog": 2})
    text = "\n".join(
        f"{path.relative_to(root)},{path.parent.name},{path.parent.parent.name}"
        for path in sorted(root.rglob("*.png"))
    )
    dataset = opened(root, "file,class,split\n" + text, "labels.csv")
    folder = open_dataset(str(root))
    assert dataset.fingerprint == folder.fingerprint
    assert dataset.classes == folder.classes


def test_files_elsewhere_are_found_by_their_paths(kaggle, tmp_path) -> None:
    (tmp_path / "lists").mkdir()
    for path in (f"{kaggle}/train", "../photos/train"):
        dataset = opened(tmp_path / "lists", rows(path + "/{n}.png,{label}"))
        assert sorted(labels_of(dataset).values()) == sorted(WANTED.values())


def test_numeric_classes_that_are_also_names_of_images_are_classes(make_tree) -> None:
    root = make_tree({"photos": COUNT})
    dataset = opened(root, "label,id\n" + "".join(f"{n % 2},{n}\n" for n in range(COUNT)))
    assert dataset.classes == ("0", "1")
    assert labels_of(dataset)["photos/3.png"] == "1"


REFUSED = {
    "missing files": (
        rows(count=COUNT + 11),
        "11 of 23 files .* missing .*: 12.png, .* and 1 more",
    ),
    "nothing found": (rows("x{n}.png,{label}"), "12 of 12 files that train.csv lists are missing"),
    "two classes": (rows() + "3.png,cat\n", r"line 14: train/3\.png is listed as cat, .* dog"),
    "several columns": (rows("{n}.png,{label},3", "id,kind,colour"), "kind, colour; say which"),
    "one-hot columns": (rows("{n},0,1,0", "id,ok,rust,scab"), "ok, rust, scab; say which: --data"),
    "a measurement": (rows("{n}.png,{n}.5", "id,age"), "has 12 values for 12 images"),
    "one class": (rows("{n}.png,cat"), "one class only: cat"),
    "a short row": (rows() + "3.png\n", "has 2 columns, but line 14 has 1: 3.png"),
    "a line in front": ("# mine\n" + rows(), "has 2 columns, but line 1 has 1: # mine"),
    "no table": ("apple\nplum\n", "is no table"),
    "nothing": ("", "is no table"),
    "only a header": ("id,label\n", "no column of train.csv names images"),
    "no text": (b"\0\1\2", "is not a text file"),
    "only train": (
        rows("{n}.png,{label},train", "id,label,split"),
        "has no images for val or test",
    ),
    "a new class in val": (
        rows("{n}.png,{label},{split}", "id,label,split") + "test/0.png,Dog,val\n",
        "class 'Dog' is in val/ but not in .* which has 'dog': they differ in upper and lower case",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_a_list_that_cannot_be_used_is_refused_with_the_reason(kaggle, text, said: str) -> None:
    with pytest.raises(DataError, match=said):
        opened(kaggle, text)


def test_columns_can_be_named(kaggle) -> None:
    text = rows("{n}.png,3,{label},{split}", "picture,colour,kind,part")
    dataset = opened(kaggle, text, label="kind", split="Part", file="picture")
    assert labels_of(dataset) == WANTED
    assert set(dataset.splits) == {"train", "val"}
    with pytest.raises(DataError, match=r"no column 'knd' .*did you mean 'kind'"):
        opened(kaggle, text, label="knd")
    with pytest.raises(DataError, match=r"'colour' .* must say train, val or test, saw: 3"):
        opened(kaggle, text, label="kind", split="colour")
    with pytest.raises(DataError, match="label= names a column of a list"):
        open_dataset(str(kaggle), options={"label": "kind"})


def test_a_folder_of_unlabelled_images_says_which_list_to_type(kaggle) -> None:
    (kaggle / "train.csv").write_text(rows())
    with pytest.raises(DataError, match=r"type --dataset .*photos/train\.csv"):
        open_dataset(str(kaggle))
    (kaggle / "test").rename(kaggle / "train/more")
    with pytest.raises(DataError, match=r"type --dataset .*photos/train\.csv"):
        open_dataset(str(kaggle))


@pytest.mark.parametrize("empty", ["", " ", "nan"])
def test_rows_without_a_class_are_named(kaggle, empty: str) -> None:
    dataset = opened(kaggle, rows().replace("3.png,dog", f"3.png,{empty}"))
    assert "not used: 1 listed image without a class, train/3.png" in dataset.notices
    assert "train/3.png" not in labels_of(dataset)


def test_check_looks_at_the_listed_images_and_counts_the_others(kaggle) -> None:
    (kaggle / "train.csv").write_text(rows())
    (kaggle / "test/0.png").write_bytes(b"")  # not listed: no concern of the dataset
    diagnosis = examine(str(kaggle / "train.csv"))
    assert diagnosis.usable
    assert "not images" not in {finding.verdict for finding in diagnosis.findings}
    unlisted = next(f for f in diagnosis.findings if f.verdict == "not listed in train.csv")
    assert unlisted.names == tuple(f"test/{n}.png" for n in range(4))
    (kaggle / "train/0.png").write_bytes(b"")
    assert not examine(str(kaggle / "train.csv")).usable


def test_a_list_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match="no such list of labels"):
        open_dataset("nowhere.csv")


folder = st.text("abé ", min_size=1, max_size=3)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(folder, folder, st.sampled_from(["1.png", "2.JPG", "x y.png"])),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_a_whole_path_always_means_its_own_image(paths: list[tuple[str, str, str]]) -> None:
    images = ["/".join(path) for path in paths]
    index = ImageIndex(images)
    for image in images:
        if image == image.strip():
            assert index.find(image) == [image]
            assert index.find(image.replace("/", "\\")) == [image]
