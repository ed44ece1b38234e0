"""Which images are nearly the same, though their files differ?

The distance of two images is that of their thumbnails after the mean is taken off and the contrast
made equal, so that a copy made brighter stays near; of unrelated pictures it is about the square
root of 2. Images are near when both thumbnails are: in 8 x 8 colours, where what moved a little
counts less, under a sixth of the usual distance in their set, and in 32 x 32 greys under a third.
Photos of one fixed camera or scans of one kind are all alike, and only what is alike among them
counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
_BLOCK = 512  # images compared at once, so that memory grows with the set and not with its square

Thumbnails = npt.NDArray[np.uint8]  # (N, pixels, channels)
Shapes = npt.NDArray[np.float32]  # (N, pixels * channels)
Places = npt.NDArray[np.intp]  # (N,), of images in a `_Comparison`


def near_groups(
    hashes: Sequence[ImageHash], *, whole: Sequence[ImageHash] | None = None
) -> list[int]:
    """Return for each image the smallest index in its group of near duplicates.

    Where the images are a part of a set, `whole` has all of it and shows what is usual.

    A group is one image and those near to it, never a chain of neighbours' neighbours: first the
    image with most near duplicates and these, then the next of those left. Broken images are near
    to none, and tiny ones only to their equals.
    """
    firsts = _firsts(hashes)
    compared = _compare(hashes, whole or hashes)
    every = np.arange(len(compared.indices))
    counts = np.zeros(len(every), dtype=np.intp)
    for places, near in compared.blocks(every):
        counts[places] = near.sum(axis=1)
    # By number, then by contents alone (see `_compare`), so that names change nothing.
    densest_first = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts > 1)]
    first_of_group = dict(zip(firsts, firsts, strict=True))
    is_free = np.ones(len(every), dtype=bool)
    for places, near in compared.blocks(densest_first, among=is_free):
        for place, neighbours in zip(places, near, strict=True):
            if is_free[place]:
                members = compared.indices[neighbours & is_free].tolist()
                first_of_group.update(dict.fromkeys(members, min(members)))
                is_free[neighbours] = False
    return [first_of_group[first] for first in firsts]


def near_copies(
    hashes: Sequence[ImageHash], known: Sequence[int], candidates: Sequence[int]
) -> dict[int, int]:
    """Map each of `candidates` that nearly equals an image of `known` to that image.

    What is near is said in `near_groups`.
    """
    firsts = _firsts(hashes)
    original = {firsts[index]: index for index in reversed(known) if not hashes[index].verdict}
    compared = _compare(hashes, hashes)
    is_known = np.isin(compared.indices, list(original))
    sought = {firsts[index] for index in candidates} - original.keys()
    rows = np.flatnonzero(np.isin(compared.indices, list(sought)))
    for places, near in compared.blocks(rows):
        for place, neighbours in zip(places, near & is_known, strict=True):
            if neighbours.any():
                earliest = compared.indices[neighbours].min()
                original[int(compared.indices[place])] = original[int(earliest)]
    return {
        index: original[firsts[index]]
        for index in candidates
        if firsts[index] in original and not hashes[index].verdict
    }


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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Comparison:
    """Images that all look different, in the order of their brightness.

    `indices` are theirs in the set, `means` their mean colours `(N, 3)`; `limit` and `grey_limit`
    are squares of the distances up to which they are near.
    """

    indices: Places
    colours: Shapes
    greys: Thumbnails
    means: npt.NDArray[np.float64]
    limit: float
    grey_limit: float

    def blocks(
        self, places: Places, *, among: npt.NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Places, npt.NDArray[np.bool_]]]:
        """Yield some of `places` at once, and which of all N images each of them is near to.

        An image is near to itself. Those that `among` leaves out by then are not compared.
        """
        for start in range(0, len(places), _BLOCK):
            rows = places[start : start + _BLOCK]
            rows = rows if among is None else rows[among[rows]]
            if len(rows):
                yield rows, self._near(rows)

    def _near(self, rows: Places) -> npt.NDArray[np.bool_]:
        """Return which images are near to those of `rows`, `(len(rows), N)`.

        Products of matrices compare the colours, and the greys of those that are near by colour.
        """
        near = np.zeros((len(rows), len(self.indices)), dtype=np.bool_)
        brightness = self.means.mean(axis=1)
        reach = _NEAR_LEVELS + 1  # as mean colours are at least as far apart; 1 for rounding
        ends = (brightness[rows].min() - reach, brightness[rows].max() + reach)
        begin, end = np.searchsorted(brightness, ends)
        for start in range(begin, end, _BLOCK):
            columns = np.arange(start, min(start + _BLOCK, end))
            alike = _squares(self.colours[rows], self.colours[columns]) <= self.limit
            at = np.ix_(alike.any(axis=1), alike.any(axis=0))
            left, right = rows[at[0].ravel()], columns[at[1].ravel()]
            apart = np.abs(self.means[left, None] - self.means[right]).mean(axis=2)
            squares = _squares(_shapes(self.greys[left]), _shapes(self.greys[right]))
            alike[at] &= (apart <= _NEAR_LEVELS) & (squares <= self.grey_limit)
            near[:, columns] = alike
        return near


def _compare(hashes: Sequence[ImageHash], whole: Sequence[ImageHash]) -> _Comparison:
    """Make the images that look different ready to be compared; `whole` shows what is usual."""
    indices = _different(hashes)
    colours, greys = _thumbnails(hashes, indices)
    usual = (colours, greys) if whole is hashes else _thumbnails(whole, _different(whole))
    return _Comparison(
        indices=np.array(indices, dtype=np.intp),
        colours=_shapes(colours),
        greys=greys,
        means=colours.mean(axis=1),
        limit=(_COLOUR_SHARE * _usual_distance(usual[0])) ** 2 + _ROUNDING,
        grey_limit=(_GREY_SHARE * _usual_distance(usual[1])) ** 2 + _ROUNDING,
    )


def _different(hashes: Sequence[ImageHash]) -> list[int]:
    """Return the first image of each look, the darkest first; contents alone give the order."""
    # Under 32 pixels different things look alike: only equal ones count as near there.
    indices = [
        index
        for index, first in enumerate(_firsts(hashes))
        if index == first and not hashes[index].verdict and "tiny" not in hashes[index].notes
    ]
    return sorted(
        indices, key=lambda i: (sum(hashes[i].colours), hashes[i].colours, hashes[i].greys)
    )


def _thumbnails(
    hashes: Sequence[ImageHash], indices: Sequence[int]
) -> tuple[Thumbnails, Thumbnails]:
    """Return the thumbnails of some images in colour and in grey."""
    colours = b"".join(hashes[index].colours for index in indices)
    greys = b"".join(hashes[index].greys for index in indices)
    return (
        np.frombuffer(colours, dtype=np.uint8).reshape(len(indices), COLOUR_SIDE**2, 3),
        np.frombuffer(greys, dtype=np.uint8).reshape(len(indices), GREY_SIDE**2, 1),
    )


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
