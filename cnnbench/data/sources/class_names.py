"""Which classes does a dataset have, the same ones in every split, and which only look the same?"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations

from cnnbench.base.words import did_you_mean
from cnnbench.data import DataError, shortlist
from cnnbench.data.dataset import SplitName
from cnnbench.data.sources.scan import Scan, passed_over_text

__all__: list[str] = []

_CASE = "upper and lower case"


def class_list(home: str, train: Scan) -> tuple[str, ...]:
    """Return the one class list, the folders of `home`; refuse what would make labels wrong.

    Raises DataError for a class without images to train on, fewer than two classes, and two whose
    names cannot be told apart by eye.
    """
    classes = tuple(sorted(train.files))
    empty = [name for name in classes if not train.files[name]]
    if empty:
        raise DataError(
            f"class folders of {home!r} without images to train on: {shortlist(empty)}; "
            "add images, remove the folders, or leave them out with --data ignore=NAME,NAME; "
            f"{passed_over_text(train) or 'they are empty'}"
        )
    if len(classes) < 2:
        raise DataError(
            f"{home!r} has one class only: {shortlist(classes)}; at least two are needed"
        )
    for group in twins(classes):
        for first, second in combinations(group, 2):
            if difference(first, second) != _CASE:
                raise DataError(
                    f"two classes of {home!r} look the same, {first!r} and {second!r} "
                    f"({first!a} and {second!a}): they differ only in "
                    f"{difference(first, second)}; join the folders or rename one"
                )
    return classes


def with_classes(
    home: str, scans: Mapping[SplitName, Scan], classes: tuple[str, ...]
) -> tuple[dict[SplitName, Scan], list[str]]:
    """Give every split the class names of `train`; return notices of what is unusual.

    Copying by way of a Mac may part an accent from its letter: that is the same name. Raises
    DataError for a class that `train` lacks.
    """
    matched = {}
    notices = [f"classes that differ only in {_CASE}: {shortlist(each)}" for each in twins(classes)]
    for split, scan in scans.items():
        files = dict(scan.files)
        for name in sorted(set(scan.files) - set(classes)):
            same = [c for c in classes if _is_same_text(name, c) and c not in files]
            if not same:
                raise DataError(_unknown_class(name, split, home, classes))
            files[same[0]] = files.pop(name)
            notices.append(
                f"{name!r} of {split} is read as {same[0]!r} of train: the names differ only in "
                f"{difference(name, same[0])}"
            )
        missing = [name for name in classes if not files.get(name)]
        if missing:
            notices.append(f"{split} has no images of: {shortlist(missing)}")
        matched[split] = replace(scan, files=files)
    return matched, notices


def _unknown_class(name: str, split: SplitName, home: str, classes: tuple[str, ...]) -> str:
    unknown = f"class {name!r} is in {split}/ but not in {home!r}"
    twin = next((each for each in classes if twins((name, each))), None)
    if twin is not None:
        return f"{unknown}, which has {twin!r}: they differ in {difference(name, twin)}; rename one"
    advice = f"add it to train/ or remove it from {split}/"
    return "; ".join(filter(None, (unknown, did_you_mean(name, classes), advice)))


def twins(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ only in Unicode form, case, spaces or marks unseen.

    >>> twins(["Apple", "lemon", "apple "])
    [['Apple', 'apple ']]
    """
    groups = defaultdict(list)
    for name in names:
        groups[_as_read(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def difference(first: str, second: str) -> str:
    """Say how two twins differ.

    >>> difference("Apple", "apple"), difference("apple", "apple ")
    ('upper and lower case', 'spaces or marks that are not seen')
    """
    if _is_same_text(first, second):
        return "Unicode form (an accent is one sign or two)"
    if _without_unseen(first) == _without_unseen(second):
        return "spaces or marks that are not seen"
    return _CASE


def _is_same_text(first: str, second: str) -> bool:
    """Return whether two names are the same signs, whether accents are composed or not."""
    return unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second)


def _without_unseen(name: str) -> str:
    """Drop format signs such as a zero-width space; every run of spaces becomes one."""
    text = unicodedata.normalize("NFC", name)
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())


def _as_read(name: str) -> str:
    return unicodedata.normalize("NFC", _without_unseen(name).casefold())
