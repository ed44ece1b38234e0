"""Which split does the name of a folder mean, in the words that downloads use?"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__: list[str] = []

Role = Literal["train", "val", "test", "unlabelled"]

_WORDS: Mapping[Role, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "trainval"),
    "val": ("val", "valid", "validation", "validating", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "holdout", "eval", "evaluation"),
    "unlabelled": ("unlabeled", "unlabelled", "pred", "prediction", "predictions"),
}
_ROLES: Mapping[str, Role] = {word: role for role, words in _WORDS.items() for word in words}
_ADDED = frozenset(
    (
        *("data", "dataset", "datasets", "set", "sets", "split", "splits", "subset", "ds"),
        *("image", "images", "img", "imgs", "photo", "photos", "pic", "pics"),
        *("picture", "pictures", "folder", "dir", "file", "files", "sample", "samples", "the"),
    )
)
_KINDS = frozenset(
    (
        *("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pics"),
        *("jpegimages", "jpegs", "jpeg", "jpg", "jpgs", "png", "pngs", "thumbnails", "thumbs"),
        *("label", "labels", "annotation", "annotations", "annots", "anno", "annos", "ann"),
        *("mask", "masks", "segmentation", "segmentations", "segmentationclass"),
        *("segmentationobject", "imagesets", "bbox", "bboxes", "boxes", "xml", "xmls", "json"),
        *("txt", "csv", "gt", "groundtruth", "depth", "metadata", "meta", "keypoints"),
    )
)
_LONGEST_FIRST = sorted(_ROLES, key=len, reverse=True)
_GLUED = re.compile(
    f"(?:{'|'.join(sorted(_ADDED, key=len, reverse=True))})?"
    f"({'|'.join(_LONGEST_FIRST)})"
    f"(?:{'|'.join(sorted(_ADDED, key=len, reverse=True))})?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFolders:
    """What the names of folders that lie side by side say of splits.

    `by_role` has the folders of each split; several mean the same one if there is more than one
    name. `others` are the rest. `is_certain` is false when words of splits stand in the names but
    do not tell which folders belong together, as in `trainA`, `trainB`, `testA`, `testB`.
    """

    by_role: Mapping[Role, tuple[str, ...]]
    others: tuple[str, ...]
    is_certain: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Every folder that is a split."""
        return tuple(name for names in self.by_role.values() for name in names)


def split_folders(names: Iterable[str]) -> SplitFolders:
    """Read the names of the folders that lie side by side.

    A name that is one split's word, with the usual additions (`Training_Data`, `train2017`), is
    that split. Else folders whose names are alike but for the split's word are, as `seg_train` and
    `seg_test`, or `fruits_train` and `fruits_val`.

    >>> split_folders(["seg_train", "seg_test", "notes"]).by_role
    {'train': ('seg_train',), 'test': ('seg_test',)}
    """
    every = tuple(names)
    meanings = {name: meaning(name) for name in every}
    alike: dict[str, dict[Role, list[str]]] = defaultdict(dict)
    for name, (role, rest) in meanings.items():
        if role is not None:
            alike[rest].setdefault(role, []).append(name)
    groups = [alike[""]] if "" in alike else []
    is_certain = True
    if not groups:
        groups = [group for group in alike.values() if "train" in group and len(group) > 1]
        roles = {role for role, _ in meanings.values()}
        is_certain = len(groups) == 1 or (not groups and (len(roles) < 2 or None in roles))
        groups = (groups or _glued_groups(every)) if len(groups) < 2 else []
    by_role = {role: tuple(names) for group in groups for role, names in group.items()}
    known = {name for names in by_role.values() for name in names}
    return SplitFolders(
        by_role=by_role,
        others=tuple(name for name in every if name not in known),
        is_certain=is_certain,
    )


def _glued_groups(names: Iterable[str]) -> list[dict[Role, list[str]]]:
    """Return the only group of names such as `flowerstrain` and `flowerstest`, if there is one.

    A word inside another means something only in such a pair: `contest` alone is no test.
    """
    alike: dict[tuple[str, str], dict[Role, list[str]]] = defaultdict(dict)
    for name in names:
        if glued := _glued(name):
            before, word, after = glued
            alike[before, after].setdefault(_ROLES[word], []).append(name)
    groups = [group for group in alike.values() if "train" in group and len(group) > 1]
    return groups if len(groups) == 1 else []


def _glued(name: str) -> tuple[str, str, str] | None:
    """Return the split's word that a name begins or ends with, and what is before and after it."""
    text = "".join(_words(name))
    for word in _LONGEST_FIRST:
        if text.startswith(word) or text.endswith(word):
            return text.partition(word)
    return None


def glued_roles(names: Iterable[str]) -> set[Role]:
    """Return the splits whose words begin or end names, be it as a part of another word.

    >>> sorted(glued_roles(["Testdaten", "Trainingsdaten", "notes"]))
    ['test', 'train']
    """
    return {_ROLES[glued[1]] for name in names if (glued := _glued(name))}


def meaning(name: str) -> tuple[Role | None, str]:
    """Return the split whose word stands in a name, and what else the name says.

    >>> meaning("Training_Data"), meaning("train2017"), meaning("seg_test"), meaning("trainA")
    (('train', ''), ('train', ''), ('test', 'seg'), ('train', 'a'))
    >>> meaning("apple"), meaning("train_test")
    ((None, 'apple'), (None, 'train test'))
    """
    roles: set[Role] = set()
    rest = []
    for word in _words(name):
        glued = _GLUED.fullmatch(word)
        if glued:
            roles.add(_ROLES[glued[1]])
        elif word not in _ADDED:
            rest.append(word)
    if roles == {"train", "val"}:  # both together, as `trainval` and `train_val`
        return "train", " ".join(rest)
    if len(roles) != 1:
        return None, " ".join(_words(name))
    return roles.pop(), " ".join(rest)


def is_split_word(name: str) -> bool:
    """Return whether a name says nothing but which split it is."""
    role, rest = meaning(name)
    return role is not None and not rest


def is_kind_of_file(name: str) -> bool:
    """Return whether a folder's name tells what sort of files it has, not what they show.

    >>> is_kind_of_file("JPEGImages"), is_kind_of_file("png_masks"), is_kind_of_file("no mask")
    (True, True, False)
    """
    words = _words(name, in_humps=False)
    return bool(words) and all(word in _KINDS for word in words)


def _words(name: str, *, in_humps: bool = True) -> list[str]:
    """Split a name into words of letters in lower case; digits only part them."""
    name = unicodedata.normalize("NFKC", name)
    if in_humps:
        name = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    name = re.sub(r"(?i)h[oe]ld[\W_]*out", "holdout", name)
    return re.findall(r"[^\W\d_]+", name.casefold())
