"""How does the fruit renderer become a dataset like any other?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnbench.data import fruits
from cnnbench.data.cards import Card
from cnnbench.data.dataset import SPLIT_NAMES, Dataset, Split, SplitName, fingerprint_of
from cnnbench.data.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnImages:
    """Images of one split that are drawn when asked for."""

    options: fruits.FruitOptions
    split: SplitName
    releases_gil: bool = False

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Draw image `index` at the size of the options, then scale it when another is wanted."""
        drawn = fruits.draw(self.options, self.split, index)
        if drawn.shape[0] == size:
            return drawn
        scaled = Image.fromarray(drawn).resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(scaled)


def open_drawn(card: Card, values: Mapping[str, Any]) -> Dataset:
    """Open the drawn fruit set with the options of a card; no image is drawn yet.

    Raises DataError for options that the renderer refuses.
    """
    try:
        options = fruits.FruitOptions(**values)
    except (TypeError, ValueError) as error:
        raise DataError(f"dataset {card.name!r} cannot be drawn: {error}") from error
    counts: dict[SplitName, int] = {name: getattr(options, name) for name in SPLIT_NAMES}
    for needed in ("train", "test"):
        if not counts[needed]:
            raise DataError(f"dataset {card.name!r} needs at least one {needed} image, saw 0")
    return Dataset(
        name=card.name,
        title=card.title,
        classes=fruits.CLASSES,
        drawn=True,
        splits={name: _split(options, name, count) for name, count in counts.items() if count},
        notices=("the images are drawn by a program, they are not photos",),
    )


def _split(options: fruits.FruitOptions, name: SplitName, count: int) -> Split:
    # The counts of other splits are left out: asking for more test images redraws no training.
    decisive = ["drawn", fruits.VERSION, options.seed, options.size, name, count]
    labels = [fruits.label_of(options, name, index) for index in range(count)]
    return Split(
        names=tuple(f"{name}/{index:06d}" for index in range(count)),
        labels=np.array(labels, dtype=np.int64),
        source=DrawnImages(options=options, split=name),
        digests=(),
        fingerprint=fingerprint_of(decisive),
    )
