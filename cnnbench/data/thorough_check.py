"""What is wrong with a set of images, file by file and as a whole, before anything is trained?

The quick check runs before every training and decodes nothing. This thorough one decodes every
image once, as training would, compares all of them with each other, and compares files with the
list that was written when they came.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise
from pathlib import Path

from PIL import Image

from cnnbench.data import DataError, Progress, shortlist
from cnnbench.data.catalog.checksums import SUMS, digests_of, read_sums
from cnnbench.data.conversions import conversions, findings_on_losses, grouped, on_files
from cnnbench.data.dataset import Dataset, Split, SplitName
from cnnbench.data.open import card_of, image_files, open_dataset, reading_of
from cnnbench.data.pixels.hashes import TINY_PIXELS, ImageHash, hash_files, hash_image
from cnnbench.data.pixels.near_duplicates import near_copies, near_groups
from cnnbench.data.quick_check import Finding, Severity, quick_findings
from cnnbench.data.sources.folder import FolderImages

__all__ = ["Diagnosis", "examine"]

Hashes = Mapping[SplitName, Sequence[ImageHash]]

_MANY = 0.5  # of a split: beyond it, say that its images look alike
_HASH_SIZE = 64  # pixels at which images without files are compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What `examine` says of a set of images.

    `images` counts those of each split; it is empty if no dataset could be made. `files` maps each
    file that is not plainly fine to its verdicts, in the order of names.
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

    Damaged images and impossible layouts become findings. `progress` counts images. Raises
    DataError only if there is nothing to look at: an unknown name, a folder that does not exist, a
    card that is not fetched.
    """
    tree = image_files(name, options=options)
    root, reasons = (tree.root, tree.passed_over) if tree else (None, {})
    reading = reading_of(options or {})
    bound = reading.max_megapixels
    hashes = (
        hash_files(tree.root, tree.images, max_megapixels=bound, progress=progress) if tree else {}
    )
    findings = [*_broken(hashes, at_most=reading.skip_broken), *_passed_over(reasons)]
    findings += [*findings_on_losses(hashes), *conversions(hashes)]
    findings += changed_since_listed(root) if root else []
    dataset = _open_or_say_why(name, options, findings)
    if dataset is not None:
        findings += quick_findings(dataset)
        findings += _near_duplicates(dataset, root, hashes, _notes_of(name), progress)
    order: list[Severity] = ["error", "warning", "note"]
    return Diagnosis(
        dataset=dataset.name if dataset else name,
        classes=dataset.classes if dataset else (),
        images={split: len(part) for split, part in dataset.splits.items()} if dataset else {},
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        files=_verdicts_by_file(reasons, hashes),
    )


def _open_or_say_why(
    name: str, options: Mapping[str, str] | None, findings: list[Finding]
) -> Dataset | None:
    """Open the dataset, or add to the findings why it cannot be."""
    try:
        dataset = open_dataset(name, options=options)
    except DataError as error:
        findings.append(Finding(severity="error", verdict="layout", detail=str(error)))
        return None
    told = {finding.detail for finding in findings}
    findings += [
        Finding(severity="note", verdict="notice", detail=notice)
        for notice in dataset.notices
        if notice not in told and not notice.startswith("passed over")  # the walk tells more
    ]
    return dataset


def _broken(hashes: Mapping[str, ImageHash], *, at_most: int) -> list[Finding]:
    """Return a finding for each broken image: a warning if all of them may be left out."""
    broken = {name: each for name, each in hashes.items() if each.verdict}
    severity: Severity = "warning" if len(broken) <= at_most else "error"
    return [
        Finding(severity=severity, verdict=each.verdict, detail=each.reason, names=(name,))
        for name, each in broken.items()
    ]


def _passed_over(reasons: Mapping[str, str]) -> list[Finding]:
    """Return one finding for each reason for which files are passed over."""
    return [
        on_files("warning", reason, f"{len(names)} passed over", names)
        for reason, names in grouped((reason, name) for name, reason in reasons.items())
    ]


def _verdicts_by_file(
    reasons: Mapping[str, str], hashes: Mapping[str, ImageHash]
) -> dict[str, tuple[str, ...]]:
    verdicts: dict[str, tuple[str, ...]] = {name: (reason,) for name, reason in reasons.items()}
    for name, each in hashes.items():
        if notes := tuple(filter(None, (each.verdict, *each.notes))):
            verdicts[name] = notes
    return dict(sorted(verdicts.items()))


# -- near duplicates ------------------------------------------------------------------------------


def _near_duplicates(
    dataset: Dataset,
    root: Path | None,
    by_file: Mapping[str, ImageHash],
    notes: tuple[str, ...],
    progress: Progress | None,
) -> list[Finding]:
    """Compare all images with each other, within and between the splits."""
    if dataset.drawn:
        return []  # drawn from different numbers; drawing them all again would take minutes
    hashes = {
        name: [by_file[file] for file in split.names]
        if isinstance(split.source, FolderImages) and split.source.root == root
        else _hashes_of_source(split, notes, progress)
        for name, split in dataset.splits.items()
    }
    return [*_near_between(dataset, hashes), *_near_within(dataset, hashes)]


def _notes_of(name: str) -> tuple[str, ...]:
    """Return the notes on images without files: the card says if they are tiny."""
    card = card_of(name)
    return ("tiny",) if card is not None and 0 < card.image.size < TINY_PIXELS else ()


def _hashes_of_source(
    split: Split, notes: tuple[str, ...], progress: Progress | None
) -> list[ImageHash]:
    hashes = []
    for index in range(len(split)):
        image = Image.fromarray(split.source.image(index, _HASH_SIZE))
        hashes.append(hash_image(image, notes=notes))
        if progress is not None:
            progress(index + 1, len(split))
    return hashes


def _near_between(dataset: Dataset, hashes: Hashes) -> Iterator[Finding]:
    names = [name for split in hashes for name in dataset.splits[split].names]
    every = [each for of_split in hashes.values() for each in of_split]
    ends = list(accumulate(map(len, hashes.values()), initial=0))
    places = {name: range(*part) for name, part in zip(hashes, pairwise(ends), strict=True)}
    for earlier, later in combinations(hashes, 2):
        first, second = dataset.splits[earlier], dataset.splits[later]
        exact = set(first.digests)
        others = [
            place
            for i, place in enumerate(places[later])
            if not second.digests or second.digests[i] not in exact
        ]
        copies = near_copies(every, places[earlier], others)
        if copies:
            many = "; where most look alike, these need not be copies: look at some pairs"
            index, original = next(iter(copies.items()))
            yield Finding(
                severity="warning",
                verdict="near leak",
                detail=f"{len(copies)} of {len(second)} {later} images nearly equal a "
                f"{earlier} image, for example {shortlist([names[index], names[original]])}"
                f"{many if len(copies) > _MANY * len(second) else ''}",
                names=tuple(names[i] for i in copies),
            )


def _near_within(dataset: Dataset, hashes: Hashes) -> Iterator[Finding]:
    every = [each for of_split in hashes.values() for each in of_split]
    for name, split in dataset.splits.items():
        groups = Counter(near_groups(hashes[name], whole=every))
        repeated = [group for group, count in groups.items() if count > 1]
        repeats = sum(groups[group] - 1 for group in repeated)
        if repeats:
            yield Finding(
                severity="note",
                verdict="near duplicates",
                detail=f"{repeats} of {len(split)} {name} images repeat another of {name} "
                f"(copies included), for example of {shortlist([split.names[repeated[0]]])}",
                names=tuple(split.names[group] for group in repeated),
            )


# -- files that changed ---------------------------------------------------------------------------


def changed_since_listed(root: Path) -> list[Finding]:
    """Compare the files below `root` with the list in it or in the folder above it."""
    home = next((folder for folder in (root, root.parent) if (folder / SUMS).is_file()), None)
    if home is None:
        return []
    below = root.relative_to(home).as_posix()
    prefix = "" if below == "." else f"{below}/"
    sums = {name: digest for name, digest in read_sums(home).items() if name.startswith(prefix)}
    there = [name for name in sums if (home / name).is_file()]
    digests = digests_of(home, there)
    changed = [name for name in there if digests[name] != sums[name]]
    missing = [name for name in sums if name not in digests]
    return [
        Finding(
            severity="error",
            verdict=verdict,
            detail=f"{len(names)} of {len(sums)} files {what} {SUMS} was written: "
            f"{shortlist(names, at_most=3)}",
            names=tuple(name.removeprefix(prefix) for name in names),
        )
        for verdict, what, names in (
            ("changed", "have other content than when", changed),
            ("missing", "are gone since", missing),
        )
        if names
    ]
