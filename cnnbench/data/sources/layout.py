"""Which folders are splits, which are classes, and what is asked where both could be meant?

Everything here follows from names alone, of folders and of the images in them; no file is read.
"""

import shlex
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from posixpath import join

from cnnbench.base.words import plural
from cnnbench.data import DataError, shortlist
from cnnbench.data.dataset import SPLIT_NAMES, SplitName
from cnnbench.data.sources.reading import LISTS, Layout, Reading
from cnnbench.data.sources.scan import Scan, Tree, gather
from cnnbench.data.sources.split_words import (
    SplitFolders,
    glued_roles,
    is_kind_of_file,
    is_split_word,
    meaning,
    split_folders,
)

ADVICE = "give it train/ and val/ or test/ with one folder a class, or just one folder a class"
_AS_CLASSES = "--data layout=classes makes every folder there a class"
_AS_SPLITS = "--data layout=splits makes every folder in a split a class"
_LEAVE_OUT = "--data ignore=NAME,NAME leaves folders out"


def lay_out(tree: Tree, reading: Reading) -> Layout:
    """Find splits and classes in a folder.

    Raises DataError, with what to type, for a folder in which there are none and for one that can
    be read in two ways.
    """
    home = _enter(tree, "", is_split=False)
    folders = split_folders(
        name
        for name in tree.folders_in(home)
        if tree.images_below(join(home, name)) or is_split_word(name)
    )
    entered = [_entered(tree, "images", "", home)] if home else []
    if reading.layout == "splits" or (reading.layout == "auto" and _is_split(tree, home, folders)):
        layout = _in_splits(tree, home, folders, reading)
    else:
        layout = _in_classes(tree, home, folders, reading)
    return replace(layout, notices=(*entered, *layout.notices))


def _has_classes(tree: Tree, split: str) -> bool:
    """Return whether a split's folder has class folders, or only images of unknown class.

    A single folder in it that is called like a split or a kind of file is no class.
    """
    while len(holding := tree.holding(split)) == 1 and _says_no_class(holding[0], split):
        split = join(split, holding[0])
    return bool(holding)


def _says_no_class(name: str, split: str) -> bool:
    role = meaning(name)[0]
    is_repeated = role is not None and role == meaning(split.rpartition("/")[2])[0]
    return is_repeated or is_kind_of_file(name) or is_split_word(name)


def _shown(names: Iterable[str]) -> str:
    return shortlist(f"{name}/" for name in names)


def _enter(tree: Tree, home: str, *, is_split: bool, known: Container[str] = ()) -> str:
    """Go down through folders that hold a single folder: one class alone is no dataset.

    A split may hold a single one of the classes that are `known`.
    """
    while True:
        holding = tree.holding(home)
        beside = set(tree.folders_in(home)).difference(holding)
        if len(holding) != 1 or holding[0] in known or not all(map(is_kind_of_file, beside)):
            return home
        only = join(home, holding[0])
        deeper = tree.holding(only)
        holds_splits = len(split_folders(deeper).by_role) > 1
        if not deeper or (not is_split and is_split_word(holding[0]) and not holds_splits):
            return home
        home = only


def _entered(tree: Tree, what: str, above: str, home: str) -> str:
    """Say that the folders of `home` count, and how many images beside it do not."""
    beside = len(tree.images_below(above)) - len(tree.images_below(home))
    unused = f" ({beside} images beside it are not used)" if beside else ""
    return f"the {what} are read from {shortlist([home])}/{unused}"


# -- splits or classes ----------------------------------------------------------------------------


def _is_split(tree: Tree, home: str, folders: SplitFolders) -> bool:
    """Return whether the folders of `home` are splits; raises DataError if it cannot be told."""
    if not folders.is_certain:
        seen = _shown(folders.others)
        raise _question(tree, home, f"has {seen}, which look like the splits of several sets")
    if not folders.names:
        return False
    others = [name for name in folders.others if not is_kind_of_file(name)]
    train = folders.by_role.get("train", ())
    if not others or any(_has_classes(tree, join(home, name)) for name in train):
        return True
    named = [name for name in folders.names if tree.images_below(join(home, name))]
    if not named or (len(named) == 1 and _is_class(tree, home, named[0], others)):
        return False
    raise _question(tree, home, f"has {_shown(named)} beside {_shown(others)}: splits or classes?")


def _is_class(tree: Tree, home: str, named: str, others: list[str]) -> bool:
    """Return whether a folder that is called like a split can only be a class among others.

    Its images are then not in folders: a vehicle on rails, or what is `valid` beside what is not.
    Those of `test/` may also be images of unknown class, unless two groups are compared.
    """
    role = meaning(named)[0]
    if tree.holding(join(home, named)):
        return False
    if role == "train":
        return True
    are_flat = not any(tree.holding(join(home, name)) for name in others)
    return are_flat and (role == "val" or len(others) == 1)


def _question(tree: Tree, home: str, problem: str, *, way: str = _AS_CLASSES) -> DataError:
    """Return an error that says what is unclear and the options that settle it."""
    return _refusal(tree, home, problem, way, _LEAVE_OUT)


def _refusal(tree: Tree, home: str, problem: str, *ways: str) -> DataError:
    folder = str(tree.root / home)
    said = (f"folder {folder!r} {problem}", _lists_of_labels(tree), ADVICE, *ways)
    return DataError("; ".join(filter(None, said)))


def _lists_of_labels(tree: Tree) -> str:
    """Say how a list of labels that lies there is used, "" where there is none."""
    lists = [
        name
        for name in tree.passed_over
        if name.lower().endswith(LISTS[:2])
        and name.count("/") < 2
        and "submission" not in name.lower()
    ]
    if not lists:
        return ""
    typed = [shlex.quote(str(tree.root / name)) for name in lists]
    return f"for the labels of a list type --dataset {shortlist(typed, at_most=3)}"


# -- splits ---------------------------------------------------------------------------------------


def _in_splits(tree: Tree, home: str, folders: SplitFolders, reading: Reading) -> Layout:
    """Read one folder a split, each with one folder a class."""
    found, unused = _one_folder_each(tree, home, folders)
    _require_two(tree, home, found, unused)
    homes: dict[SplitName, str] = {}
    scans: dict[SplitName, Scan] = {}
    renamed = [f"{shortlist([n])}/ is {split}" for split, n in found.items() if n.lower() != split]
    notices = [f"the splits by their names: {', '.join(renamed)}"] if renamed else []
    for split, name in found.items():
        top = join(home, name)
        if reading.below:
            homes[split] = join(top, reading.below)
        else:
            known = scans["train"].files if scans else ()
            homes[split] = _enter(tree, top, is_split=True, known=known)
            if not scans and reading.layout == "auto":
                notices += _doubts(tree, homes[split], _AS_SPLITS)
            if homes[split] != top:
                notices.append(_entered(tree, f"{split} images", top, homes[split]))
        scans[split] = gather(tree, homes[split], fine=reading.fine)
        if not any(scans[split].files.values()):
            raise _refusal(tree, home, f"has no images in {name}/")
    inside = sum(len(tree.images_below(join(home, name))) for name in tree.folders_in(home))
    if stray := len(tree.images_below(home)) - inside:
        notices.append(f"not used: {plural(stray, 'image')} beside the splits")
    for name, why in unused.items():
        count = plural(len(tree.images_below(join(home, name))), "image")
        notices.append(f"not used: {count} of {_shown([name])}{why}")
    return Layout(scans=scans, homes=homes, is_split=True, notices=tuple(notices))


def _one_folder_each(
    tree: Tree, home: str, folders: SplitFolders
) -> tuple[dict[SplitName, str], dict[str, str]]:
    """Return the folder of each split, and the other folders that hold images, with the reason."""
    found: dict[SplitName, str] = {}
    unused = dict.fromkeys((*folders.others, *folders.by_role.get("unlabelled", ())), "")
    for split in SPLIT_NAMES:
        names = folders.by_role.get(split, ())
        holding = [name for name in names if tree.images_below(join(home, name))] or list(names)
        if len(holding) > 1:
            problem = f"has {_shown(sorted(holding))}, which mean the same split, {split}"
            raise _question(tree, home, f"{problem}: rename or join them")
        for name in holding:
            if _has_classes(tree, top := join(home, name)) or not tree.images_below(top):
                found[split] = name
            else:
                unused[name] = " (without class folders)"
    held = {name: why for name, why in unused.items() if tree.images_below(join(home, name))}
    return found, held


def _require_two(
    tree: Tree, home: str, found: Mapping[SplitName, str], unused: Mapping[str, str]
) -> None:
    """Refuse a folder without images to train on or to test on."""
    seen = shortlist(sorted((*found.values(), *(name + why for name, why in unused.items()))))
    if "train" not in found:
        raise _question(tree, home, f"has no train/ with class folders, saw: {seen}")
    if len(found) < 2:
        train = found["train"]
        problem = f"has {train}/ but no val/ or test/ with class folders, saw: {seen}"
        alone = shlex.quote(str(tree.root / join(home, train)))
        way = f"to split the images of {train}/ type --dataset {alone}"
        raise _refusal(tree, home, problem, way, *([_AS_CLASSES] if unused else []))


# -- classes --------------------------------------------------------------------------------------


def _in_classes(tree: Tree, home: str, folders: SplitFolders, reading: Reading) -> Layout:
    """Read one folder a class; the images are divided later."""
    if len(tree.folders_in(home)) < 2 or not tree.holding(home):
        seen = _shown(tree.holding(home))
        problem = f"has images in {seen} only" if seen else "has no class folders with images"
        raise _refusal(tree, home, problem)
    notices = []
    if reading.layout == "auto":
        notices = _doubts(tree, home, _AS_CLASSES)
        if named := [*folders.names, *filter(is_kind_of_file, folders.others)]:
            notices.append(f"read as classes, whatever else the names mean: {_shown(named)}")
    scan = gather(tree, home, fine=reading.fine)
    return Layout(
        scans={"train": scan}, homes={"train": home}, is_split=False, notices=tuple(notices)
    )


def _doubts(tree: Tree, home: str, way: str) -> list[str]:
    """Return notices of what may be no classes; DataError for what likely is none.

    `way` is what to type if they are classes.
    """
    _refuse_kinds(tree, home, way)
    _refuse_sets(tree, home, way)
    return _alike_inside(tree, home, way)


def _refuse_kinds(tree: Tree, home: str, way: str) -> None:
    """Refuse folders whose names all tell what sort of files they have."""
    names = tree.folders_in(home)
    if tree.holding(home) and all(map(is_kind_of_file, names)):
        problem = f"has {_shown(names)}: kinds of files by their names, not classes"
        raise _question(tree, home, problem, way=way)


def _refuse_sets(tree: Tree, home: str, way: str) -> None:
    """Refuse folders that are whole sets of images side by side, or a copy among the classes."""
    holding = tree.holding(home)
    beside = set(holding)
    for name in holding:
        deeper = tree.holding(join(home, name))
        inside = _shown(join(name, each) for each in deeper)
        if deeper and all(map(is_split_word, deeper)):
            problem = f"has splits inside its folders ({inside}); is one of these the dataset? "
            raise _question(tree, home, problem + _shown(holding), way=way)
        if len(beside.intersection(deeper)) > 1:
            problem = f"has {inside}, of the same names as folders beside {_shown([name])}"
            raise _question(tree, home, f"{problem}: is it a copy?", way=way)


def _alike_inside(tree: Tree, home: str, way: str) -> list[str]:
    """Return a notice of folders that lie in every class, such as the two cameras of a study.

    Raises DataError for those that may be the classes themselves, being more than the folders that
    they lie in or lying in `Trainingsdaten/` and `Testdaten/`; and for images beside their masks.
    """
    holding = tree.holding(home)
    if len(holding) < 2:
        return []
    alike = sorted(set.intersection(*(set(tree.holding(join(home, name))) for name in holding)))
    if len(alike) < 2:
        return []
    problem = f"has {_shown(alike)} in each of {_shown(holding)}"
    if all(map(is_kind_of_file, alike)):
        raise _question(tree, home, f"{problem}: kinds of files by their names", way=way)
    if len(alike) > len(holding) or len(glued_roles(holding)) > 1:
        raise _question(tree, home, f"{problem}: which are the classes?", way=way)
    return [
        f"folders of the same names lie in every class: {_shown(alike)}; if these are the classes, "
        f"give one of {_shown(holding)} alone"
    ]
