"""How do pixels of any depth and transparency become 8-bit RGB, and what is lost on the way?

- Grey of 16 bits is scaled, never clipped: 0..65535 becomes 0..255. Where the file states a lower
  depth (PNG's sBIT, TIFF's BitsPerSample or MaxSampleValue) and no value is above it, that depth is
  the scale: 0..4095 for 12 bits. PGM states it in its header, and Pillow scales by it.
- Grey of 32 bits and floats have no natural range and are refused by name.
- A palette, an alpha channel or a transparent colour is laid over white; an alpha that is 0
  everywhere above colours carries no picture and is left out.
"""

import struct
from dataclasses import dataclass
from typing import IO, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

FEW_LEVELS = 32  # of 256: 12 bits in a file of 16 leave 17
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_WHITE_IS_ZERO = 0  # TIFF's PhotometricInterpretation
CHUNK = struct.Struct(">I4s")  # how each part of a PNG begins: length and kind
_MAX_SAMPLE_TAGS = (281, 341)  # MaxSampleValue, SMaxSampleValue


class UnsupportedPixels(ValueError):
    """Pixels that Pillow reads and that have no single 8-bit form; the message names the mode."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """What a file states of its samples: bits each holds, and bits that the values use.

    `is_inverted` is true for grey in which 0 is white and that Pillow leaves so.
    """

    bits: int = 8
    used: int = 8
    is_inverted: bool = False


SIXTEEN_BITS = Depth(bits=16, used=16)


def depth_of(image: Image.Image) -> Depth:
    """Return what an open image that is not loaded yet states of its depth."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _depth_of_tiff(image)
    if not (image.mode.startswith("I") or _has_wide_channels(image)):
        return Depth()
    return Depth(bits=16, used=_png_bits(image) if image.format == "PNG" else 16)


def _has_wide_channels(image: Image.Image) -> bool:
    """Return whether the channels that Pillow is to read into 8 bits have more in the file."""
    layouts = [tile[3] for tile in getattr(image, "tile", ())]
    words = [word for each in layouts for word in (each if isinstance(each, tuple) else (each,))]
    if image.format == "PPM":
        return any(isinstance(word, int) and word > 255 for word in words)  # the maximal value
    return any(isinstance(word, str) and ";16" in word for word in words)


def _depth_of_tiff(image: TiffImagePlugin.TiffImageFile) -> Depth:
    tags = image.tag_v2
    bits = max(_numbers(tags.get(TiffImagePlugin.BITSPERSAMPLE)), default=8)
    if not 8 < bits <= 16:
        return Depth()
    tops = [value for tag in _MAX_SAMPLE_TAGS for value in _numbers(tags.get(tag))]
    # Only 2^n - 1 states a depth; anything else is the largest value of this one image.
    stated = [top.bit_length() for top in tops if top > 255 and not top & (top + 1)]
    is_inverted = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO
    return Depth(bits=bits, used=min([bits, *stated]), is_inverted=is_inverted)


def _numbers(value: object) -> list[int]:
    """Return the whole numbers of a TIFF tag, whatever type the file gives it."""
    values = value if isinstance(value, tuple) else (value,)
    return [int(each) for each in values if isinstance(each, int | float) and each == each // 1]


def _png_bits(image: Image.Image) -> int:
    """Return the most significant bits of any channel that a PNG of 16 bits states in its sBIT."""
    file: IO[bytes] | None = getattr(image, "fp", None)
    if file is None:
        return 16
    place = file.tell()
    try:
        file.seek(8)
        while True:
            length, kind = CHUNK.unpack(file.read(8))
            if kind == b"sBIT":
                return max(
                    (bits for bits in file.read(min(length, 4)) if 8 < bits <= 16), default=16
                )
            if kind == b"IDAT":
                return 16
            file.seek(length + 4, 1)
    except struct.error:  # it is cut short, as loading will say
        return 16
    finally:
        file.seek(place)


def is_transparent(image: Image.Image) -> bool:
    """Return whether an image has an alpha channel or a transparent colour."""
    return image.mode in _ALPHA_MODES or "transparency" in image.info


def rgb_over_white(image: Image.Image, depth: Depth = SIXTEEN_BITS) -> Image.Image:
    """Return a loaded image as 8-bit RGB over white; raises UnsupportedPixels."""
    if _is_wide_grey(image):
        return Image.fromarray(_eight_bits(image, depth)).convert("RGB")
    if image.mode in ("I", "F", "LAB"):
        raise UnsupportedPixels(
            f"pixels of mode {image.mode!r} have no single 8-bit form; save it as 8 or 16 bits"
        )
    if is_transparent(image):
        layer = image.convert("RGBA")
        if hides_a_picture(layer):
            return layer.convert("RGB")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _is_wide_grey(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _eight_bits(image: Image.Image, depth: Depth) -> npt.NDArray[np.uint8]:
    grey = np.asarray(image).astype(np.uint32)
    transparent = image.info.get("transparency")
    is_ground = None if transparent is None else grey == transparent
    white = 2**depth.used - 1
    if grey.max(initial=0) > white:  # the file states less than it holds
        white = 65535
    grey *= 255  # in place: large images need memory enough
    grey += white // 2
    grey //= white
    seen = grey.astype(np.uint8)
    if depth.is_inverted:
        seen = 255 - seen
    if is_ground is not None:
        seen[is_ground] = 255
    return seen


def hides_a_picture(layer: Image.Image) -> bool:
    """Return whether the alpha of an RGBA image is 0 everywhere, above more than one colour."""
    *colours, alpha = extrema(layer)
    return alpha == (0, 0) and any(low != high for low, high in colours)


def extrema(image: Image.Image) -> list[tuple[int, int]]:
    """Return the least and greatest value of each channel of an image of several."""
    return [cast(tuple[int, int], band) for band in image.getextrema()]


# -- what is lost ---------------------------------------------------------------------------------


def used_bits(image: Image.Image, rgb: Image.Image, depth: Depth) -> int:
    """Return the bits that the values of a loaded image of over 8 bits use; 0 where none is lost.

    None is for images of 8 bits and where the file states the depth that the values use.
    """
    if depth.bits <= 8:
        return 0
    if _is_wide_grey(image):
        top = int(np.asarray(image).max(initial=0))
        return 0 if depth.used < 16 and top < 2**depth.used else top.bit_length()
    return 8 + _brightest(rgb).bit_length()  # Pillow keeps the upper 8 of 16 bits of colours


def is_emptied(image: Image.Image, rgb: Image.Image, depth: Depth) -> bool:
    """Return whether the conversion of a loaded image left few levels or one of many more."""
    before = 0
    if _is_wide_grey(image):
        before = len(np.unique(np.asarray(image)))
    elif depth.bits > 8 and _brightest(rgb) < FEW_LEVELS:
        before = 256  # Pillow kept the upper 8 bits: that the others held more shows only in this
    if is_transparent(image):
        layer = image.convert("RGBA")
        alpha = layer.getchannel("A")
        seen = alpha.point(lambda opacity: 255 * (opacity > 0))
        before = max(before, _levels(layer, seen), _levels(alpha))
    if before <= 1:
        return False
    after = _levels(rgb)
    return after == 1 or after < FEW_LEVELS <= before


def _brightest(rgb: Image.Image) -> int:
    return max(high for _, high in extrema(rgb))


def _levels(image: Image.Image, mask: Image.Image | None = None) -> int:
    """Return how many different values the richest channel of an 8-bit image has."""
    counts = np.reshape(image.histogram(mask), (-1, 256))
    return int((counts > 0).sum(axis=1).max())
