"""What does the word after `--dataset` mean: a card, a folder of images, or a mistake?"""

from collections.abc import Mapping
from pathlib import Path

from cnnbench.base.words import with_hint
from cnnbench.data import DataError
from cnnbench.data.catalog.cards import Card, CardOption, Value, list_cards, load_card
from cnnbench.data.catalog.fetch import require_fetched
from cnnbench.data.dataset import Dataset
from cnnbench.data.sources.folder import Reading, open_folder

__all__ = ["open_dataset", "require_card"]

TORCHVISION = "torchvision:"
FOLDER_OPTIONS: Mapping[str, CardOption] = {
    "skip_broken": CardOption(
        type="int", default=0, help="leave out up to this many broken images, for every model"
    )
}
"""What every folder of images can be told, with a card or without."""


def open_dataset(name: str, *, options: Mapping[str, str] | None = None) -> Dataset:
    """Open a card's name, a card's path, `torchvision:NAME` or a folder; cards win over folders.

    `options` are a card's typed options as text. Every image file is read once, for its
    fingerprint. Images are decoded only to keep near duplicates on one side of a split or to
    leave out broken ones; their hashes are remembered. Raises DataError.
    """
    card = card_of(name)
    if card is None:
        values = _values(f"folder {name!r}", FOLDER_OPTIONS, options or {})
        reading = Reading(skip_broken=_count(values["skip_broken"]))
        return open_folder(Path(name), reading=reading)
    return _open_card(card, options or {})


def card_of(name: str) -> Card | None:
    """Return the card behind a name, or None for a folder that exists; else DataError."""
    if name.startswith(TORCHVISION):
        from cnnbench.data.sources.libraries import card_for

        return card_for(name.removeprefix(TORCHVISION))
    if name in list_cards() or name.endswith(".toml"):
        return load_card(name)
    if not name.strip():
        raise DataError("the dataset's name is empty; `cnnbench datasets` lists all")
    if "/" not in name and not _exists(name):
        return load_card(name)  # raises the error that names the nearest card
    return None


def require_card(name: str) -> Card:
    """Return the card behind a name; DataError for a folder, which has none."""
    card = card_of(name)
    if card is None:
        raise DataError(
            f"{name!r} is a folder on this machine and has no card to show or fetch by; "
            f"`cnnbench check {name}` looks at its images"
        )
    return card


def image_folder(name: str, *, options: Mapping[str, str] | None = None) -> Path | None:
    """Return the folder whose files a dataset is made of; None when it is not made of files.

    Raises DataError for a folder that does not exist and a card that is not fetched.
    """
    card = card_of(name)
    if card is None:
        folder = Path(name)
    elif card.kind == "folder":
        folder = _folder_of(card, _card_values(card, options or {}))
    else:
        return None
    if not folder.is_dir():
        raise DataError(f"no such folder: {str(folder)!r}")
    return folder.resolve()


def broken_allowed(options: Mapping[str, str]) -> int:
    """Return how many broken images the options of a dataset let be left out; 0 is none."""
    typed = {key: text for key, text in options.items() if key in FOLDER_OPTIONS}
    return _count(_values("a folder", FOLDER_OPTIONS, typed)["skip_broken"])


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a file name, or with a null character
        return False


def _open_card(card: Card, options: Mapping[str, str]) -> Dataset:
    values = _card_values(card, options)
    if card.kind == "drawn":
        # Imported here, so that a folder of photos does not load the renderer.
        from cnnbench.data.sources.drawn import open_drawn

        return open_drawn(card, values)
    if card.kind == "scikit-learn":
        from cnnbench.data.sources.libraries import open_digits

        return open_digits(card)
    if card.kind == "torchvision":
        from cnnbench.data.sources.libraries import open_torchvision

        return open_torchvision(card, require_fetched(card))
    reading = Reading(
        below=card.below,
        fine=values.get("labels") == "fine",
        skip_broken=_count(values["skip_broken"]),
    )
    folder = _folder_of(card, values)
    return open_folder(folder, name=card.name, title=card.title, reading=reading)


def _folder_of(card: Card, values: Mapping[str, Value]) -> Path:
    if card.download is not None:
        return require_fetched(card) / card.folder
    named = str(values.get("folder", ""))
    if "folder" in values and not named:
        raise DataError(
            f"dataset {card.name!r} is not downloaded by cnnbench; say where it lies: "
            "--data folder=PATH"
        )
    return Path(named) if named else card.path.parent / card.folder


def _card_values(card: Card, options: Mapping[str, str]) -> dict[str, Value]:
    offered = {**card.options, **(FOLDER_OPTIONS if card.kind == "folder" else {})}
    return _values(f"dataset {card.name!r}", offered, options)


def _values(
    owner: str, offered: Mapping[str, CardOption], options: Mapping[str, str]
) -> dict[str, Value]:
    """Return every option's value: what was typed, or its default."""
    values = {key: option.default for key, option in offered.items()}
    for key, text in options.items():
        if key not in offered:
            known = f"its options: {', '.join(offered) or 'none'}"
            raise DataError(with_hint(f"{owner} has no option {key!r}", key, offered, known))
        try:
            values[key] = offered[key].parse(text)
        except ValueError as error:
            wanted = " or ".join(offered[key].choices) or f"of type {offered[key].type}"
            raise DataError(f"option {key!r} of {owner} must be {wanted}, saw {text!r}") from error
    return values


def _count(value: Value) -> int:
    if not isinstance(value, int) or value < 0:
        raise DataError(f"skip_broken must be a whole number from 0 on, saw {value!r}")
    return value
