"""How does a list of files and classes, such as Kaggle's `train.csv`, become splits of images?"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from cnnbench.base.words import plural
from cnnbench.data import DataError, shortlist
from cnnbench.data.dataset import SPLIT_NAMES, SplitName
from cnnbench.data.sources.image_index import ImageIndex, listed_elsewhere
from cnnbench.data.sources.reading import LISTS, Layout, Reading
from cnnbench.data.sources.scan import Scan, Tree, scan_tree
from cnnbench.data.sources.split_words import meaning, split_folders
from cnnbench.data.sources.table import (
    Table,
    columns_about_splits,
    file_column,
    label_column,
    parse,
    split_column,
    text_of,
)

__all__: list[str] = []

Said = Mapping[str, tuple[str, SplitName]]
_NO_CLASS = ("", "nan", "NaN")


def is_list(path: Path) -> bool:
    """Return whether a path is the file of a list of labels, by its suffix."""
    return path.suffix.lower() in LISTS and path.is_file()


def read_list(path: Path, reading: Reading) -> tuple[Tree, Layout]:
    """Read a list of labels; the images lie in its folder, at any depth, or where it says.

    Raises DataError for a list that is no table, columns that cannot be told apart, files that are
    missing, and a file with two classes.
    """
    if reading.layout != "auto":
        raise DataError(f"layout= is for folders, and {path.name} is a list of labels")
    text, encoding_notice = text_of(path)
    tables = [table for mark in ",;\t| " if (table := parse(path, text, mark))]
    if not tables:
        raise DataError(f"{path.name} is no table: a line for each image with its file and class")
    tree = listed_elsewhere(path.parent, (row for t in tables for _, row in t.rows))
    tree = tree or scan_tree(path.parent, ignore=reading.ignore)
    index = ImageIndex(tree.images, prefer=path.stem)
    table, file = file_column(tables, index, reading)
    split, splits = split_column(table, file, reading)
    label = label_column(table, {file, split}, reading)
    said, unlabelled = _listed(tree, index, table, file, label, splits)
    _require_classes(table, table.columns[label], said)
    scans = _scans(tree, said, len(tree.images) - len(said) - len(unlabelled), path.name)
    if split is not None and ("train" not in scans or len(scans) < 2):
        raise DataError(
            f"column {table.columns[split]!r} of {path.name} has no images for "
            f"{'val or test' if 'train' in scans else 'train'}, saw: {shortlist(scans)}"
        )
    notices = _notices(tree, table, {"files": file, "classes": label, "splits": split})
    notices += filter(None, [encoding_notice, "" if split is not None else _split_folders(said)])
    repeated = len(table.rows) - len(said) - len(unlabelled)
    if repeated:
        notices.append(f"{plural(repeated, 'row repeats', 'rows repeat')} an earlier one")
    if unlabelled:
        notices.append(
            f"not used: {plural(len(unlabelled), 'listed image')} without a class, "
            f"{shortlist(unlabelled, at_most=3)}"
        )
    return tree, Layout(scans=scans, homes={}, is_split=split is not None, notices=tuple(notices))


def _notices(tree: Tree, table: Table, places: Mapping[str, int | None]) -> list[str]:
    """Say which columns are read, and what is not used although it seems to say splits."""
    name = table.path.name
    titles = {what: table.columns[place] for what, place in places.items() if place is not None}
    told = ", ".join(f"{what} in column {shortlist([title])}" for what, title in titles.items())
    notices = [f"labels are read from {shortlist([name])}: {told}"]
    for place in columns_about_splits(table):
        if place not in places.values():
            says = shortlist(sorted(set(table.values(place))), at_most=3)
            notices.append(f"not used: column {table.columns[place]!r}, which says {says}")
    role = meaning(table.path.stem)[0]
    lists = [n for n in tree.passed_over if "/" not in n and n.lower().endswith(LISTS)]
    others = [n for n in lists if meaning(n.rpartition(".")[0])[0] not in (None, role)]
    if role and others:
        notices.append(f"not used: {shortlist(others)}")
    return notices


def _split_folders(said: Said) -> str:
    """Name the folders that are called like splits, where the list says none; "" if it is one."""
    folders = {folder for image in said for folder in image.split("/")[:-1]}
    found = split_folders(sorted(folders)).by_role
    if len(found) < 2:
        return ""
    names = (f"{name}/" for names in found.values() for name in names)
    return (
        f"not taken for splits: the folders {shortlist(names)} of the listed images; a column "
        "of the list, called split, says splits"
    )


def _listed(
    tree: Tree,
    index: ImageIndex,
    table: Table,
    file: int,
    label: int,
    splits: Iterable[SplitName | None],
) -> tuple[Said, list[str]]:
    """Return class and split of each image, and the images whose class is left empty."""
    said: dict[str, tuple[str, SplitName]] = {}
    missing, unlabelled = [], []
    for (line, row), split in zip(table.rows, splits, strict=True):
        found = index.find(row[file], folder_hint=split or "")
        if not found:
            missing.append(row[file].strip())
        elif len(found) > 1:
            raise DataError(
                f"{table.path.name}, line {line}: {row[file]!r} could be {shortlist(found)}; "
                "write more of the path into the list"
            )
        elif row[label].strip() in _NO_CLASS:
            unlabelled.append(found[0])
        else:
            meant = row[label].strip(), split or "train"
            if said.setdefault(found[0], meant) != meant:
                raise DataError(
                    f"{table.path.name}, line {line}: {shortlist(found)} is listed as "
                    f"{shortlist(meant)}, and before as {shortlist(said[found[0]])}; keep one"
                )
    if missing:
        raise DataError(
            f"{len(missing)} of {len(table.rows)} files that {table.path.name} lists are missing "
            f"from {str(tree.root)!r}: {shortlist(missing)}"
        )
    return said, unlabelled


def _require_classes(table: Table, column: str, said: Said) -> None:
    """Refuse a column of measurements or names, which has nearly as many values as images."""
    classes = {name for name, _ in said.values()}
    if len(classes) > max(1, len(said) // 2):
        raise DataError(
            f"column {column!r} of {table.path.name} has {len(classes)} values for {len(said)} "
            f"images ({shortlist(sorted(classes), at_most=5)}): is it the class? name another: "
            "--data label=COLUMN"
        )


def _scans(tree: Tree, said: Said, unlisted: int, name: str) -> dict[SplitName, Scan]:
    files: dict[SplitName, dict[str, list[str]]] = {}
    for image in sorted(said):
        label, split = said[image]
        files.setdefault(split, defaultdict(list))[label].append(image)
    passed_over = tree.reasons_below("")
    passed_over.pop("not images", None)  # the list itself, and what else lies around
    if unlisted:
        passed_over[f"images that {shortlist([name])} does not list"] = unlisted
    return {
        split: Scan(
            files={label: tuple(names) for label, names in files[split].items()},
            passed_over=passed_over if split == "train" else Counter(),
        )
        for split in SPLIT_NAMES
        if split in files
    }
