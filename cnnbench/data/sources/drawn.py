"""How does the fruit renderer become a dataset like any other?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import cnnbench.fruits as fruits
from cnnbench.base.files import write_text
from cnnbench.base.processes import spawned_pool, usable_cores
from cnnbench.data import DataError
from cnnbench.data.catalog.cards import Card
from cnnbench.data.dataset import (
    SPLIT_NAMES,
    ChosenImages,
    Dataset,
    ImageSource,
    Split,
    SplitName,
    fingerprint_of,
)
from cnnbench.data.pixels.cache import ADVICE, cache_folder
from cnnbench.data.pixels.kept import scaled

__all__ = ["nuisance_columns"]

_TABLE_VERSION = 1
_ROWS_A_TASK = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnImages:
    """Images of one split that are drawn when asked for."""

    options: fruits.FruitOptions
    split: SplitName
    releases_gil: bool = False

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Draw image `index` at the size of the options, then scale it when another is wanted."""
        return scaled(fruits.draw(self.options, self.split, index), size)


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
        drawn_size=options.size,
    )


def nuisance_columns(split: Split, *, folder: Path | None = None) -> fruits.Columns:
    """Return what is known of the images of a drawn split, one column a nuisance.

    Measured once with every core, without drawing, then read from `nuisances/` in the cache
    (`folder` replaces the cache's own). `fruits.slices` makes named groups of images out of it.

    Raises TypeError when the images of the split are not drawn, StoreError when the cache cannot
    be written.
    """
    path = (folder or cache_folder()) / "nuisances" / f"{split.fingerprint}.json"
    stored = _read_columns(path, len(split))
    if stored is not None:
        return stored
    columns = fruits.columns_of(_measured(*_origin(split.source, tuple(range(len(split))))))
    text = json.dumps({"version": _TABLE_VERSION, "columns": columns})
    write_text(path, text, advice=ADVICE)
    return columns


def _read_columns(path: Path, count: int) -> fruits.Columns | None:
    """Return a stored table of `count` images, None when there is none that is whole."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        columns = {name: tuple(values) for name, values in stored["columns"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    whole = stored.get("version") == _TABLE_VERSION and columns
    return columns if whole and all(len(v) == count for v in columns.values()) else None


def _origin(source: ImageSource, indices: tuple[int, ...]) -> tuple[DrawnImages, tuple[int, ...]]:
    """Return what draws the images, and the numbers there of the images at `indices`."""
    if isinstance(source, ChosenImages):
        return _origin(source.source, tuple(source.indices[i] for i in indices))
    if not isinstance(source, DrawnImages):
        raise TypeError(f"only drawn images have known nuisances, saw {type(source).__name__}")
    return source, indices


def _measured(source: DrawnImages, indices: tuple[int, ...]) -> list[fruits.Nuisances]:
    """Return the nuisances of the images at `indices`, in that order."""
    measure = partial(fruits.nuisances, source.options, source.split)
    workers = min(usable_cores(), len(indices) // _ROWS_A_TASK)
    if workers < 2:
        return [measure(index) for index in indices]
    with spawned_pool(workers) as pool:
        return list(pool.map(measure, indices, chunksize=_ROWS_A_TASK))
