"""How does a folder of images become a dataset whose labels cannot shift?

The class list is the sorted folder names of `train/`, once for every split. Reading each split on
its own, as is usual, gives a class another label wherever one split lacks a folder.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnbench.base.words import did_you_mean
from cnnbench.data import DataError, shortlist
from cnnbench.data.catalog.checksums import digests_of
from cnnbench.data.dataset import SPLIT_NAMES, Dataset, Split, SplitName, fingerprint_of
from cnnbench.data.pixels.cache import remembered_hashes
from cnnbench.data.pixels.decode import decode_square
from cnnbench.data.sources.scan import Scan, child_folders, scan_classes
from cnnbench.data.sources.splitting import (
    TEST_SHARE,
    Files,
    leave_out_broken,
    shared_digests,
    take_test_images,
)

_LAYOUT = "give it train/ and val/ or test/ with one folder a class, or just one folder a class"
_SPLIT_ALIASES = frozenset(("val", "test", "valid", "validation", "eval", "dev"))


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderImages:
    """Image files below a folder."""

    root: Path
    names: tuple[str, ...]
    releases_gil: bool = True

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Decode image `index`, see `decode.decode_square`."""
        return decode_square(self.root / self.names[index], size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a folder is read.

    `below` is a folder between a split and its classes. With `fine`, each innermost folder is a
    class, else each outermost. Up to `skip_broken` images that cannot be decoded are left out.
    """

    below: str = ""
    fine: bool = False
    skip_broken: int = 0


def open_folder(
    folder: Path,
    *,
    split_seed: int = 0,
    name: str | None = None,
    title: str | None = None,
    reading: Reading | None = None,
) -> Dataset:
    """Open `train/` with `val/` and `test/` or either, or one level of class folders to be split.

    `split_seed` matters for one level only; it is not a training's seed. Raises DataError for an
    empty or missing folder, a class without images to train on, a class that `train/` lacks, and
    fewer than two classes.
    """
    root = _existing(folder)
    reading = reading or Reading()
    folders = child_folders(root)
    one_level = "train" not in folders
    scans: Mapping[SplitName, Scan] = (
        {"train": _scan_one_level(root, folders, reading)}
        if one_level
        else _scan_splits(root, folders, reading)
    )
    every_class = (names for scan in scans.values() for names in scan.files.values())
    digests = digests_of(root, [name for names in every_class for name in names])
    hashes = remembered_hashes(root, digests) if one_level or reading.skip_broken else {}
    scans, skipped = leave_out_broken(scans, hashes, at_most=reading.skip_broken)
    home = root if one_level else root / "train" / reading.below
    classes = _classes(home, scans)
    files: Mapping[SplitName, Files] = {split: scan.files for split, scan in scans.items()}
    notices = _empty_class_notices(scans, classes)
    if one_level:
        files = take_test_images(files["train"], shared_digests(digests, hashes), seed=split_seed)
        notices = (_split_notice(files, split_seed),)
    return Dataset(
        name=name or root.name or "root",
        title=title or root.name or "root",
        classes=classes,
        drawn=False,
        splits={split: _split(root, classes, files[split], digests) for split in files},
        notices=tuple(filter(None, (*notices, skipped, _seen(*scans.values())))),
    )


def _existing(folder: Path) -> Path:
    try:
        root = folder.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"no such folder: {str(folder)!r}; {_LAYOUT}") from error
    if not root.is_dir():
        raise DataError(f"{str(folder)!r} is a file; a folder of images is needed: {_LAYOUT}")
    return root


def _scan_splits(root: Path, folders: list[str], reading: Reading) -> dict[SplitName, Scan]:
    present = [split for split in SPLIT_NAMES if split in folders]
    if present == ["train"]:
        raise DataError(
            f"folder {str(root)!r} has train/ but no val/ or test/, saw: {shortlist(folders)}; "
            "rename or add the split to test on, or give the folder of classes itself to split it"
        )
    scans = {
        split: scan_classes(root, root / split / reading.below, fine=reading.fine)
        for split in present
    }
    for split, scan in scans.items():
        if not any(scan.files.values()):
            raise DataError(
                f"{split}/ of folder {str(root)!r} has no images; {_seen(scan) or _LAYOUT}"
            )
    return scans


def _scan_one_level(root: Path, folders: list[str], reading: Reading) -> Scan:
    if folders and set(folders) <= _SPLIT_ALIASES:
        raise DataError(f"folder {str(root)!r} has no train/, saw: {shortlist(folders)}; {_LAYOUT}")
    scan = scan_classes(root, root, fine=reading.fine)
    if not any(scan.files.values()):
        raise DataError(f"folder {str(root)!r} has no class folders with images; {_LAYOUT}")
    return scan


def _classes(home: Path, scans: Mapping[SplitName, Scan]) -> tuple[str, ...]:
    """Return the one class list, the folders of `home`; refuse what would make labels wrong."""
    train = scans["train"]
    classes = tuple(sorted(train.files))
    empty = [name for name in classes if not train.files[name]]
    if empty:
        raise DataError(
            f"class folders of {str(home)!r} without images to train on: {shortlist(empty)}; "
            f"add images or remove the folders; {_seen(train) or 'they are empty'}"
        )
    if len(classes) == 1:
        deeper = child_folders(home / classes[0])
        raise DataError(
            f"folder {str(home)!r} has one class only: {shortlist(classes)}; "
            "at least two are needed"
            + (f"; are its folders the classes? {shortlist(deeper)}" if len(deeper) > 1 else "")
        )
    for split, scan in scans.items():
        for name in sorted(set(scan.files) - set(classes)):
            unknown = f"class {name!r} is in {split}/ but not in {str(home)!r}"
            advice = f"add it to train/ or remove it from {split}/"
            near = did_you_mean(name, classes)
            raise DataError("; ".join(filter(None, (unknown, near, advice))))
    return classes


def _split(root: Path, classes: tuple[str, ...], files: Files, digests: Mapping[str, str]) -> Split:
    labelled = sorted(
        (name, label) for label, each in enumerate(classes) for name in files.get(each, ())
    )
    names = tuple(name for name, _ in labelled)
    labels = np.array([label for _, label in labelled], dtype=np.int64)
    content = [[name, (root / name).stat().st_size, digests[name]] for name in names]
    return Split(
        names=names,
        labels=labels,
        source=FolderImages(root=root, names=names),
        digests=tuple(digests[name] for name in names),
        fingerprint=fingerprint_of(["folder", content, labels.tolist()]),
    )


def _seen(*scans: Scan) -> str:
    total: Counter[str] = sum((scan.passed_over for scan in scans), Counter())
    kinds = [f"{count} {reason}" for reason, count in sorted(total.items())]
    return f"passed over: {', '.join(kinds)}" if kinds else ""


def _empty_class_notices(
    scans: Mapping[SplitName, Scan], classes: tuple[str, ...]
) -> tuple[str, ...]:
    notices = []
    for split, scan in scans.items():
        missing = [name for name in classes if not scan.files.get(name)]
        if missing:
            notices.append(f"{split} has no images of: {shortlist(missing)}")
    return tuple(notices)


def _split_notice(files: Mapping[SplitName, Files], seed: int) -> str:
    train, test = (sum(map(len, files[split].values())) for split in ("train", "test"))
    return (
        f"there is no train/ folder: every class was split by seed {seed}, {TEST_SHARE:.0%} for "
        f"the test, near duplicates kept on one side (train {train}, test {test})"
    )
