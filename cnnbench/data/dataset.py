"""Which images, labels, classes and splits stand behind the name or folder a user typed?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from cnnbench.base.digests import sha256_of
from cnnbench.data import DataError

__all__ = ["Dataset", "Split", "SplitName", "first_of_each_class", "hold_out"]

SplitName = Literal["train", "val", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test")


class ImageSource(Protocol):
    """Where a split's pixels come from; it can be pickled, and workers share nothing else."""

    @property
    def releases_gil(self) -> bool:
        """Whether threads can make images in parallel; otherwise processes must."""
        ...

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Return image `index` as uint8 RGB `(size, size, 3)`; DataError when it is unreadable."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Split:
    """The images of one split, in the order that every index refers to.

    `names` are POSIX paths relative to the dataset's folder, or drawn ids. `labels` is int64
    `(N,)`. `digests` are sha256 of each file's content, empty for drawn images. `fingerprint`
    covers all that decides the pixels and labels. `drawn_size` is the width in pixels at which a
    program draws them, None for those that are decoded. `whole` is the split of which this is a
    part.
    """

    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    source: ImageSource
    digests: tuple[str, ...]
    fingerprint: str
    drawn_size: int | None = None
    whole: "Split | None" = None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Dataset:
    """A named set of labelled images; `notices` are facts every report about it must print."""

    name: str
    title: str
    classes: tuple[str, ...]
    drawn: bool
    splits: Mapping[SplitName, Split]
    notices: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Sha256 over the class list and every split: equal exactly when images and labels are."""
        splits = {name: split.fingerprint for name, split in self.splits.items()}
        return fingerprint_of(["dataset", self.classes, sorted(splits.items())])

    @property
    def headline_split(self) -> SplitName:
        """The split that the headline accuracy is read from."""
        return "test" if "test" in self.splits else "val"

    @property
    def curve_split(self) -> SplitName:
        """The split evaluated during training; when it is `test`, the report must say so."""
        return "val" if "val" in self.splits else "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenImages:
    """Some images of another source, in the order of `indices`."""

    source: ImageSource
    indices: tuple[int, ...]

    @property
    def releases_gil(self) -> bool:
        """Follow the source that is chosen from."""
        return self.source.releases_gil

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Return the `index`-th chosen image."""
        return self.source.image(self.indices[index], size)


def fingerprint_of(content: object) -> str:
    """Return the sha256 hex of JSON-able content; names that are not UTF-8 are safe."""
    return sha256_of(json.dumps(content, separators=(",", ":")).encode())


def first_of_each_class(dataset: Dataset, limits: Mapping[SplitName, int]) -> Dataset:
    """Keep at most `limits[split]` images of a split, taking the classes in turn.

    For quick whole runs. A split without a limit is kept as it is; every class of `train` keeps
    at least one image, so a limit under the number of classes is raised to it.
    """
    splits = dict(dataset.splits)
    for name, limit in limits.items():
        if name in splits and limit < len(splits[name]):
            splits[name] = choose(splits[name], _in_turn(splits[name].labels, limit))
    seen = ", ".join(f"{name} {len(split)}" for name, split in splits.items())
    notice = f"only the first images of each class are used: {seen}"
    return replace(dataset, splits=splits, notices=(*dataset.notices, notice))


def hold_out(dataset: Dataset, share: float) -> Dataset:
    """Return a dataset whose only test is a stratified hold-out of the training images.

    The hold-out becomes `val`; the true validation and test images are left out altogether, so that
    nothing can be chosen by them. Copies of one image stay on one side, also where they lie in
    different classes. Every class keeps at least one image, and one of several different images
    gives at least one, unless another class needs it.

    Raises:
        DataError: if no class can give an image.
    """
    train = dataset.splits["train"]
    contents = [_content(train, index) for index in range(len(train))]
    held_out = _held_out(contents, train.labels.tolist(), share)
    if not held_out:
        raise DataError(
            f"no image of {dataset.name} can be held out of training: no class has a different "
            "image to spare; add images, or give a learning rate instead of --tune"
        )
    gone = {contents[index] for index in held_out}
    rest = [index for index in range(len(train)) if contents[index] not in gone]
    splits: dict[SplitName, Split] = {
        "train": choose(train, rest),
        "val": choose(train, sorted(held_out)),
    }
    notice = f"a trial: {len(held_out)} of the training images are its test, the others train"
    return replace(dataset, splits=splits, notices=(notice,))


def _held_out(contents: Sequence[str], labels: Sequence[int], share: float) -> list[int]:
    """Choose from each class its share, in the order of contents, so that every class keeps one."""
    order = sorted(range(len(contents)), key=contents.__getitem__)
    classes_of: dict[str, set[int]] = {}
    kept: dict[int, set[str]] = {}
    for content, label in zip(contents, labels, strict=True):
        classes_of.setdefault(content, set()).add(label)
        kept.setdefault(label, set()).add(content)
    chosen: list[int] = []
    for label in sorted(kept):
        of_class = [index for index in order if labels[index] == label]
        wanted = min(max(1, round(share * len(of_class))), len(of_class) - 1)
        for index in of_class:
            content = contents[index]
            is_gone = content not in kept[label]
            if wanted and (is_gone or all(len(kept[each]) > 1 for each in classes_of[content])):
                wanted -= 1
                chosen.append(index)
                for each in classes_of[content]:
                    kept[each].discard(content)
    return chosen


def _content(split: Split, index: int) -> str:
    """Return what names an image's content; sorting by it is a shuffle that names cannot steer."""
    if split.digests:
        return split.digests[index]
    return sha256_of(split.names[index].encode("utf-8", "surrogateescape"))


def choose(split: Split, indices: Sequence[int]) -> Split:
    """Return the split that holds only the images at `indices`, in that order."""
    chosen = tuple(indices)
    return Split(
        names=tuple(split.names[i] for i in chosen),
        labels=split.labels[list(chosen)],
        source=ChosenImages(source=split.source, indices=chosen),
        digests=tuple(split.digests[i] for i in chosen) if split.digests else (),
        fingerprint=fingerprint_of(["chosen", split.fingerprint, chosen]),
        drawn_size=split.drawn_size,
        whole=split,
    )


def _in_turn(labels: npt.NDArray[np.int64], limit: int) -> list[int]:
    """Return the first `limit` indices when the classes take turns, in their stored order."""
    turn = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        turn[of_class] = np.arange(len(of_class))
    keep = max(limit, len(np.unique(labels)))
    return sorted(np.lexsort((labels, turn))[:keep].tolist())
