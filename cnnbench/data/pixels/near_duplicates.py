"""Which images are nearly the same, though their files differ?

The distance of two images is that of their thumbnails after the mean is taken off and the contrast
made equal, so that a copy made brighter stays near; of unrelated pictures it is about the square
root of 2. Images are near when it is under a quarter of the usual distance in their set, and under
a sixth at 8 x 8, where what moved a little counts less: photos of one fixed camera or scans of one
kind are all alike, and only what is alike among them counts.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnbench.data.pixels.hashes import SIDE, ImageHash

_COARSE_SHARE = 1 / 6  # of the usual distance at 8 x 8: the most between near duplicates
_FINE_SHARE = 1 / 4  # the same at 16 x 16
_NEAR_LEVELS = 30.0  # of 255: the most by which their thumbnails differ, on average
_UNRELATED = 2**0.5  # the distance of pictures that have nothing in common
_LEAST_CONTRAST = 4.0  # levels; under it, differences are taken for noise
_ENOUGH = 20  # different images that show what is usual among them

Thumbnails = npt.NDArray[np.floating[Any]]  # (N, H, W, 3)


def near_groups(hashes: Sequence[ImageHash]) -> list[int]:
    """Return for each image the smallest index in its group of near duplicates.

    A group is one image and those near to it, never a chain of neighbours' neighbours: first the
    image with most near duplicates and these, then the next of those left. Broken images are near
    to none, and tiny ones only to their equals.
    """
    firsts = _firsts(hashes)
    neighbours = _neighbours(hashes, firsts)
    # By contents alone, so that names change nothing.
    order = sorted(neighbours, key=lambda i: (-len(neighbours[i]), hashes[i].thumbnail))
    centre: dict[int, int] = {}
    for index in order:
        if index not in centre:
            members = [index, *(other for other in neighbours[index] if other not in centre)]
            centre.update(dict.fromkeys(members, min(members)))
    return [centre.get(first, first) for first in firsts]


def near_copies(
    hashes: Sequence[ImageHash], known: Sequence[int], candidates: Sequence[int]
) -> dict[int, int]:
    """Map each of `candidates` that nearly equals an image of `known` to that image.

    What is near is said in `near_groups`.
    """
    firsts = _firsts(hashes)
    holder = {firsts[index]: index for index in reversed(known) if not hashes[index].verdict}
    neighbours = _neighbours(hashes, firsts)
    copies = {}
    for index in candidates:
        near = (firsts[index], *neighbours.get(firsts[index], ()))
        originals = [holder[i] for i in near if i in holder]
        if originals and not hashes[index].verdict:
            copies[index] = originals[0]
    return copies


def _firsts(hashes: Sequence[ImageHash]) -> list[int]:
    """Return for each image the first that looks the same; itself if broken."""
    first: dict[bytes | str, int] = {}
    return [
        index
        if each.verdict
        else first.setdefault(each.pixels if "tiny" in each.notes else each.thumbnail, index)
        for index, each in enumerate(hashes)
    ]


def _neighbours(hashes: Sequence[ImageHash], firsts: Sequence[int]) -> dict[int, list[int]]:
    """Return the near duplicates of each image that has any, of first ones among themselves."""
    neighbours: dict[int, list[int]] = defaultdict(list)
    # Under 32 pixels different things look alike in 16 x 16: only equal ones count as near there.
    usable = [
        index
        for index, first in enumerate(firsts)
        if index == first and not hashes[index].verdict and "tiny" not in hashes[index].notes
    ]
    usable.sort(key=lambda index: (sum(hashes[index].thumbnail), hashes[index].thumbnail))
    stored = b"".join(hashes[index].thumbnail for index in usable)
    thumbnails = np.frombuffer(stored, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)
    for i, j in _near_pairs(thumbnails):
        first, second = sorted((usable[i], usable[j]))
        neighbours[first].append(second)
        neighbours[second].append(first)
    return {index: sorted(near) for index, near in neighbours.items()}


def _near_pairs(thumbnails: npt.NDArray[np.uint8], block: int = 1024) -> Iterator[tuple[int, int]]:
    """Yield every near pair (i, j), i < j, of thumbnails in the order of their brightness.

    Products of matrices find the few pairs that may be near at 8 x 8, block by block; these are
    compared exactly. Thumbnails whose means differ by more than _NEAR_LEVELS cannot be near.
    """
    coarse_limit = _COARSE_SHARE * _usual_distance(thumbnails, _coarse)
    fine_limit = _FINE_SHARE * _usual_distance(thumbnails, _fine)
    brightness = thumbnails.mean(axis=(1, 2, 3))
    for start in range(0, len(thumbnails), block):
        rows = _shapes(_coarse(thumbnails[start : start + block]))
        highest = brightness[min(start + block, len(thumbnails)) - 1] + _NEAR_LEVELS
        for other in range(start, len(thumbnails), block):
            if brightness[other] > highest:
                break
            columns = _shapes(_coarse(thumbnails[other : other + block]))
            squares = (rows**2).sum(1)[:, None] + (columns**2).sum(1) - 2 * rows @ columns.T
            i, j = np.nonzero(squares <= (coarse_limit + 0.01) ** 2)
            i, j = i[i + start < j + other] + start, j[i + start < j + other] + other
            first, second = _fine(thumbnails[i]), _fine(thumbnails[j])
            near = np.abs(first - second).mean(axis=(1, 2, 3)) <= _NEAR_LEVELS
            near &= _distances(first, second) <= fine_limit
            near &= _distances(_coarse(first), _coarse(second)) <= coarse_limit
            yield from zip(i[near].tolist(), j[near].tolist(), strict=True)


def _usual_distance(
    thumbnails: npt.NDArray[np.uint8], scale: Callable[[npt.NDArray[Any]], Thumbnails]
) -> float:
    """Return the distance that is usual between different thumbnails of a set.

    It is the upper quartile over random pairs, of which near duplicates are few.
    """
    if len(thumbnails) < _ENOUGH:
        return _UNRELATED
    pairs = np.random.default_rng(0).integers(0, len(thumbnails), (2, 1_000))
    first, second = pairs[:, pairs[0] != pairs[1]]
    distances = _distances(scale(thumbnails[first]), scale(thumbnails[second]))
    # Rounded, so that another processor's last bits decide nothing.
    return min(_UNRELATED, round(float(np.percentile(distances, 75)), 3))


def _fine(thumbnails: npt.NDArray[Any]) -> Thumbnails:
    return thumbnails.astype(np.float32)


def _coarse(thumbnails: npt.NDArray[Any]) -> Thumbnails:
    """Return thumbnails at half their height and width; sums of four bytes are exact."""
    rows = _fine(thumbnails)[:, 0::2] + thumbnails[:, 1::2]
    pooled: Thumbnails = (rows[:, :, 0::2] + rows[:, :, 1::2]) / 4
    return pooled


def _distances(first: Thumbnails, second: Thumbnails) -> npt.NDArray[np.float64]:
    """Return the distance of each pair of thumbnails."""
    apart = _shapes(first.astype(np.float64)) - _shapes(second.astype(np.float64))
    return np.asarray(np.sqrt((apart**2).sum(axis=1)), dtype=np.float64)


def _shapes(thumbnails: Thumbnails) -> Thumbnails:
    """Return thumbnails as rows of mean 0 and length 1, those of little contrast shorter."""
    height, width = thumbnails.shape[1:3]
    centred: Thumbnails = thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)
    values = centred.reshape(len(centred), 3 * height * width)
    contrast = np.maximum(np.sqrt((values**2).mean(axis=1)), _LEAST_CONTRAST)
    values /= (contrast * values.shape[1] ** 0.5)[:, None]
    return values
