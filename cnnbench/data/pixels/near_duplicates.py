"""Which images are nearly the same, though their files differ?

The distance of two images is that of their thumbnails after the mean is taken off and the contrast
made equal, so that a copy made brighter stays near; of unrelated pictures it is about the square
root of 2. Images are near when both thumbnails are: in 8 x 8 colours, where what moved a little
counts less, under a sixth of the usual distance in their set, and in 32 x 32 greys under a third.
Photos of one fixed camera or scans of one kind are all alike, and only what is alike among them
counts.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cnnbench.data.pixels.hashes import COLOUR_SIDE, GREY_SIDE, ImageHash

_COLOUR_SHARE = 1 / 6  # of the usual distance: the most between near duplicates
_GREY_SHARE = 1 / 3
_NEAR_LEVELS = 30.0  # of 255: the most by which their mean colours differ
_UNRELATED = 2**0.5  # the distance of pictures that have nothing in common
_LEAST_CONTRAST = 4.0  # levels; under it, differences are taken for noise
_ROUNDING = 1e-6  # of squared distances in float32
_ENOUGH = 20  # different images that show what is usual among them

Thumbnails = npt.NDArray[np.uint8]  # (N, pixels, channels)
Shapes = npt.NDArray[np.float32]  # (N, pixels * channels)


def near_groups(hashes: Sequence[ImageHash]) -> list[int]:
    """Return for each image the smallest index in its group of near duplicates.

    A group is one image and those near to it, never a chain of neighbours' neighbours: first the
    image with most near duplicates and these, then the next of those left. Broken images are near
    to none, and tiny ones only to their equals.
    """
    firsts = _firsts(hashes)
    neighbours = _neighbours(hashes, firsts)
    # By contents alone, so that names change nothing.
    order = sorted(neighbours, key=lambda i: (-len(neighbours[i]), hashes[i].colours))
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
    first: dict[object, int] = {}
    return [
        index
        if each.verdict
        else first.setdefault(
            each.pixels if "tiny" in each.notes else (each.colours, each.greys), index
        )
        for index, each in enumerate(hashes)
    ]


def _neighbours(hashes: Sequence[ImageHash], firsts: Sequence[int]) -> dict[int, list[int]]:
    """Return the near duplicates of each image that has any, of first ones among themselves."""
    neighbours: dict[int, list[int]] = defaultdict(list)
    # Under 32 pixels different things look alike: only equal ones count as near there.
    usable = [
        index
        for index, first in enumerate(firsts)
        if index == first and not hashes[index].verdict and "tiny" not in hashes[index].notes
    ]
    usable.sort(key=lambda index: (sum(hashes[index].colours), hashes[index].colours))
    colours = _stacked([hashes[index].colours for index in usable], COLOUR_SIDE**2)
    greys = _stacked([hashes[index].greys for index in usable], GREY_SIDE**2)
    for i, j in _near_pairs(colours, greys):
        first, second = sorted((usable[i], usable[j]))
        neighbours[first].append(second)
        neighbours[second].append(first)
    return {index: sorted(near) for index, near in neighbours.items()}


def _stacked(thumbnails: Sequence[bytes], n_pixels: int) -> Thumbnails:
    """Return thumbnails of some pixels each as one array."""
    values = np.frombuffer(b"".join(thumbnails), dtype=np.uint8)
    return values.reshape(len(thumbnails), n_pixels, -1 if thumbnails else 1)


def _near_pairs(
    colours: Thumbnails, greys: Thumbnails, block: int = 1024
) -> Iterator[tuple[int, int]]:
    """Yield every near pair (i, j), i < j, of thumbnails in the order of their brightness.

    Products of matrices compare the colours block by block, and the greys of those that are near.
    """
    limit = _COLOUR_SHARE * _usual_distance(colours)
    grey_limit = _GREY_SHARE * _usual_distance(greys)
    means = colours.mean(axis=1)
    brightness = means.mean(axis=1)
    for start in range(0, len(colours), block):
        rows = _shapes(colours[start : start + block])
        highest = brightness[min(start + block, len(colours)) - 1] + _NEAR_LEVELS
        for other in range(start, len(colours), block):
            if brightness[other] > highest:
                break
            columns = _shapes(colours[other : other + block])
            i, j = np.nonzero(_squares(rows, columns) <= limit**2 + _ROUNDING)
            i, j = i[i + start < j + other] + start, j[i + start < j + other] + other
            alike = np.abs(means[i] - means[j]).mean(axis=1) <= _NEAR_LEVELS
            i, j = i[alike], j[alike]
            left, at_left = np.unique(i, return_inverse=True)
            right, at_right = np.unique(j, return_inverse=True)
            squares = _squares(_shapes(greys[left]), _shapes(greys[right]))[at_left, at_right]
            near = squares <= grey_limit**2 + _ROUNDING
            yield from zip(i[near].tolist(), j[near].tolist(), strict=True)


def _squares(rows: Shapes, columns: Shapes) -> Shapes:
    """Return the squared distance of each row of one array to each of another, `(N, M)`."""
    lengths: Shapes = (rows**2).sum(axis=1)[:, None] + (columns**2).sum(axis=1)
    return lengths - 2 * (rows @ columns.T)


def _usual_distance(thumbnails: Thumbnails) -> float:
    """Return the distance that is usual between different thumbnails of a set.

    It is the upper quartile over random pairs, of which near duplicates are few.
    """
    if len(thumbnails) < _ENOUGH:
        return _UNRELATED
    pairs = np.random.default_rng(0).integers(0, len(thumbnails), (2, 1_000))
    first, second = pairs[:, pairs[0] != pairs[1]]
    apart = _shapes(thumbnails[first]) - _shapes(thumbnails[second])
    distances = np.sqrt((apart**2).sum(axis=1))
    # Rounded, so that another processor's last bits decide nothing.
    return min(_UNRELATED, round(float(np.percentile(distances, 75)), 3))


def _shapes(thumbnails: Thumbnails) -> Shapes:
    """Return thumbnails as rows of mean 0 and length 1, those of little contrast shorter."""
    values: Shapes = thumbnails.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values = values.reshape(len(values), thumbnails.shape[1] * thumbnails.shape[2])
    contrast = np.maximum(np.sqrt((values**2).mean(axis=1)), _LEAST_CONTRAST)
    values /= (contrast * values.shape[1] ** 0.5)[:, None]
    return values
