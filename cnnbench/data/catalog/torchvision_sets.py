"""Which datasets of torchvision are known, and by which card where none is shipped?"""

from collections.abc import Mapping
from pathlib import Path

from cnnbench.base.words import with_hint
from cnnbench.data import DataError
from cnnbench.data.catalog.cards import Card
from cnnbench.data.dataset import SplitName

__all__ = ["SETS", "Arguments", "card_for", "splits_of"]

Arguments = Mapping[str, object]

_BY_TRAIN: Mapping[SplitName, Arguments] = {"train": {"train": True}, "test": {"train": False}}
_TWO: Mapping[SplitName, Arguments] = {"train": {"split": "train"}, "test": {"split": "test"}}
_THREE: Mapping[SplitName, Arguments] = {
    "train": {"split": "train"},
    "val": {"split": "val"},
    "test": {"split": "test"},
}
SETS: Mapping[str, Mapping[SplitName, Arguments]] = {
    "CIFAR10": _BY_TRAIN,
    "CIFAR100": _BY_TRAIN,
    "Country211": {**_TWO, "val": {"split": "valid"}},
    "DTD": _THREE,
    "FGVCAircraft": _THREE,
    "FashionMNIST": _BY_TRAIN,
    "Flowers102": _THREE,
    "Food101": _TWO,
    "GTSRB": _TWO,
    "Imagenette": {
        "train": {"split": "train", "size": "320px"},
        "val": {"split": "val", "size": "320px"},
    },
    "KMNIST": _BY_TRAIN,
    "MNIST": _BY_TRAIN,
    "OxfordIIITPet": {"train": {"split": "trainval"}, "test": {"split": "test"}},
    "RenderedSST2": _THREE,
    "STL10": _TWO,
    "SVHN": _TWO,
    "USPS": _BY_TRAIN,
}
"""The class of torchvision and what each of its splits is called there."""


def card_for(loader: str) -> Card:
    """Return a card for a dataset of torchvision that ships none; DataError if it is unknown."""
    splits_of(loader)
    return Card(
        version=1,
        name=f"torchvision-{loader}",
        title=f"{loader} of torchvision",
        kind="torchvision",
        source=f"torchvision.datasets.{loader}",
        licence="see torchvision's page of the dataset",
        loader=loader,
        path=Path(f"torchvision:{loader}"),
    )


def splits_of(loader: str) -> Mapping[SplitName, Arguments]:
    """Return what each split of a dataset is called in torchvision; DataError if it is unknown."""
    if loader not in SETS:
        mistake = f"torchvision dataset {loader!r} is not known"
        raise DataError(with_hint(mistake, loader, SETS, f"one of {', '.join(sorted(SETS))}"))
    return SETS[loader]
