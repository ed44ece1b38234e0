"""Which pixels does an image file stand for, and how is an image made small for a report?

The rules of decoding, each tested; those of depth and transparency are in `rgb`:

- The header is read first: an image over 50 megapixels, or as many as the user allows, is refused
  before it is decoded.
- The first frame of an animation or a multi-page file counts.
- CMYK, YCbCr and HSV become RGB by Pillow's plain formulas; colour profiles and gamma are not
  applied.
- The square is the central one, as large as the shorter side, scaled to `size` with antialiasing
  (bilinear, as torchvision does by default). A JPEG may first be decoded at 1/2, 1/4 or 1/8, as
  long as its shorter side stays at least `2 * size`, so that the scaling still averages over two
  pixels or more each way.
- The EXIF orientation is applied once; the central square is the same before and after. Metadata
  that cannot be read is ignored: sound pixels are never refused for it.
- The content says what a file is, whatever its suffix (see `formats`).
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from cnnbench.data import DataError
from cnnbench.data.pixels.formats import (
    PNG_START,
    formats_of,
    has_image_start,
    missing_plugin,
    start_of,
)
from cnnbench.data.pixels.rgb import CHUNK, Depth, UnsupportedPixels, depth_of, rgb_over_white

__all__ = ["DECODE_VERSION", "BrokenImage", "decode_square", "thumbnail"]

DECODE_VERSION = 2  # raised whenever the same file gives other pixels
MAX_MEGAPIXELS = 50

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_PARTS_FOR_PIXELS = (b"tRNS", b"sBIT", b"eXIf")  # beside the critical ones
T = TypeVar("T")


class BrokenImage(DataError):
    """An image file that cannot be used; `reason` says what a `verdict` leaves open.

    A verdict is: empty, not an image, truncated, damaged, too large, unsupported or unreadable.
    """

    def __init__(self, path: Path, verdict: str, reason: str) -> None:
        super().__init__(f"cannot read image {str(path)!r}: {reason}")
        self.verdict = verdict
        self.reason = reason


class _TooLarge(Exception):
    """An image that Pillow could read and that is over the bound; the message says by how much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A decoded image as Pillow reads it: `orientation` is still to apply, 1 for none.

    `has_sound_metadata` is false if something of its metadata could not be read.
    """

    image: Image.Image
    depth: Depth
    orientation: int
    has_sound_metadata: bool

    def rgb(self) -> Image.Image:
        """Return the image as 8-bit RGB over white, not yet turned."""
        return rgb_over_white(self.image, self.depth)


def decode_square(
    path: Path, size: int, *, max_megapixels: int = MAX_MEGAPIXELS
) -> npt.NDArray[np.uint8]:
    """Return the upright central square of an image file as uint8 RGB `(size, size, 3)`.

    Raises BrokenImage, which names the file and the reason, for every file that cannot be read.
    """

    def square(image: Image.Image) -> npt.NDArray[np.uint8]:
        loaded = load(image, 2 * size)
        return np.asarray(turn(central_square(loaded.rgb(), size), loaded.orientation))

    return read_image(path, square, max_megapixels=max_megapixels)


def read_image(
    path: Path, use: Callable[[Image.Image], T], *, max_megapixels: int = MAX_MEGAPIXELS
) -> T:
    """Open an image whose header is within bounds and return what `use` makes of it.

    `use` is called again if a PNG can only be read without its metadata. Raises BrokenImage for
    whatever goes wrong while the image is opened or used.
    """

    def attempt(source: Path | io.BytesIO) -> T:
        with Image.open(source, formats=formats_of(path)) as image:
            _require_bounds(image, max_megapixels)
            return use(image)

    if Image.MAX_IMAGE_PIXELS is not None:  # Pillow refuses twice its own bound by itself
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_megapixels * 1_000_000)
    try:
        try:
            return attempt(path)
        except (_TooLarge, UnsupportedPixels):
            raise
        except Exception:
            bare = _without_metadata(path)
            if bare is None:
                raise
            return attempt(bare)
    except Exception as error:  # damaged files raise nearly any type from inside Pillow
        raise BrokenImage(path, *_reason(path, error, max_megapixels)) from error


class _BarePng(io.BytesIO):
    """A PNG without the parts that decide no pixel or whose checksum is wrong."""


def _without_metadata(path: Path) -> _BarePng | None:
    """Return a PNG without what Pillow may refuse though the pixels are sound; else None."""
    with path.open("rb") as file:
        whole = file.read(len(PNG_START))
        if whole != PNG_START:
            return None
        whole += file.read()
    kept, place = [PNG_START], len(PNG_START)
    while place + 12 <= len(whole):
        length, kind = CHUNK.unpack_from(whole, place)
        part = whole[place : place + length + 12]
        is_critical = kind[:1].isupper()
        is_sound = zlib.crc32(part[4:-4]).to_bytes(4, "big") == part[-4:]
        if is_critical or (kind in _PNG_PARTS_FOR_PIXELS and is_sound):
            kept.append(part)
        place += len(part)
    bare = b"".join(kept)
    return None if len(bare) == len(whole) else _BarePng(bare)


def load(image: Image.Image, least: int) -> Loaded:
    """Decode an open image.

    A JPEG may come at a half, a quarter or an eighth, its sides still at least `least` pixels.
    """
    depth = depth_of(image)
    is_whole = not isinstance(getattr(image, "fp", None), _BarePng)
    image.draft(image.mode, (least, least))
    image.load()
    try:
        # Read after loading, because Pillow turns a TIFF upright by itself while it loads.
        stated = image.getexif().get(ExifTags.Base.Orientation, 1)
        orientation = int(stated) if stated == 1 or stated in _UPRIGHT else 0
    except Exception:  # garbage raises nearly any type
        orientation = 0
    return Loaded(
        image=image,
        depth=depth,
        orientation=orientation or 1,
        has_sound_metadata=is_whole and orientation > 0,
    )


def central_square(image: Image.Image, size: int) -> Image.Image:
    """Return the central square of a loaded RGB image, scaled to `size` with antialiasing."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize(
        (size, size),
        Image.Resampling.BILINEAR,
        box=(left, top, left + side, top + side),
        reducing_gap=3.0,
    )


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Apply an EXIF orientation; 1 changes nothing."""
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _require_bounds(image: Image.Image, max_megapixels: int) -> None:
    width, height = image.size
    if width * height > max_megapixels * 1_000_000:
        raise _TooLarge(
            f"{width} x {height} is {width * height / 1e6:.0f} megapixels, {_bound(max_megapixels)}"
        )


def _bound(max_megapixels: int) -> str:
    return f"the most accepted is {max_megapixels}; scale it down or raise --data max_megapixels=N"


def _reason(path: Path, error: Exception, max_megapixels: int) -> tuple[str, str]:
    """Return the verdict on a file and the reason: what is wrong with it."""
    if isinstance(error, _TooLarge):
        return "too large", str(error)
    if isinstance(error, UnsupportedPixels):
        return "unsupported", str(error)
    if isinstance(error, OSError) and error.strerror:
        return "unreadable", error.strerror
    if path.stat().st_size == 0:
        return "empty", "the file is empty (0 bytes)"
    if isinstance(error, UnidentifiedImageError):
        if missing := missing_plugin(path):
            return "not an image", "{} by its content, which needs: {}".format(*missing)
        if has_image_start(path):
            return "damaged", "damaged: it begins like an image and what follows cannot be read"
        start = start_of(path)
        return "not an image", f"not an image of a known format, it starts with {start!r}"
    # The warning is raised where warnings are errors.
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too large", f"over {max_megapixels} megapixels; {_bound(max_megapixels)}"
    is_cut = isinstance(error, EOFError) or "truncated" in str(error)
    reason = f"damaged or incomplete ({error or type(error).__name__})"
    return ("truncated" if is_cut else "damaged"), reason


# -- thumbnails for reports -----------------------------------------------------------------------

_THUMBNAIL_PIXELS = 80


def thumbnail(image: npt.NDArray[np.uint8]) -> bytes:
    """Return a uint8 `(H, W, 3)` image as a JPEG of 80 x 80 pixels, 2 to 3 kB."""
    out = io.BytesIO()
    size = (_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS)
    small = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    small.save(out, format="JPEG", quality=80, optimize=True)
    return out.getvalue()
