"""Draw labelled fruit from a seed: a whole dataset with no download.

`draw` is a pure function from (options, split, index) to a picture, and `nuisances` another to
what is known about it. Within one `VERSION` both return the same in any process, order or batch.
The pictures are drawn: they are no photographs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnbench.fruits.nuisances import Column, Columns, Nuisances, columns_of, measure, slices
from cnnbench.fruits.picture import compose
from cnnbench.fruits.render.noise import stream
from cnnbench.fruits.species import CLASSES

__all__ = [
    "CLASSES",
    "SPLITS",
    "VERSION",
    "Column",
    "Columns",
    "FruitOptions",
    "Nuisances",
    "columns_of",
    "draw",
    "label_of",
    "nuisances",
    "slices",
]

VERSION = 2  # to be raised with every change of a byte that `draw` returns
SPLITS: tuple[str, ...] = ("train", "val", "test")
_MAX_SIZE = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class FruitOptions:
    """Which fruit set to draw.

    Attributes:
        seed: another seed is another set; reports speak of seed 0.
        train: images in the training split.
        val: images in the validation split.
        test: images in the test split.
        size: width and height in pixels.

    Raises:
        ValueError: when a number makes no set.
    """

    seed: int = 0
    train: int = 1178
    val: int = 0
    test: int = 128
    size: int = 256

    def __post_init__(self) -> None:
        for name in ("seed", *SPLITS, "size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"fruits: {name} must be a whole number, got {value!r}")
            if not 0 <= value < 2**63:
                raise ValueError(f"fruits: {name} must be at least 0, got {value}")
        if self.train < len(CLASSES):
            raise ValueError(
                f"fruits: train must be at least {len(CLASSES)}, one image a class, "
                f"got {self.train}"
            )
        if not 32 <= self.size <= _MAX_SIZE:
            raise ValueError(
                f"fruits: size must be between 32 and {_MAX_SIZE} pixels, got {self.size}"
            )

    def count(self, split: str) -> int:
        """Return how many images `split` has."""
        return int(getattr(self, SPLITS[_split_number(split)]))


def _split_number(split: str) -> int:
    if split not in SPLITS:
        raise ValueError(f"fruits: unknown split {split!r}; there are {', '.join(SPLITS)}")
    return SPLITS.index(split)


def label_of(options: FruitOptions, split: str, index: int) -> int:
    """Return the label of an image without drawing it.

    Every twelve images, from a multiple of twelve on, hold each class once, in an order of their
    own: so in any number of images two classes differ by one image at most.
    """
    block, place = divmod(index, len(CLASSES))
    order = stream(options.seed, _split_number(split), block, 0).permutation(len(CLASSES))
    return int(order[place])


def draw(options: FruitOptions, split: str, index: int) -> NDArray[np.uint8]:
    """Draw an image, (size, size, 3), uint8 sRGB.

    Raises:
        ValueError: for an unknown split.
        IndexError: when the split has no such image.
    """
    return compose(*_named(options, split, index), options.size)


def nuisances(options: FruitOptions, split: str, index: int) -> Nuisances:
    """Return what is known of an image, in a fraction of the time it takes to draw it.

    Raises:
        ValueError: for an unknown split.
        IndexError: when the split has no such image.
    """
    return measure(*_named(options, split, index), options.size)


def _named(options: FruitOptions, split: str, index: int) -> tuple[int, tuple[int, int, int]]:
    """Return the label of an image and the numbers that name its random streams."""
    if not 0 <= index < options.count(split):
        raise IndexError(f"fruits: {split} has {options.count(split)} images, not one at {index}")
    return label_of(options, split, index), (options.seed, _split_number(split), index)
