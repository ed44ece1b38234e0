"""Which folders are splits, which are classes, and what is asked where both could be meant?

Everything here follows from names alone, of folders and of the images in them; no file is read.
"""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from cnnbench.data import DataError, shortlist
from cnnbench.data.dataset import SPLIT_NAMES, SplitName
from cnnbench.data.sources.reading import LISTS, Layout, Reading
from cnnbench.data.sources.scan import Scan, Tree, gather
from cnnbench.data.sources.split_words import (
    SplitFolders,
    is_kind_of_file,
    is_split_word,
    meaning,
    split_folders,
)

ADVICE = "give it train/ and val/ or test/ with one folder a class, or just one folder a class"
_AS_CLASSES = "--data layout=classes makes every folder there a class"
_LEAVE_OUT = "--data ignore=NAME,NAME leaves folders out"


def lay_out(tree: Tree, reading: Reading) -> Layout:
    """Find splits and classes in a folder.

    Raises DataError, with what to type, for a folder in which there are none and for one that can
    be read in two ways.
    """
    shape = _Shape(tree)
    home = _enter(shape, "", is_split=False)
    folders = split_folders(
        name for name in shape.inside[home] if shape.below[_join(home, name)] or is_split_word(name)
    )
    entered = [_entered(shape, "images", "", home)] if home else []
    if reading.layout == "splits" or (reading.layout == "auto" and _is_split(shape, home, folders)):
        layout = _in_splits(shape, home, folders, reading)
    else:
        layout = _in_classes(shape, home, folders, reading)
    return replace(layout, notices=(*entered, *layout.notices))


class _Shape:
    """How many images each folder holds, directly (`direct`) and at any depth (`below`)."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.direct = Counter(name.rpartition("/")[0] for name in tree.images)
        self.below: Counter[str] = Counter()
        for folder, count in self.direct.items():
            parts = folder.split("/") if folder else []
            for depth in range(len(parts) + 1):
                self.below["/".join(parts[:depth])] += count
        self.inside: dict[str, list[str]] = defaultdict(list)
        for folder in tree.folders:
            above, _, name = folder.rpartition("/")
            self.inside[above].append(name)

    def holding(self, home: str) -> list[str]:
        """Return the names of the folders directly inside `home` that hold images."""
        return [name for name in self.inside[home] if self.below[_join(home, name)]]

    def has_classes(self, split: str) -> bool:
        """Return whether a split's folder has class folders, or only images of unknown class.

        A single folder in it that is called like a split or a kind of file is no class.
        """
        while len(holding := self.holding(split)) == 1 and _says_no_class(holding[0], split):
            split = _join(split, holding[0])
        return bool(holding)


def _says_no_class(name: str, split: str) -> bool:
    role = meaning(split.rpartition("/")[2])[0]
    return is_kind_of_file(name) or is_split_word(name) or meaning(name)[0] == role is not None


def _join(home: str, name: str) -> str:
    return f"{home}/{name}" if home else name


def _shown(names: Iterable[str]) -> str:
    return shortlist(f"{name}/" for name in names)


def _enter(shape: _Shape, home: str, *, is_split: bool) -> str:
    """Go down through folders that hold a single folder: one class alone is no dataset."""
    while True:
        holding = shape.holding(home)
        beside = set(shape.inside[home]).difference(holding)
        if len(holding) != 1 or not all(map(is_kind_of_file, beside)):
            return home
        only = _join(home, holding[0])
        deeper = shape.holding(only)
        holds_splits = len(split_folders(deeper).by_role) > 1
        if not deeper or (not is_split and is_split_word(holding[0]) and not holds_splits):
            return home
        home = only


def _entered(shape: _Shape, what: str, above: str, home: str) -> str:
    """Say that the folders of `home` count, and how many images beside it do not."""
    beside = shape.below[above] - shape.below[home]
    unused = f" ({beside} images beside it are not used)" if beside else ""
    return f"the {what} are read from {shortlist([home])}/{unused}"


# -- splits or classes ----------------------------------------------------------------------------


def _is_split(shape: _Shape, home: str, folders: SplitFolders) -> bool:
    """Return whether the folders of `home` are splits; raises DataError if it cannot be told."""
    if not folders.is_certain:
        seen = _shown(folders.others)
        raise _question(shape, home, f"has {seen}, which look like the splits of several sets")
    held = {
        role: [name for name in names if shape.below[_join(home, name)]]
        for role, names in folders.by_role.items()
    }
    if not folders.names:
        return False
    if any(shape.has_classes(_join(home, name)) for name in held.get("train", ())):
        return True
    others = [name for name in folders.others if not is_kind_of_file(name)]
    if not others:
        if "train" not in folders.by_role:
            seen = shortlist(sorted(folders.names))
            raise _question(shape, home, f"has no train/, saw: {seen}")
        train = _shown(folders.by_role["train"])
        raise _question(shape, home, f"has {train} without class folders that hold images")
    names = [name for each in held.values() for name in each]
    only_train = not {role for role, each in held.items() if each} - {"train"}
    are_two = len(others) == len(names) == 1 and not shape.holding(_join(home, others[0]))
    if (only_train or are_two) and not any(shape.holding(_join(home, name)) for name in names):
        return False  # a vehicle on rails; or the two groups of a study, control/ and test/
    raise _question(shape, home, f"has {_shown(names)} beside {_shown(others)}: splits or classes?")


def _question(shape: _Shape, home: str, problem: str, *, ways: str = _AS_CLASSES) -> DataError:
    """Return an error that says what is unclear and everything that settles it."""
    folder = str(shape.tree.root / home)
    return DataError(
        f"folder {folder!r} {problem}; {_lists_of_labels(shape)}{ADVICE}; {ways}; {_LEAVE_OUT}"
    )


def _lists_of_labels(shape: _Shape) -> str:
    """Say how a list of labels that lies there is used, "" where there is none."""
    lists = [
        name
        for name in shape.tree.passed_over
        if name.endswith(LISTS[:2]) and name.count("/") < 2 and "submission" not in name.lower()
    ]
    if not lists:
        return ""
    typed = [shlex.quote(str(shape.tree.root / name)) for name in lists]
    return f"for the labels of a list type --dataset {shortlist(typed, at_most=3)}; "


# -- splits ---------------------------------------------------------------------------------------


def _in_splits(shape: _Shape, home: str, folders: SplitFolders, reading: Reading) -> Layout:
    """Read one folder a split, each with one folder a class."""
    found, unused = _one_folder_each(shape, home, folders)
    _require_two(shape, home, found, unused)
    homes: dict[SplitName, str] = {}
    scans: dict[SplitName, Scan] = {}
    renamed = [f"{shortlist([n])}/ is {split}" for split, n in found.items() if n.lower() != split]
    notices = [f"the splits by their names: {', '.join(renamed)}"] if renamed else []
    for split, name in found.items():
        top = _join(home, name)
        if reading.below:
            homes[split] = _join(top, reading.below)
        elif split == "train":
            homes[split] = _enter(shape, top, is_split=True)
            _refuse_kinds(shape, homes[split], ways="give a folder a class in each split")
        else:
            homes[split] = _enter_as(shape, top, known=scans["train"].files)
        if not reading.below and homes[split] != top:
            notices.append(_entered(shape, f"{split} images", top, homes[split]))
        scans[split] = gather(shape.tree, homes[split], fine=reading.fine)
        if not any(scans[split].files.values()):
            folder = str(shape.tree.root / home)
            raise DataError(f"{name}/ of folder {folder!r} has no images; {ADVICE}")
    if shape.direct[home]:
        notices.append(f"not used: {shape.direct[home]} images beside the splits")
    notices += [
        f"not used: {shape.below[_join(home, name)]} images of {_shown([name])}{why}"
        for name, why in unused.items()
    ]
    return Layout(scans=scans, homes=homes, is_split=True, notices=tuple(notices))


def _one_folder_each(
    shape: _Shape, home: str, folders: SplitFolders
) -> tuple[dict[SplitName, str], dict[str, str]]:
    """Return the folder of each split, and the other folders that hold images, with the reason."""
    found: dict[SplitName, str] = {}
    unused = dict.fromkeys((*folders.others, *folders.by_role.get("unlabelled", ())), "")
    for split in SPLIT_NAMES:
        names = folders.by_role.get(split, ())
        holding = [name for name in names if shape.below[_join(home, name)]] or list(names)
        if len(holding) > 1:
            raise DataError(
                f"folder {str(shape.tree.root / home)!r}: {_shown(sorted(holding))} mean the same "
                f"split, {split}; rename or join them, or {_LEAVE_OUT}"
            )
        for name in holding:
            if shape.has_classes(top := _join(home, name)) or not shape.below[top]:
                found[split] = name
            else:
                unused[name] = " (without class folders)"
    held = {name: why for name, why in unused.items() if shape.below[_join(home, name)]}
    return found, held


def _require_two(
    shape: _Shape, home: str, found: Mapping[SplitName, str], unused: Mapping[str, str]
) -> None:
    """Refuse a folder without images to train on or to test on."""
    seen = shortlist(sorted((*found.values(), *(name + why for name, why in unused.items()))))
    if "train" not in found:
        raise _question(shape, home, f"has no train/, saw: {seen}")
    if len(found) < 2:
        alone = str(shape.tree.root / _join(home, found["train"]))
        raise DataError(
            f"folder {str(shape.tree.root / home)!r} has {found['train']}/ but no val/ or test/ "
            f"with class folders, saw: {seen}; {_lists_of_labels(shape)}rename or add the split "
            "to test on, or give the folder of classes itself to split it: --dataset "
            + shlex.quote(alone)
            + (f"; {_AS_CLASSES}" if unused else "")
        )


def _enter_as(shape: _Shape, home: str, *, known: Mapping[str, object]) -> str:
    """Go down as `_enter` does, but never into a folder that is a class of `known`."""
    while True:
        holding = shape.holding(home)
        if len(holding) != 1 or holding[0] in known:
            return home
        only = _join(home, holding[0])
        if not shape.holding(only):
            return home
        home = only


# -- classes --------------------------------------------------------------------------------------


def _in_classes(shape: _Shape, home: str, folders: SplitFolders, reading: Reading) -> Layout:
    """Read one folder a class; the images are divided later."""
    if not shape.holding(home):
        raise DataError(
            f"folder {str(shape.tree.root / home)!r} has no class folders with images; "
            f"{_lists_of_labels(shape)}{ADVICE}"
        )
    notices = []
    if reading.layout == "auto":
        _refuse_kinds(shape, home)
        _refuse_sets(shape, home)
        looks_like = [*folders.names, *filter(is_kind_of_file, folders.others)]
        if looks_like:
            notices = [f"read as classes, as they hold images directly: {_shown(looks_like)}"]
        deeper = [set(shape.holding(_join(home, name))) for name in shape.holding(home)]
        alike = sorted(set.intersection(*deeper))
        if len(deeper) > 1 and len(alike) > 1:
            notices.append(f"folders of the same names lie in every class: {_shown(alike)}")
    scan = gather(shape.tree, home, fine=reading.fine)
    return Layout(
        scans={"train": scan}, homes={"train": home}, is_split=False, notices=tuple(notices)
    )


def _refuse_kinds(shape: _Shape, home: str, *, ways: str = _AS_CLASSES) -> None:
    """Refuse folders whose names all tell what sort of files they have."""
    names = shape.inside[home]
    if shape.holding(home) and all(map(is_kind_of_file, names)):
        problem = f"has {_shown(names)}: kinds of files by their names, not classes"
        raise _question(shape, home, problem, ways=ways)


def _refuse_sets(shape: _Shape, home: str) -> None:
    """Refuse folders that are whole sets of images side by side, or a copy among the classes."""
    holding = shape.holding(home)
    for name in holding:
        deeper = shape.holding(_join(home, name))
        inside = _shown(_join(name, each) for each in deeper)
        if deeper and all(map(is_split_word, deeper)):
            problem = f"has splits inside its folders ({inside}); is one of these the dataset? "
            raise _question(shape, home, problem + _shown(holding))
        if len(set(deeper) & set(holding)) > 1:
            problem = f"has {inside}, of the same names as folders beside {_shown([name])}"
            raise _question(shape, home, f"{problem}: is it a copy?")
