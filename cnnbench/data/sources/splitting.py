"""Which images of a folder are kept for the test, and which broken ones are left out?"""

from collections import Counter
from collections.abc import Mapping

from cnnbench.base.digests import sha256_of
from cnnbench.data import DataError, shortlist
from cnnbench.data.dataset import SplitName
from cnnbench.data.pixels.near_duplicates import ImageHash, near_groups
from cnnbench.data.sources.scan import Scan

TEST_SHARE = 0.2

Files = Mapping[str, tuple[str, ...]]


def shared_digests(digests: Mapping[str, str], hashes: Mapping[str, ImageHash]) -> dict[str, str]:
    """Return for each file a digest that all its near duplicates share.

    It is the smallest digest among them, so it follows from contents and not from names.
    """
    names = list(digests)
    groups = near_groups([hashes[name] for name in names])
    smallest: dict[int, str] = {}
    for group, name in zip(groups, names, strict=True):
        smallest[group] = min(smallest.get(group, digests[name]), digests[name])
    shared = {name: smallest[group] for group, name in zip(groups, names, strict=True)}
    # Files of one content share it whatever their hashes say: broken ones have none.
    by_content: dict[str, str] = {}
    for name in names:
        by_content.setdefault(digests[name], shared[name])
    return {name: by_content[digests[name]] for name in names}


def take_test_images(
    files: Files, digests: Mapping[str, str], *, seed: int
) -> dict[SplitName, dict[str, tuple[str, ...]]]:
    """Split each class 80/20 by a seed, with at least one image on either side.

    Files of equal digest (see `shared_digests`) go to one side together, also when they lie in
    different classes. An image's rank comes from the seed and its digest, so adding or renaming
    files moves few others. Raises DataError for a class that has only one distinct image.
    """
    side: dict[str, SplitName] = {}
    for name in sorted(files):
        _assign(name, [digests[file] for file in files[name]], seed, side)
    return {
        split: {
            name: tuple(file for file in of_class if side[digests[file]] == split)
            for name, of_class in files.items()
        }
        for split in ("train", "test")
    }


def _assign(name: str, digests: list[str], seed: int, side: dict[str, SplitName]) -> None:
    """Choose the side of every content of one class that an earlier class has not chosen."""
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
    if len({side[digest] for digest in ranked}) < 2:
        raise DataError(
            f"class {name!r} cannot be split: of its {len(digests)} images {len(copies)} are "
            "different, and training and testing need at least one each"
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
        f"{len(broken)} broken images are left out for every model (skip_broken={at_most}): "
        f"{shortlist(reasons, at_most=20)}"
    )


def _without(scan: Scan, gone: frozenset[str]) -> Scan:
    files = {
        label: tuple(name for name in names if name not in gone)
        for label, names in scan.files.items()
    }
    return Scan(files=files, passed_over=scan.passed_over)
