"""Which images of a folder are kept for the test, and which broken ones are left out?"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cnnbench.base.digests import sha256_of
from cnnbench.base.words import plural
from cnnbench.data import DataError, shortlist
from cnnbench.data.dataset import SplitName
from cnnbench.data.pixels.hashes import ImageHash
from cnnbench.data.pixels.near_duplicates import near_groups
from cnnbench.data.sources.scan import Scan

TEST_SHARE = 0.2
_ALWAYS_BELIEVED = 5  # images: a burst of photos, also in a class of few
_CLASS_SHARE = 0.5
_GROUP_SHARE = 0.1

Files = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Alike:
    """Which files have to stay on one side of a split: those of equal `digests`.

    `kept_together` says in words how many near duplicates are; `notice` names the groups that are
    too large to be believed; `advice` is for a class that cannot be split.
    """

    digests: Mapping[str, str]
    kept_together: str = "near duplicates not looked for"
    notice: str = ""
    advice: str = "add other images"


def find_alike(files: Files, digests: Mapping[str, str], hashes: Mapping[str, ImageHash]) -> Alike:
    """Give near duplicates one digest, the smallest of them, so that names decide nothing.

    A group that holds more than half of a class, or that lies in several classes and holds more
    than a tenth of all images, shows that the images of this set look alike, as from a fixed
    camera: it is named and not obeyed, and only equal pixels in it stay together.
    """
    names = list(digests)
    label_of = {name: label for label, of_class in files.items() for name in of_class}
    members: dict[int, list[str]] = {}
    for number, name in zip(near_groups([hashes[name] for name in names]), names, strict=True):
        members.setdefault(number, []).append(name)
    groups: list[list[str]] = []
    refused: list[list[str]] = []
    for group in members.values():
        if _is_believed([label_of[name] for name in group], files):
            groups.append(group)
        else:
            refused.append(group)
            by_pixels: dict[str, list[str]] = {}
            for name in group:
                by_pixels.setdefault(hashes[name].pixels, []).append(name)
            groups += by_pixels.values()
    shared = {name: min(digests[each] for each in group) for group in groups for name in group}
    # Files of one content share it whatever their hashes say: broken ones have none.
    by_content: dict[str, str] = {}
    for name in names:
        by_content.setdefault(digests[name], shared[name])
    joined = Alike(
        digests={name: by_content[digests[name]] for name in names},
        kept_together="no near duplicates found",
        notice=_refusal(refused, len(names)),
    )
    sizes = [len(group) for group in groups if len({digests[name] for name in group}) > 1]
    if not sizes:
        return joined
    return replace(
        joined,
        kept_together=f"{sum(sizes)} near duplicates in {len(sizes)} groups kept on one side each",
        advice=f"{joined.advice}, or give near duplicates (not exact copies) to either side with "
        "--data near_duplicates=off",
    )


def _is_believed(labels: list[str], files: Files) -> bool:
    """Return whether a group whose images have these labels can be one of near duplicates."""
    if len(labels) <= _ALWAYS_BELIEVED:
        return True
    counts = Counter(labels)
    if len(counts) > 1 and len(labels) > _GROUP_SHARE * sum(map(len, files.values())):
        return False
    return all(count <= _CLASS_SHARE * len(files[label]) for label, count in counts.items())


def _refusal(refused: list[list[str]], n_images: int) -> str:
    if not refused:
        return ""
    sizes = sorted(map(len, refused), reverse=True)
    groups = "a group" if len(sizes) == 1 else f"{len(sizes)} groups"
    largest = next(group for group in refused if len(group) == sizes[0])
    return (
        f"{sum(sizes)} of {n_images} images look nearly the same ({groups} of "
        f"{shortlist(map(str, sizes), at_most=3)}, for example {shortlist(sorted(largest)[:2])}): "
        "too many to be copies, so they were split like other images; if they are copies, the "
        "test is too easy"
    )


def take_test_images(
    files: Files, alike: Alike, *, seed: int
) -> dict[SplitName, dict[str, tuple[str, ...]]]:
    """Split each class 80/20 by a seed, with at least one image on either side.

    Files of equal digest in `alike` go to one side together, also when they lie in different
    classes. An image's rank comes from the seed and its digest, so adding or renaming files moves
    few others. Raises DataError for a class whose images all have to stay together.
    """
    digests = alike.digests
    side: dict[str, SplitName] = {}
    for name in sorted(files):
        why_not = _assign([digests[file] for file in files[name]], seed, side)
        if why_not:
            raise DataError(f"class {name!r} cannot be split: {why_not}; {alike.advice}")
    return {
        split: {
            name: tuple(file for file in of_class if side[digests[file]] == split)
            for name, of_class in files.items()
        }
        for split in ("train", "test")
    }


def _assign(digests: list[str], seed: int, side: dict[str, SplitName]) -> str:
    """Choose the side of every content of one class that an earlier class has not chosen.

    Returns why all are on one side, or "".
    """
    copies = Counter(digests)
    ranked = sorted(copies, key=lambda digest: sha256_of(f"{seed} {digest}".encode()))
    free = [digest for digest in ranked if digest not in side]
    wanted = max(1, round(TEST_SHARE * len(digests)))
    taken = sum(copies[digest] for digest in ranked if side.get(digest) == "test")
    for digest in free:
        fits = taken + copies[digest] <= wanted
        side[digest] = "test" if fits else "train"
        taken += copies[digest] if fits else 0
    if not taken and free:  # every content has more copies than are wanted: take the rarest
        side[min(free, key=copies.__getitem__)] = "test"
    if len({side[digest] for digest in ranked}) == 2:
        return ""
    elsewhere = len(ranked) - len(free)
    gone = f"; {elsewhere} of these lie in other classes too and went to their side"
    return (
        f"of its {len(digests)} images {len(ranked)} are different (copies and near duplicates "
        f"count once), and training and testing need at least one each{gone if elsewhere else ''}"
    )


# -- broken images --------------------------------------------------------------------------------

Scans = Mapping[SplitName, Scan]


def leave_out_broken(
    scans: Scans, hashes: Mapping[str, ImageHash], *, at_most: int
) -> tuple[dict[SplitName, Scan], str]:
    """Return the scans without the images whose hash says they are broken, and a notice.

    With `at_most` 0 nothing is left out: training stops at the first broken image. Raises
    DataError when there are more than `at_most`.
    """
    broken = [name for name, each in hashes.items() if each.verdict]
    if not at_most or not broken:
        return dict(scans), ""
    if len(broken) > at_most:
        raise DataError(
            f"{len(broken)} of {len(hashes)} images are broken, skip_broken allows {at_most}: "
            f"{shortlist(broken, at_most=5)}; `cnnbench check` lists them with the reasons"
        )
    gone = frozenset(broken)
    kept = {split: _without(scan, gone) for split, scan in scans.items()}
    reasons = (f"{name} ({hashes[name].verdict})" for name in sorted(broken))
    return kept, (
        f"{plural(len(broken), 'broken image is', 'broken images are')} left out for every model "
        f"(skip_broken={at_most}): "
        f"{shortlist(reasons, at_most=20)}"
    )


def _without(scan: Scan, gone: frozenset[str]) -> Scan:
    files = {
        label: tuple(name for name in names if name not in gone)
        for label, names in scan.files.items()
    }
    return Scan(files=files, passed_over=scan.passed_over)
