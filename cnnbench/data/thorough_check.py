"""What is wrong with a set of images, file by file and as a whole, before anything is trained?

The short form, `check.quick_check`, runs before every training and decodes nothing. This long form
decodes every image once, as training would, and compares all of them with each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

from PIL import Image

from cnnbench.data.catalog.checksums import SUMS, digests_of, read_sums
from cnnbench.data.dataset import Dataset, Split, SplitName
from cnnbench.data.errors import DataError, listed
from cnnbench.data.open import broken_allowed, card_of, image_folder, open_dataset
from cnnbench.data.pixels.near_duplicates import (
    TINY_PIXELS,
    Look,
    look_of,
    looks_of,
    near_copies,
    near_groups,
)
from cnnbench.data.quick_check import Finding, Severity, quick_findings
from cnnbench.data.sources.folder import FolderImages
from cnnbench.data.sources.scan import everything_below

Progress = Callable[[int, int], None]
Looker = Callable[[Image.Image], Look]

_CONVERSIONS: Mapping[str, str] = {
    "16-bit": "is scaled from 16 to 8 bits",
    "animated": "has several frames; the first counts",
    "cmyk": "is converted from CMYK to RGB",
    "elongated": "is over three times as long as wide; the central square shows under a third",
    "palette": "has a palette and is converted to RGB",
    "rotated": "is turned upright by its EXIF orientation, once",
    "tiny": "is under 32 pixels high or wide and is enlarged",
    "transparent": "is laid over white",
    "wrong extension": "has a name that does not fit its format; the content counts",
}
_LOOK_SIZE = 64  # pixels at which images without files are compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What `examine` found. `images` counts each split, or is empty if no dataset could be made.

    `files` maps each file that is not plainly fine to its verdicts, in the order of names.
    """

    dataset: str
    classes: tuple[str, ...]
    images: Mapping[str, int]
    findings: tuple[Finding, ...]
    files: Mapping[str, tuple[str, ...]]

    @property
    def usable(self) -> bool:
        """Whether training would start and its result would mean what it says."""
        return not any(finding.severity == "error" for finding in self.findings)


def examine(
    name: str, *, options: Mapping[str, str] | None = None, progress: Progress | None = None
) -> Diagnosis:
    """Look at every image of a card or a folder and at the set they make.

    Damaged images and impossible layouts become findings. `progress` is called with (images
    done, images in all). Raises DataError only if there is nothing to look at: an unknown name, a
    folder that does not exist, a card that is not fetched.
    """
    root = image_folder(name, options=options)
    seen = dict(everything_below(root)) if root else {}
    images = [file for file, reason in seen.items() if not reason]
    looks = dict(zip(images, _looks(root, images, progress), strict=True))
    cap = broken_allowed(options or {})
    findings = [*_broken(looks, at_most=cap), *_passed_over(seen), *_conversions(looks)]
    findings += changed_since_listed(root) if root else []
    dataset = _opened(name, options, findings)
    if dataset is not None:
        findings += quick_findings(dataset)
        findings += _alike(dataset, root, looks, _looker(name), progress)
    order: list[Severity] = ["error", "warning", "note"]
    return Diagnosis(
        dataset=dataset.name if dataset else name,
        classes=dataset.classes if dataset else (),
        images={split: len(part) for split, part in dataset.splits.items()} if dataset else {},
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        files=_verdicts_by_file(seen, looks),
    )


def _looks(root: Path | None, names: Sequence[str], progress: Progress | None) -> list[Look]:
    return looks_of(root, names, progress=progress) if root else []


def _opened(
    name: str, options: Mapping[str, str] | None, findings: list[Finding]
) -> Dataset | None:
    """Open the dataset, or add to the findings why it cannot be."""
    try:
        dataset = open_dataset(name, options=options)
    except DataError as error:
        findings.append(Finding(severity="error", verdict="layout", detail=str(error)))
        return None
    findings += [
        Finding(severity="note", verdict="notice", detail=notice)
        for notice in dataset.notices
        if not notice.startswith("passed over")  # told more exactly by the walk
    ]
    return dataset


def _broken(looks: Mapping[str, Look], *, at_most: int) -> list[Finding]:
    """Return a finding for each broken image: a warning if all of them may be left out."""
    count = sum(bool(look.verdict) for look in looks.values())
    severity: Severity = "warning" if count <= at_most else "error"
    return [
        Finding(severity=severity, verdict=look.verdict, detail=look.reason, names=(name,))
        for name, look in looks.items()
        if look.verdict
    ]


def _passed_over(seen: Mapping[str, str]) -> list[Finding]:
    """Return one finding for each reason for which files are passed over."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in seen.items():
        by_reason[reason].append(name)
    by_reason.pop("", None)
    return [
        Finding(
            severity="warning",
            verdict=reason,
            detail=f"{len(names)} passed over: {listed(names, at_most=3)}",
            names=tuple(names),
        )
        for reason, names in sorted(by_reason.items())
    ]


def _conversions(looks: Mapping[str, Look]) -> list[Finding]:
    """Return one finding for each conversion that some images need."""
    by_note: dict[str, list[str]] = defaultdict(list)
    for name, look in looks.items():
        for note in look.notes:
            by_note[note].append(name)
    return [
        Finding(
            severity="note",
            verdict=note,
            detail=f"each {_CONVERSIONS[note]}: {listed(names, at_most=3)}",
            names=tuple(names),
        )
        for note, names in sorted(by_note.items())
    ]


def _verdicts_by_file(
    seen: Mapping[str, str], looks: Mapping[str, Look]
) -> dict[str, tuple[str, ...]]:
    verdicts = {}
    for name, reason in seen.items():
        look = looks.get(name)
        found = (reason,) if look is None else (look.verdict, *look.notes)
        verdicts[name] = tuple(filter(None, found))
    return {name: found for name, found in verdicts.items() if found}


def _alike(
    dataset: Dataset,
    root: Path | None,
    looks: Mapping[str, Look],
    look: Looker,
    progress: Progress | None,
) -> list[Finding]:
    """Compare all images with each other: near duplicates, within and between the splits."""
    if dataset.drawn:
        return []  # drawn from different numbers; drawing them all again would take minutes
    names: list[str] = []
    mine: list[Look] = []
    for split in dataset.splits.values():
        names += split.names
        mine += (
            [looks[name] for name in split.names]
            if root is not None and _is_below(split, root)
            else _looks_of_source(split, look, progress)
        )
    places = _places(dataset)
    return [*_near_between(dataset, names, mine, places), *_near_within(dataset, mine, places)]


def _is_below(split: Split, root: Path) -> bool:
    return isinstance(split.source, FolderImages) and split.source.root == root


def _looker(name: str) -> Looker:
    """Return how an image that is no file is looked at: tiny ones are known by their card."""
    card = card_of(name)
    tiny = card is not None and 0 < card.image_size < TINY_PIXELS
    return partial(look_of, notes=("tiny",) if tiny else ())


def _looks_of_source(split: Split, look: Looker, progress: Progress | None) -> list[Look]:
    looks = []
    for index in range(len(split)):
        looks.append(look(Image.fromarray(split.source.image(index, _LOOK_SIZE))))
        if progress is not None:
            progress(index + 1, len(split))
    return looks


def _places(dataset: Dataset) -> dict[SplitName, range]:
    """Return where each split's images stand when all splits are put one after another."""
    places: dict[SplitName, range] = {}
    start = 0
    for name, split in dataset.splits.items():
        places[name] = range(start, start + len(split))
        start += len(split)
    return places


def _near_between(
    dataset: Dataset, names: Sequence[str], looks: Sequence[Look], places: Mapping[SplitName, range]
) -> list[Finding]:
    findings = []
    digests = [digest for split in dataset.splits.values() for digest in split.digests]
    for earlier, later in combinations(places, 2):
        exact = {digests[i] for i in places[earlier]} if digests else set()
        asked = [i for i in places[later] if not digests or digests[i] not in exact]
        copies = near_copies(looks, places[earlier], asked)
        if copies:
            index, other = next(iter(copies.items()))
            findings.append(
                Finding(
                    severity="warning",
                    verdict="near leak",
                    detail=f"{len(copies)} of {len(places[later])} {later} images nearly equal a "
                    f"{earlier} image, for example {listed([names[index], names[other]])}",
                    names=tuple(names[i] for i in copies),
                )
            )
    return findings


def _near_within(
    dataset: Dataset, looks: Sequence[Look], places: Mapping[SplitName, range]
) -> list[Finding]:
    findings = []
    for name, place in places.items():
        groups = Counter(near_groups([looks[i] for i in place]))
        several = [group for group, count in groups.items() if count > 1]
        repeats = sum(groups[group] - 1 for group in several)
        if repeats:
            split = dataset.splits[name]
            findings.append(
                Finding(
                    severity="note",
                    verdict="near duplicates",
                    detail=f"{repeats} of {len(place)} {name} images repeat another of {name} "
                    f"(copies included), for example of {listed([split.names[several[0]]])}",
                    names=tuple(split.names[group] for group in several),
                )
            )
    return findings


def changed_since_listed(root: Path) -> list[Finding]:
    """Compare the files below `root` with the list in it or in the folder above it."""
    home = next((folder for folder in (root, root.parent) if (folder / SUMS).is_file()), None)
    if home is None:
        return []
    below = root.relative_to(home).as_posix()
    prefix = "" if below == "." else f"{below}/"
    sums = {name: sum for name, sum in read_sums(home).items() if name.startswith(prefix)}
    there = [name for name in sums if (home / name).is_file()]
    digests = dict(zip(there, digests_of(home, there), strict=True))
    changed = [name for name in there if digests[name] != sums[name]]
    missing = [name for name in sums if name not in digests]
    return [
        Finding(
            severity="error",
            verdict=verdict,
            detail=f"{len(names)} of {len(sums)} files {what} {SUMS} was written: "
            f"{listed(names, at_most=3)}",
            names=tuple(name.removeprefix(prefix) for name in names),
        )
        for verdict, what, names in (
            ("changed", "have other content than when", changed),
            ("missing", "are gone since", missing),
        )
        if names
    ]
