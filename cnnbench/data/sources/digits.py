"""How do scikit-learn's handwritten digits become a dataset like any other?

They travel inside scikit-learn: 1,797 grey pictures of 8 x 8 pixels with 17 levels, of 13 writers.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnbench.data.catalog.cards import Card
from cnnbench.data.dataset import Dataset, Split, SplitName, fingerprint_of
from cnnbench.data.errors import DataError
from cnnbench.data.pixels.decode import central_square

_TRAIN = 1437  # the first four fifths in stored order, which keeps most writers on one side


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GreyImages:
    """Grey images held in memory, uint8 `(N, H, W)`."""

    pixels: npt.NDArray[np.uint8]
    releases_gil: bool = True

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Return image `index` as RGB, scaled to `size`."""
        return np.asarray(central_square(Image.fromarray(self.pixels[index]).convert("RGB"), size))


def open_digits(card: Card) -> Dataset:
    """Open the digits; raises DataError when scikit-learn is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            f"dataset {card.name!r} travels with scikit-learn, which is not installed; "
            "type: pip install scikit-learn"
        ) from error
    stored = load_digits()
    pixels = np.round(stored.images * (255 / 16)).astype(np.uint8)
    labels = stored.target.astype(np.int64)
    parts: dict[SplitName, slice] = {"train": slice(_TRAIN), "test": slice(_TRAIN, None)}
    return Dataset(
        name=card.name,
        title=card.title,
        classes=card.classes,
        drawn=False,
        splits={
            name: _split(name, pixels[part], labels[part], part) for name, part in parts.items()
        },
        notices=("the images are 8 x 8 pixels and are enlarged",),
    )


def _split(
    name: SplitName,
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    part: slice,
) -> Split:
    digests = tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in pixels)
    first = part.start or 0
    return Split(
        names=tuple(f"{name}/{first + index:04d}" for index in range(len(labels))),
        labels=labels,
        source=GreyImages(pixels=pixels),
        digests=digests,
        fingerprint=fingerprint_of(["digits", digests, labels.tolist()]),
    )
