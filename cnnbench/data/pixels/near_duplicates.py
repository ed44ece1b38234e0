"""Which images are nearly the same, though their files differ?

Each image gets an `ImageHash`, so few numbers that all pairs can be compared: the sha256 of its
pixels (the same picture in another file), a 64-bit difference hash (dHash: is each cell of a 9 x 8
grey picture darker than its right neighbour?) and an 8 x 8 colour thumbnail. The thumbnail settles
what the 64 bits leave open: flat pictures of any colour have the same dHash.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnbench.base.digests import sha256_of
from cnnbench.base.processes import in_threads
from cnnbench.data import Progress
from cnnbench.data.pixels.decode import BrokenImage, is_transparent, load_upright, open_image, turn

HASH_VERSION = 1
NEAR_BITS = 4  # of 64: the most by which dHashes of near duplicates differ
NEAR_LEVELS = 20.0  # of 255: the most by which their thumbnails differ, on average
TINY_PIXELS = 32
_ELONGATED = 3.0
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
class ImageHash:
    """The hashes of one image, or why it has none.

    `verdict` is empty for an image that can be used, else that of `BrokenImage`; `reason` says
    the rest. `notes` are the conversions that the image needs. `dhash` has 64 bits, `thumbnail` is
    8 x 8 RGB as 192 bytes, `pixels` a sha256; all three are of the upright image over white.
    """

    verdict: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    dhash: int = 0
    thumbnail: bytes = b""
    pixels: str = ""


def hash_file(path: Path) -> ImageHash:
    """Decode a file as training would and return its hashes; no image makes this raise."""
    try:
        with open_image(path) as image:
            notes = _header_notes(image, path.suffix.lower())
            loaded, orientation = load_upright(image, _LEAST)
            if orientation != 1:
                notes.append("rotated")
            if _has_frames(image):
                notes.append("animated")
            return hash_image(turn(loaded, orientation), notes=tuple(sorted(notes)))
    except BrokenImage as error:
        return ImageHash(verdict=error.verdict, reason=error.reason)


def hash_image(image: Image.Image, *, notes: tuple[str, ...] = ()) -> ImageHash:
    """Return the hashes of an upright RGB image."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
    bits = np.packbits(grey[:, :-1] < grey[:, 1:])
    small = image.resize((8, 8), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return ImageHash(
        notes=notes,
        dhash=int.from_bytes(bits.tobytes(), "big"),
        thumbnail=small.tobytes(),
        pixels=sha256_of(f"{image.size}".encode() + image.tobytes()),
    )


def hash_files(
    root: Path, names: Sequence[str], *, progress: Progress | None = None
) -> dict[str, ImageHash]:
    """Hash the images of files below `root` with every core; `progress` counts them."""
    hashes: dict[str, ImageHash] = {}
    made = in_threads(lambda name: hash_file(root / name), names)
    for name, image_hash in zip(names, made, strict=True):
        hashes[name] = image_hash
        if progress is not None:
            progress(len(hashes), len(names))
    return hashes


def near_groups(hashes: Sequence[ImageHash]) -> list[int]:
    """Return for each image the smallest index it is linked to by a chain of near duplicates."""
    group = _firsts(hashes)

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    for first, second in _near_pairs(hashes):
        low, high = sorted((root(first), root(second)))
        group[high] = low
    return [root(index) for index in range(len(hashes))]


def near_copies(
    hashes: Sequence[ImageHash], known: Sequence[int], candidates: Sequence[int]
) -> dict[int, int]:
    """Map each of `candidates` that nearly equals an image of `known` to that image.

    Near: dHashes at most NEAR_BITS apart and thumbnails at most NEAR_LEVELS. Broken images are
    near to none, and tiny ones only to their equals.
    """
    firsts = _firsts(hashes)
    holder = {firsts[index]: index for index in reversed(known) if not hashes[index].verdict}
    neighbours: dict[int, list[int]] = defaultdict(list)
    for i, j in _near_pairs(hashes):
        neighbours[i].append(j)
        neighbours[j].append(i)
    copies = {}
    for index in candidates:
        near = (firsts[index], *neighbours[firsts[index]])
        originals = [holder[i] for i in near if i in holder]
        if originals and not hashes[index].verdict:
            copies[index] = originals[0]
    return copies


def _firsts(hashes: Sequence[ImageHash]) -> list[int]:
    """Return for each image the first with the same dHash and thumbnail; itself if broken."""
    first: dict[tuple[int, bytes], int] = {}
    return [
        index if each.verdict else first.setdefault((each.dhash, each.thumbnail), index)
        for index, each in enumerate(hashes)
    ]


def _near_pairs(hashes: Sequence[ImageHash]) -> Iterator[tuple[int, int]]:
    """Yield every near pair (i, j), i < j, of images that are the first with their hashes.

    When at most four bits differ, at least one of five parts of the hash is equal: comparing only
    hashes that share a part misses none.
    """
    firsts = [index for index, first in enumerate(_firsts(hashes)) if index == first]
    # Under 32 pixels, different things look alike in 9 x 8: only equal ones count as near there.
    usable = [i for i in firsts if not hashes[i].verdict and "tiny" not in hashes[i].notes]
    close: set[tuple[int, int]] = set()
    for part in range(NEAR_BITS + 1):
        buckets: dict[int, list[int]] = defaultdict(list)
        for index in usable:
            buckets[hashes[index].dhash >> (13 * part) & 0x1FFF].append(index)
        for bucket in buckets.values():
            close.update(_close_in(hashes, bucket))
    for i, j in sorted(close):
        difference = _thumbnail(hashes[i]) - _thumbnail(hashes[j])
        if float(np.abs(difference).mean()) <= NEAR_LEVELS:
            yield i, j


def _close_in(hashes: Sequence[ImageHash], bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of a bucket whose dHashes are close; a row of pairs is compared at once."""
    if len(bucket) < 16:
        for i, j in combinations(bucket, 2):
            if (hashes[i].dhash ^ hashes[j].dhash).bit_count() <= NEAR_BITS:
                yield i, j
        return
    dhashes = np.array([hashes[index].dhash for index in bucket], dtype=np.uint64)
    for place, index in enumerate(bucket[:-1]):
        bits = np.bitwise_count(dhashes[place + 1 :] ^ dhashes[place])
        for other in np.flatnonzero(bits <= NEAR_BITS).tolist():
            yield index, bucket[place + 1 + other]


def _thumbnail(image_hash: ImageHash) -> npt.NDArray[np.int16]:
    return np.frombuffer(image_hash.thumbnail, dtype=np.uint8).astype(np.int16)


def _header_notes(image: Image.Image, suffix: str) -> list[str]:
    """Say which conversions an image needs, from its header."""
    notes = []
    if suffix not in _SUFFIXES.get(image.format or "", ()):
        notes.append("wrong extension")
    if image.mode == "CMYK":
        notes.append("cmyk")
    if image.mode == "P":
        notes.append("palette")
    if is_transparent(image):
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
