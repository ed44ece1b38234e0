"""Which pixels does an image file stand for, and how is an image made small for a report?

The rules of decoding, each tested:

- The header is read first: an image over 50 megapixels is refused before it is decoded.
- The first frame of an animation or a multi-page file counts.
- Grey of 16 bits is scaled to 8 bits (0..65535 -> 0..255), never clipped. Grey of 32 bits and
  floats have no natural range and are refused by name.
- CMYK, YCbCr and HSV become RGB by Pillow's plain formulas; colour profiles are not applied.
- A palette, an alpha channel or a transparent colour is laid over white.
- The square is the central one, as large as the shorter side, scaled to `size` with antialiasing
  (bilinear, as torchvision does by default). A JPEG may first be decoded at 1/2, 1/4 or 1/8, as
  long as its shorter side stays at least `2 * size`, so that the scaling still averages over two
  pixels or more each way.
- The EXIF orientation is applied once; the central square is the same before and after.
- Only the formats in `FORMATS` are tried, whatever the file's suffix says.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from cnnbench.data import DataError

__all__ = ["thumbnail"]

DECODE_VERSION = 1  # raised whenever the same file gives other pixels
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BrokenImage(DataError):
    """An image file that cannot be used; `reason` says what a `verdict` leaves open.

    A verdict is: empty, not an image, truncated, damaged, too large, unsupported or unreadable.
    """

    def __init__(self, path: Path, verdict: str, reason: str) -> None:
        super().__init__(f"cannot read image {str(path)!r}: {reason}")
        self.verdict = verdict
        self.reason = reason


class _Refused(Exception):
    """An image that Pillow could read and we do not: (verdict, reason)."""


def decode_square(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """Return the central square of an image file as uint8 RGB `(size, size, 3)`.

    Raises BrokenImage, which names the file and the reason, for every file that cannot be read.
    """
    with open_image(path) as image:
        return square_of(image, size)


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image whose header is within bounds, and translate every error of the block.

    Raises BrokenImage for whatever goes wrong while the image is opened or used.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata in images it reads well; thousands of files would drown
            # the user in lines. What it cannot read, it raises.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                _require_bounds(image)
                yield image
    except Exception as error:  # damaged files raise nearly any type from inside Pillow
        raise BrokenImage(path, *_reason(path, error)) from error


def square_of(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Return the upright central square of an open image as uint8 RGB `(size, size, 3)`."""
    loaded, orientation = load_upright(image, 2 * size)
    return np.asarray(turn(central_square(loaded, size), orientation))


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


def load_upright(image: Image.Image, least: int) -> tuple[Image.Image, int]:
    """Decode an open image to RGB over white; return it and the EXIF orientation still to apply.

    A JPEG may come at a half, a quarter or an eighth, its sides still at least `least` pixels.
    """
    image.draft(image.mode, (least, least))
    image.load()
    # Read after loading, because Pillow turns a TIFF upright by itself while it loads.
    orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return rgb_over_white(image), orientation


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Apply an EXIF orientation; one that the standard does not know changes nothing."""
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _require_bounds(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _Refused(
            "too large",
            f"{width} x {height} is {width * height / 1e6:.0f} megapixels, "
            f"the most accepted is {MAX_PIXELS // 1_000_000}; scale it down",
        )


def is_transparent(image: Image.Image) -> bool:
    """Return whether an image has an alpha channel or a transparent colour."""
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def rgb_over_white(image: Image.Image) -> Image.Image:
    """Return a loaded image as 8-bit RGB over white."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F", "LAB"):
        raise _Refused(
            "unsupported",
            f"pixels of mode {image.mode!r} have no single 8-bit form; save it as 8 or 16 bits",
        )
    if is_transparent(image):
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _reason(path: Path, error: Exception) -> tuple[str, str]:
    """Return the verdict on a file and the reason: what is wrong with it."""
    if isinstance(error, _Refused):
        return error.args[0], error.args[1]
    if isinstance(error, OSError) and error.strerror:
        return "unreadable", error.strerror
    if path.stat().st_size == 0:
        return "empty", "the file is empty (0 bytes)"
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            start = file.read(12)
        return "not an image", f"not an image of a known format, it starts with {start!r}"
    # The warning is raised where warnings are errors: threads share the filter that ignores it.
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too large", f"over {MAX_PIXELS // 1_000_000} megapixels; scale it down"
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
