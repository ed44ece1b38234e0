"""What does each image look like, in so few numbers that all pairs can be compared?

A look is a verdict, the conversions the image needs, and three hashes of growing tolerance: the
sha256 of its pixels (the same picture in another file), a 64-bit difference hash (dHash: is each
cell of a 9 x 8 grey picture darker than its right neighbour?) and an 8 x 8 colour thumbnail, which
settles what the 64 bits leave open: flat pictures of any colour have the same dHash.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnbench.base.files import usable_cores
from cnnbench.data.pixels.decode import BrokenImage, load_upright, opened, turned

LOOKS_VERSION = 1
NEAR_BITS = 4  # of 64: the most by which dHashes of near duplicates differ
NEAR_LEVELS = 20.0  # of 255: the most by which their thumbnails differ, on average
TINY_PIXELS = 32
_ELONGATED = 3.0
_CHUNK = 128  # files between two words of progress
_LEAST = 128  # pixels a JPEG is decoded to at least, which is enough for 9 x 8
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one file shows.

    `verdict` is empty for an image that can be used, else one of `decode.VERDICTS`, and `reason`
    says the rest. `notes` are the conversions it needs. `dhash` has 64 bits, `thumbnail` is 8 x 8
    RGB as 192 bytes, `pixels` a sha256; all three are of the upright image over white.
    """

    verdict: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    dhash: int = 0
    thumbnail: bytes = b""
    pixels: str = ""


def look_at(path: Path) -> Look:
    """Decode a file as training would and say what it shows; no image makes this raise."""
    try:
        with opened(path) as image:
            notes = _header_notes(image, path.suffix.lower())
            loaded, orientation = load_upright(image, _LEAST)
            if orientation != 1:
                notes.append("rotated")
            if _has_frames(image):
                notes.append("animated")
            return look_of(turned(loaded, orientation), notes=tuple(sorted(notes)))
    except BrokenImage as error:
        return Look(verdict=error.verdict, reason=error.reason)


def look_of(image: Image.Image, *, notes: tuple[str, ...] = ()) -> Look:
    """Return the hashes of an upright RGB image."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
    bits = np.packbits(grey[:, :-1] < grey[:, 1:])
    small = image.resize((8, 8), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = hashlib.sha256(f"{image.size}".encode() + image.tobytes())
    return Look(
        notes=notes,
        dhash=int.from_bytes(bits.tobytes(), "big"),
        thumbnail=small.tobytes(),
        pixels=pixels.hexdigest(),
    )


def looks_of(
    root: Path, names: Sequence[str], *, progress: Callable[[int, int], None] | None = None
) -> list[Look]:
    """Look at files below `root` with every core; `progress` is called with (done, in all)."""
    looks: list[Look] = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(names), _CHUNK):
            looks += pool.map(look_at, (root / name for name in names[start : start + _CHUNK]))
            if progress is not None:
                progress(len(looks), len(names))
    return looks


def near_groups(looks: Sequence[Look]) -> list[int]:
    """Return for each image the smallest index it is linked to by a chain of near duplicates."""
    group = _firsts(looks)

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    for first, second in _near_pairs(looks):
        low, high = sorted((root(first), root(second)))
        group[high] = low
    return [root(index) for index in range(len(looks))]


def near_copies(
    looks: Sequence[Look], known: Sequence[int], asked: Sequence[int]
) -> dict[int, int]:
    """Map each of the images `asked` to one of `known` that it nearly equals, if there is one.

    Near: dHashes at most NEAR_BITS apart and thumbnails at most NEAR_LEVELS. Broken images are
    near to none, and tiny ones only to their equals.
    """
    firsts = _firsts(looks)
    holder = {firsts[index]: index for index in reversed(known) if not looks[index].verdict}
    neighbours: dict[int, list[int]] = defaultdict(list)
    for one, other in _near_pairs(looks):
        neighbours[one].append(other)
        neighbours[other].append(one)
    found = {}
    for index in asked:
        alike = (firsts[index], *neighbours[firsts[index]])
        copies = [holder[one] for one in alike if one in holder]
        if copies and not looks[index].verdict:
            found[index] = copies[0]
    return found


def _firsts(looks: Sequence[Look]) -> list[int]:
    """Return for each image the first with the same dHash and thumbnail; itself if broken."""
    first: dict[tuple[int, bytes], int] = {}
    return [
        index if look.verdict else first.setdefault((look.dhash, look.thumbnail), index)
        for index, look in enumerate(looks)
    ]


def _near_pairs(looks: Sequence[Look]) -> Iterator[tuple[int, int]]:
    """Yield every near pair (i, j), i < j, of images that are the first of their looks.

    Of five parts of a hash at least one is equal when at most four bits differ, so that comparing
    only hashes that share a part misses none.
    """
    firsts = [index for index, first in enumerate(_firsts(looks)) if index == first]
    # Under 32 pixels, different things look alike in 9 x 8: only equal ones count as near there.
    usable = [i for i in firsts if not looks[i].verdict and "tiny" not in looks[i].notes]
    close: set[tuple[int, int]] = set()
    for part in range(NEAR_BITS + 1):
        buckets: dict[int, list[int]] = defaultdict(list)
        for index in usable:
            buckets[looks[index].dhash >> (13 * part) & 0x1FFF].append(index)
        for bucket in buckets.values():
            close.update(_close_in(looks, bucket))
    for i, j in sorted(close):
        apart = _thumbnail(looks[i]) - _thumbnail(looks[j])
        if float(np.abs(apart).mean()) <= NEAR_LEVELS:
            yield i, j


def _close_in(looks: Sequence[Look], bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of a bucket whose hashes are close, comparing one with all others at once."""
    if len(bucket) < 16:
        for i, j in combinations(bucket, 2):
            if (looks[i].dhash ^ looks[j].dhash).bit_count() <= NEAR_BITS:
                yield i, j
        return
    hashes = np.array([looks[index].dhash for index in bucket], dtype=np.uint64)
    for place, index in enumerate(bucket[:-1]):
        apart = np.bitwise_count(hashes[place + 1 :] ^ hashes[place])
        for other in np.flatnonzero(apart <= NEAR_BITS).tolist():
            yield index, bucket[place + 1 + other]


def _thumbnail(look: Look) -> npt.NDArray[np.int16]:
    return np.frombuffer(look.thumbnail, dtype=np.uint8).astype(np.int16)


def _header_notes(image: Image.Image, suffix: str) -> list[str]:
    """Say which conversions an image needs, from its header."""
    notes = []
    if suffix not in _SUFFIXES.get(image.format or "", ()):
        notes.append("wrong extension")
    if image.mode == "CMYK":
        notes.append("cmyk")
    if image.mode == "P":
        notes.append("palette")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        notes.append("transparent")
    if image.mode.startswith("I"):
        notes.append("16-bit")
    short, long = sorted(image.size)
    if short < TINY_PIXELS:
        notes.append("tiny")
    if long > _ELONGATED * short:
        notes.append("elongated")
    return notes


def _has_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged later frame; only the first counts, and it was read
        return True
