"""How are drawn images made at another size without drawing them again?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["scaled"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KeptImages:
    """Square images that were drawn before, uint8 `(N, S, S, 3)`."""

    images: npt.NDArray[np.uint8]
    releases_gil: bool = True

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Return image `index` as if it were drawn now."""
        return scaled(self.images[index], size)


def scaled(drawn: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return a drawn square, uint8 RGB, at `size` pixels a side; as it is where it has that."""
    if drawn.shape[0] == size:
        return drawn
    return np.asarray(Image.fromarray(drawn).resize((size, size), Image.Resampling.BILINEAR))
