"""How do the datasets that other libraries bring become datasets like any other?

Every image goes through the same central square as a photo of a folder.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnbench.base.digests import sha256_of
from cnnbench.data import DataError, FetchError
from cnnbench.data.catalog.cards import Card
from cnnbench.data.catalog.checksums import SUMS
from cnnbench.data.catalog.here import offers
from cnnbench.data.catalog.torchvision_sets import Arguments, splits_of
from cnnbench.data.dataset import Dataset, Split, SplitName, fingerprint_of
from cnnbench.data.pixels.decode import central_square
from cnnbench.data.pixels.rgb import rgb_over_white

# -- scikit-learn's handwritten digits ------------------------------------------------------------
#
# They travel inside scikit-learn: 1,797 grey pictures of 8 x 8 pixels and 17 levels, of 13 writers.

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
            f"type: pip install scikit-learn{offers()}"
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
    name: SplitName, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], part: slice
) -> Split:
    digests = tuple(sha256_of(image.tobytes()) for image in pixels)
    first = part.start or 0
    return Split(
        names=tuple(f"{name}/{first + index:04d}" for index in range(len(labels))),
        labels=labels,
        source=GreyImages(pixels=pixels),
        digests=digests,
        fingerprint=fingerprint_of(["digits", digests, labels.tolist()]),
    )


# -- datasets of torchvision ----------------------------------------------------------------------
#
# torchvision brings the files and checks their md5; `fetch` then writes the sha256 of every file
# beside them, and those decide the fingerprint.


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchvisionImages:
    """Images of one split, as torchvision opens them."""

    dataset: Any
    releases_gil: bool = True

    def image(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Return the central square of image `index`; DataError when it cannot be read."""
        try:
            image, _ = self.dataset[index]
        except Exception as error:  # a damaged file raises nearly any type from inside Pillow
            raise DataError(f"cannot read image {index} of torchvision: {error}") from error
        return np.asarray(central_square(rgb_over_white(image), size))


def fetch_torchvision(loader: str, folder: Path, source: str | None) -> Path:
    """Let torchvision download a dataset into `folder`, or copy the folder `source` there.

    `source` is a `root` that torchvision has filled before. Raises FetchError.
    """
    if source is not None:
        if not Path(source).is_dir():
            raise FetchError(
                f"--from {source!r}: for this dataset a folder is needed that torchvision has "
                "filled before (its `root`)"
            )
        shutil.copytree(source, folder)
    folder.mkdir(parents=True, exist_ok=True)
    for arguments in splits_of(loader).values():
        try:
            _load(loader, folder, arguments, download=source is None)
        except Exception as error:  # torchvision raises RuntimeError, OSError and others
            other = offers() if source is None else ""
            raise FetchError(f"torchvision cannot bring {loader}: {error}{other}") from error
    return folder


def open_torchvision(card: Card, folder: Path) -> Dataset:
    """Open the splits of a fetched dataset; raises DataError for files that do not load."""
    sums = sha256_of(folder / SUMS)
    loaded = {}
    for name, arguments in splits_of(card.loader).items():
        try:
            loaded[name] = _load(card.loader, folder, arguments, download=False)
        except Exception as error:
            raise DataError(
                f"dataset {card.name!r} in {str(folder)!r} does not load: {error}; remove the "
                "folder and fetch it again"
            ) from error
    labels = {name: _labels(dataset) for name, dataset in loaded.items()}
    return Dataset(
        name=card.name,
        title=card.title,
        classes=_classes(loaded["train"], labels["train"]),
        drawn=False,
        splits={
            name: Split(
                names=tuple(f"{name}/{index:06d}" for index in range(len(labels[name]))),
                labels=labels[name],
                source=TorchvisionImages(dataset=dataset),
                digests=_digests(dataset),
                fingerprint=fingerprint_of(["torchvision", card.loader, name, sums]),
            )
            for name, dataset in loaded.items()
        },
        notices=(),
    )


def _load(loader: str, root: Path, arguments: Arguments, *, download: bool) -> Any:
    import torchvision.datasets

    make: Callable[..., Any] = getattr(torchvision.datasets, loader)
    return make(root=str(root), download=download, **arguments)


def _labels(dataset: Any) -> npt.NDArray[np.int64]:
    """Return all labels without decoding an image; torchvision keeps them under four names."""
    for attribute in ("targets", "labels", "_labels"):
        if hasattr(dataset, attribute):
            return np.asarray(getattr(dataset, attribute), dtype=np.int64)
    return np.asarray([label for _, label in dataset._samples], dtype=np.int64)


def _classes(dataset: Any, labels: npt.NDArray[np.int64]) -> tuple[str, ...]:
    named = getattr(dataset, "classes", None)
    if named:
        return tuple(each if isinstance(each, str) else each[0] for each in named)
    return tuple(str(label) for label in range(int(labels.max()) + 1))


def _digests(dataset: Any) -> tuple[str, ...]:
    """Return a sha256 for each image that torchvision keeps as an array, else nothing."""
    data = getattr(dataset, "data", None)
    if data is None:
        return ()
    return tuple(sha256_of(np.ascontiguousarray(each).data) for each in data)
