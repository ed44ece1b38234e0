"""How does a decoded image become small enough to travel inside a report?"""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 80


def thumbnail(image: npt.NDArray[np.uint8], side: int = SIDE) -> bytes:
    """Return a uint8 `(H, W, 3)` image as a JPEG of `side` pixels, 2 to 3 kB."""
    out = io.BytesIO()
    small = Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS)
    small.save(out, format="JPEG", quality=80, optimize=True)
    return out.getvalue()
