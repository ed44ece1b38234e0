"""How does a folder of images become a dataset whose labels cannot shift?

The class list is the sorted folder names of `train/`, once for every split. Reading each split on
its own, as is usual, gives a class another label wherever one split lacks a folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnbench.base.processes import in_threads
from cnnbench.base.words import plural
from cnnbench.data import DataError, shortlist
from cnnbench.data.catalog.checksums import digests_of
from cnnbench.data.conversions import findings_on_losses
from cnnbench.data.dataset import Dataset, Split, SplitName, fingerprint_of
from cnnbench.data.pixels.cache import remembered_hashes
from cnnbench.data.pixels.decode import MAX_MEGAPIXELS, decode_square
from cnnbench.data.pixels.hashes import may_be_emptied
from cnnbench.data.sources.class_names import class_list, with_classes
from cnnbench.data.sources.labels_file import is_list, read_list
from cnnbench.data.sources.layout import ADVICE, lay_out
from cnnbench.data.sources.reading import LISTS, Layout, Reading
from cnnbench.data.sources.scan import NOWHERE, Tree, passed_over_text, scan_tree
from cnnbench.data.sources.splitting import (
    TEST_SHARE,
    Alike,
    Files,
    find_alike,
    leave_out_broken,
    take_test_images,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderImages:
    """Image files below a folder."""

    root: Path
    names: tuple[str, ...]
    max_megapixels: int = MAX_MEGAPIXELS
    releases_gil: bool = True

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Decode image `index`, see `decode.decode_square`."""
        path = self.root / self.names[index]
        return decode_square(path, size, max_megapixels=self.max_megapixels)


def open_folder(
    folder: Path,
    *,
    split_seed: int = 0,
    name: str | None = None,
    title: str | None = None,
    reading: Reading | None = None,
) -> Dataset:
    """Open a folder of images, or the images that a list of labels names; `docs/data.md` has how.

    `split_seed` matters where the images are not split yet; it is not a training's seed. Raises
    DataError for a folder that is no dataset or could be two, a class without images to train on, a
    class that `train/` lacks, and fewer than two classes.
    """
    reading = reading or Reading()
    tree, layout = _read(_existing(folder), reading)
    root, scans = tree.root, layout.scans
    every_class = (names for scan in scans.values() for names in scan.files.values())
    digests = digests_of(root, [name for names in every_class for name in names])
    needs_all = not layout.is_split or reading.skip_broken
    bound = reading.max_megapixels
    to_hash = digests if needs_all else _at_risk(root, digests, bound)
    hashes = remembered_hashes(root, to_hash, max_megapixels=bound) if to_hash else {}
    scans, skipped = leave_out_broken(scans, hashes, at_most=reading.skip_broken)
    home = str(root / layout.homes.get("train", ""))
    classes = class_list(home, scans["train"])
    scans, notices = with_classes(home, scans, classes)
    files: Mapping[SplitName, Files] = {split: scan.files for split, scan in scans.items()}
    if not layout.is_split:
        alike = Alike(digests=digests)
        if reading.group_near_duplicates:
            alike = find_alike(files["train"], digests, hashes)
        files = take_test_images(files["train"], alike, seed=split_seed)
        notices += [_split_notice(files, split_seed, alike, layout), alike.notice]
    splits = {split: _split(root, classes, files[split], digests, bound) for split in files}
    notices += [finding.detail for finding in findings_on_losses(hashes)]
    notices += [skipped, _linked_out(tree, splits), passed_over_text(*scans.values())]
    return Dataset(
        name=name or root.name or "root",
        title=title or root.name or "root",
        classes=classes,
        drawn=False,
        splits=splits,
        notices=tuple(filter(None, (*layout.notices, *notices))),
    )


def look_through(folder: Path, reading: Reading) -> Tree:
    """Return all that lies in a folder, or beside a list; unused images are among the passed over.

    Where no dataset can be made of it, every image counts as used. Raises DataError for a folder
    that does not exist or cannot be read.
    """
    place = _existing(folder)
    try:
        tree, layout = _read(place, reading)
    except DataError:
        return scan_tree(place if place.is_dir() else place.parent, ignore=reading.ignore)
    used = {n for scan in layout.scans.values() for names in scan.files.values() for n in names}
    if place.is_dir():
        unused, beside = "images outside any class folder", tree.passed_over
    else:
        unused = f"not listed in {place.name}"
        beside = {name: why for name, why in tree.passed_over.items() if name != place.name}
    reasons = {name: unused for name in tree.images if name not in used}
    return replace(
        tree,
        images=tuple(name for name in tree.images if name in used),
        passed_over=dict(sorted({**beside, **reasons}.items())),
    )


def _read(place: Path, reading: Reading) -> tuple[Tree, Layout]:
    if is_list(place):
        return read_list(place, reading)
    for column in ("file", "label", "split"):
        if getattr(reading, column):
            raise DataError(
                f"{column}= names a column of a list of labels, and {str(place)!r} is a folder; "
                "give the list itself: --dataset FOLDER/labels.csv"
            )
    tree = scan_tree(place, ignore=reading.ignore)
    lost = _lost(tree, at_most=reading.skip_broken)
    layout = lay_out(tree, reading)
    return tree, replace(layout, notices=(*layout.notices, *filter(None, [lost])))


def _existing(folder: Path) -> Path:
    try:
        place = folder.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        kind = "list of labels" if folder.suffix.lower() in LISTS else "folder"
        raise DataError(f"no such {kind}: {str(folder)!r}; {ADVICE}") from error
    if not place.is_dir() and not is_list(place):
        raise DataError(
            f"{str(folder)!r} is a file; a folder of images is needed, or a list of labels (.csv): "
            f"{ADVICE}"
        )
    return place


def _lost(tree: Tree, *, at_most: int) -> str:
    """Return a notice of links that lead nowhere; DataError if there are more than `at_most`.

    They are images that are missing, or whole classes, and as such no better than broken ones.
    """
    lost = [name for name, why in tree.passed_over.items() if why == NOWHERE]
    if not lost:
        return ""
    links = plural(len(lost), "symbolic link leads", "symbolic links lead")
    said = f"{links} nowhere: {shortlist(lost)}"
    if len(lost) > at_most:
        raise DataError(
            f"{said}; bring back what is missing, remove the links, or leave them out with "
            f"--data ignore=NAME,NAME (skip_broken allows {at_most})"
        )
    return f"{said}; left out for every model (skip_broken={at_most})"


def _at_risk(root: Path, digests: Mapping[str, str], max_megapixels: int) -> dict[str, str]:
    """Return those of the files whose pixels may not survive the conversion to 8-bit RGB."""
    at_risk = in_threads(
        lambda name: may_be_emptied(root / name, max_megapixels=max_megapixels), list(digests)
    )
    return {
        name: digest for (name, digest), risk in zip(digests.items(), at_risk, strict=True) if risk
    }


def _split(
    root: Path,
    classes: tuple[str, ...],
    files: Files,
    digests: Mapping[str, str],
    max_megapixels: int,
) -> Split:
    labelled = sorted(
        (name, label) for label, each in enumerate(classes) for name in files.get(each, ())
    )
    names = tuple(name for name, _ in labelled)
    labels = np.array([label for _, label in labelled], dtype=np.int64)
    content = [[name, (root / name).stat().st_size, digests[name]] for name in names]
    return Split(
        names=names,
        labels=labels,
        source=FolderImages(root=root, names=names, max_megapixels=max_megapixels),
        digests=tuple(digests[name] for name in names),
        fingerprint=fingerprint_of(["folder", content, labels.tolist()]),
    )


# -- notices --------------------------------------------------------------------------------------


def _linked_out(tree: Tree, splits: Mapping[SplitName, Split]) -> str:
    linked = [name for split in splits.values() for name in split.names if name in tree.linked_out]
    if not linked:
        return ""
    return (
        f"{plural(len(linked), 'image is', 'images are')} reached by symbolic links that lead "
        f"out of the folder, for example {shortlist(linked[:1])}"
    )


def _split_notice(files: Mapping[SplitName, Files], seed: int, alike: Alike, layout: Layout) -> str:
    lack = "there is no train/ folder" if layout.homes else "the list says no splits"
    train, test = (sum(map(len, files[split].values())) for split in ("train", "test"))
    return (
        f"{lack}: every class was split by seed {seed}, {TEST_SHARE:.0%} for "
        f"the test, {alike.kept_together} (train {train}, test {test})"
    )
