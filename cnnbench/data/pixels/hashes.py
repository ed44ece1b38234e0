"""What is kept of each image file, so that all of them can be judged and compared?

An `ImageHash` has the verdict on a file, what its conversion did to it, the sha256 of its pixels
(the same picture in another file) and two thumbnails, by which near duplicates are found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cnnbench.base.digests import sha256_of
from cnnbench.base.processes import in_threads
from cnnbench.data import Progress
from cnnbench.data.pixels.decode import MAX_MEGAPIXELS, BrokenImage, Loaded, load, read_image, turn
from cnnbench.data.pixels.formats import is_suffix_of
from cnnbench.data.pixels.rgb import (
    depth_of,
    extrema,
    hides_a_picture,
    is_emptied,
    is_transparent,
    used_bits,
)

HASH_VERSION = 2
TINY_PIXELS = 32
COLOUR_SIDE = 8  # pixels of the thumbnail in colour
GREY_SIDE = 32  # of the one in grey
_ELONGATED = 3.0
_LEAST = 128  # pixels a JPEG is decoded to at least, which is enough for 32 x 32


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageHash:
    """The hashes of one image, or why it has none.

    `verdict` is empty for an image that can be used, else that of `BrokenImage`; `reason` says
    the rest. `notes` are the conversions that the image needs. `colours` is 8 x 8 RGB as 192 bytes,
    `greys` 32 x 32 grey as 1,024 bytes, `pixels` a sha256; all are of the upright image over white.
    `used_bits` are those of the greatest value in a file of over 8 bits whose scale is not stated,
    else 0.
    """

    verdict: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    colours: bytes = b""
    greys: bytes = b""
    pixels: str = ""
    used_bits: int = 0


def hash_file(path: Path, *, max_megapixels: int = MAX_MEGAPIXELS) -> ImageHash:
    """Decode a file as training would and return its hashes; no image makes this raise."""

    def hashed(image: Image.Image) -> ImageHash:
        notes = _header_notes(image, path)
        loaded = load(image, _LEAST)
        rgb = loaded.rgb()
        notes += _notes_on_pixels(loaded, rgb, is_animated=_has_frames(image))
        return hash_image(
            turn(rgb, loaded.orientation),
            notes=tuple(sorted(notes)),
            used_bits=used_bits(loaded.image, rgb, loaded.depth),
        )

    try:
        return read_image(path, hashed, max_megapixels=max_megapixels)
    except BrokenImage as error:
        return ImageHash(verdict=error.verdict, reason=error.reason)


def hash_image(image: Image.Image, *, notes: tuple[str, ...] = (), used_bits: int = 0) -> ImageHash:
    """Return the hashes of an upright RGB image."""
    grey = image.convert("L")
    return ImageHash(
        notes=notes,
        colours=image.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BILINEAR).tobytes(),
        greys=grey.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BILINEAR).tobytes(),
        pixels=sha256_of(f"{image.size}".encode() + image.tobytes()),
        used_bits=used_bits,
    )


def hash_files(
    root: Path,
    names: Sequence[str],
    *,
    max_megapixels: int = MAX_MEGAPIXELS,
    progress: Progress | None = None,
) -> dict[str, ImageHash]:
    """Hash the images of files below `root` with every core; `progress` counts them."""
    hashes: dict[str, ImageHash] = {}
    made = in_threads(lambda name: hash_file(root / name, max_megapixels=max_megapixels), names)
    for name, image_hash in zip(names, made, strict=True):
        hashes[name] = image_hash
        if progress is not None:
            progress(len(hashes), len(names))
    return hashes


def _header_notes(image: Image.Image, path: Path) -> list[str]:
    """Say which conversions an image needs, from its header."""
    notes = []
    if not is_suffix_of(path, image.format or ""):
        notes.append("wrong extension")
    if image.mode == "CMYK":
        notes.append("cmyk")
    if image.mode == "P":
        notes.append("palette")
    short, long = sorted(image.size)
    if short < TINY_PIXELS:
        notes.append("tiny")
    if long > _ELONGATED * short:
        notes.append("elongated")
    return notes


def _notes_on_pixels(loaded: Loaded, rgb: Image.Image, *, is_animated: bool) -> Iterator[str]:
    """Say what was done to a loaded image, and what was lost."""
    if loaded.depth.bits > 8:
        yield "16-bit"
    if loaded.orientation != 1:
        yield "rotated"
    if not loaded.has_sound_metadata:
        yield "metadata"
    if is_transparent(loaded.image):
        is_hidden = hides_a_picture(loaded.image.convert("RGBA"))
        yield "alpha unused" if is_hidden else "transparent"
    if is_animated:
        yield "animated"
    is_blank = is_animated and all(low == high for low, high in extrema(rgb))
    if is_blank or is_emptied(loaded.image, rgb, loaded.depth):
        yield "emptied"


def may_be_emptied(path: Path, *, max_megapixels: int = MAX_MEGAPIXELS) -> bool:
    """Return whether a file is one whose hash can have notes on losses, from its header."""

    def may_lose(image: Image.Image) -> bool:
        return depth_of(image).bits > 8 or is_transparent(image) or _has_frames(image)

    with path.open("rb") as file:
        if file.read(2) == b"\xff\xd8":  # most files of most sets are JPEG: nothing to lose
            return False
    try:
        return read_image(path, may_lose, max_megapixels=max_megapixels)
    except BrokenImage:
        return False


def _has_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged later frame; only the first counts, and it was read
        return True
