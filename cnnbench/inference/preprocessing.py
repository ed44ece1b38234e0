"""How does another program make a network's inputs? As facts, and as a few lines of numpy."""

from typing import Any

from cnnbench.data.augment import inner_square
from cnnbench.schema.kept import KeptNetwork

__all__ = ["MEAN_FILE", "box_of", "preprocessing", "python_code"]

MEAN_FILE = "mean.npy"  # where a whole image is subtracted

_CODE = """\
import numpy as np
from PIL import Image, ImageOps


def prepare(path):
    image = Image.open(path)
    image.draft(image.mode, ({twice}, {twice}))  # a JPEG may come smaller, which is faster
    image = ImageOps.exif_transpose(image).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = (left, top, left + side, top + side)
    image = image.resize(({stored}, {stored}), Image.Resampling.BILINEAR, square, reducing_gap=3.0)
    image = {cut}
    pixels = np.asarray(image, dtype=np.float32) / 255
    pixels = (pixels - {mean}) / np.float32({std})
    return pixels.transpose(2, 0, 1)[None].astype(np.float32)  # (1, 3, {size}, {size})
"""


def box_of(kept: KeptNetwork) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is cut from the stored square, in pixels."""
    top, left, height, width = inner_square(kept.stored_size)
    if height <= kept.image_size + 1:  # as `evaluation_batches`: cut, not scaled
        top = left = (kept.stored_size - kept.image_size) // 2
        height = width = kept.image_size
    return left, top, left + width, top + height


def preprocessing(kept: KeptNetwork) -> dict[str, Any]:
    """Return as JSON what turns an image file into an input, in the order of the steps."""
    return {
        "version": 1,
        "orientation": "as EXIF says",
        "colours": "RGB, without colour profiles; transparent parts over white",
        "square": "the central one, as large as the shorter side",
        "stored_size": kept.stored_size,
        "box": box_of(kept),
        "image_size": kept.image_size,
        "resampling": "bilinear with antialiasing, rounded to bytes each time",
        "scale": 1 / 255,
        "mean": kept.mean or MEAN_FILE,
        "std": kept.std,
        "layout": "NCHW, float32",
    }


def python_code(kept: KeptNetwork) -> str:
    """Return a function of numpy and Pillow that makes an input, within two levels of 255."""
    box, size = box_of(kept), kept.image_size
    part = f"image.crop({box})"
    scaled = f"{part}.resize(({size}, {size}), Image.Resampling.BILINEAR)"
    return _CODE.format(
        twice=2 * kept.stored_size,
        stored=kept.stored_size,
        cut=part if box[2] - box[0] == size else scaled,
        mean=f"np.float32({kept.mean})" if kept.mean else f'np.load("{MEAN_FILE}")',
        std=kept.std,
        size=size,
    )
