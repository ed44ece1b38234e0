"""What does the word after `--dataset` mean: a card, a folder of images, or a mistake?"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnbench.base.words import with_hint
from cnnbench.data import DataError
from cnnbench.data.catalog.cards import Card, CardOption, Value, list_cards, load_card
from cnnbench.data.catalog.here import offers, require_fetched
from cnnbench.data.dataset import ChosenImages, Dataset
from cnnbench.data.pixels.decode import MAX_MEGAPIXELS
from cnnbench.data.sources.folder import FolderImages, look_through, open_folder
from cnnbench.data.sources.reading import LISTS, Reading
from cnnbench.data.sources.scan import Tree

__all__ = ["one_spelling", "open_dataset", "reading_of", "require_card", "require_outside"]

TORCHVISION = "torchvision:"
FOLDER_OPTIONS: Mapping[str, CardOption] = {
    "layout": CardOption(
        type="str",
        default="auto",
        choices=("auto", "splits", "classes"),
        help="what the folders are, where their names leave it open",
    ),
    "ignore": CardOption(type="str", default="", help="names to pass over, with commas between"),
    "skip_broken": CardOption(
        type="int", default=0, help="leave out up to this many broken images, for every model"
    ),
    "max_megapixels": CardOption(type="int", default=MAX_MEGAPIXELS, help="refuse larger images"),
    "near_duplicates": CardOption(
        type="str",
        default="group",
        choices=("group", "off"),
        help="keep near duplicates on one side where a folder is split, or do not look for them",
    ),
    **{
        column: CardOption(type="str", default="", help=f"column of a .csv that has the {meaning}")
        for column, meaning in {"file": "file", "label": "class", "split": "split"}.items()
    },
}
"""What every folder of images can be told, with a card or without."""


def open_dataset(name: str, *, options: Mapping[str, str] | None = None) -> Dataset:
    """Open a card's name or path, `torchvision:NAME`, a folder or a list of labels.

    A card's name wins over a folder that is called the same, and a notice says so. `options` are
    typed options as text. Every image file is read once, for its fingerprint. Images are decoded
    only to keep near duplicates on one side of a split or to leave out broken ones; their hashes
    are remembered. Raises DataError.
    """
    card = card_of(name)
    if card is None:
        values = _values(f"folder {name!r}", FOLDER_OPTIONS, options or {})
        return open_folder(Path(name), reading=_reading(values))
    unused = _namesake(name)
    with _added(unused):
        dataset = _open_card(card, options or {})
    return replace(dataset, notices=(unused, *dataset.notices)) if unused else dataset


def _namesake(name: str) -> str:
    """Say that a folder is called like a card and is not used; "" where there is none."""
    if os.sep in name or name.endswith(".toml") or not Path(name).is_dir():
        return ""
    return (
        f"{name!r} is the card of that name; the folder {name}/ that lies here is not used: "
        f"type ./{name} for it"
    )


@contextmanager
def _added(advice: str) -> Iterator[None]:
    """Let an error of the block end with some more advice, where there is any."""
    try:
        yield
    except DataError as error:
        if not advice:
            raise
        raise DataError(f"{error}; {advice}") from error


def card_of(name: str) -> Card | None:
    """Return the card behind a name, or None for a folder or a list; else DataError."""
    if name.startswith(TORCHVISION):
        from cnnbench.data.catalog.torchvision_sets import card_for

        return card_for(name.removeprefix(TORCHVISION))
    if name in list_cards() or name.endswith(".toml"):
        return load_card(name)
    if not name.strip():
        raise DataError("the dataset's name is empty; `cnnbench datasets` lists all")
    if "/" not in name and not _exists(name) and not name.lower().endswith(LISTS):
        return load_card(name)  # raises the error that names the nearest card
    return None


def one_spelling(name: str, options: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a dataset's name and options as they are however its folder was typed.

    `./photos`, `photos/`, its absolute path and a link to it are all `photos`, seen from the folder
    that holds it; a folder elsewhere has its absolute path. `./fruits` stays, where `fruits` is a
    card.
    """
    spelled = {key: _short(text) if key == "folder" else text for key, text in options.items()}
    if name in list_cards() or name.startswith(TORCHVISION):
        return name, spelled
    short = _short(name)
    means_another = short in list_cards() or short.startswith(TORCHVISION)
    return f"./{short}" if means_another else short, spelled


def _short(name: str) -> str:
    if not name.strip() or not _exists(name):
        return name
    path, working = Path(name).resolve(), Path.cwd()
    return str(path.relative_to(working) if path.is_relative_to(working) else path)


def require_card(name: str) -> Card:
    """Return the card behind a name; DataError for a folder, which has none."""
    card = card_of(name)
    if card is None:
        raise DataError(
            f"{name!r} is a folder on this machine and has no card to show or fetch by; "
            f"`cnnbench check {name}` looks at its images"
        )
    return card


def image_files(name: str, *, options: Mapping[str, str] | None = None) -> Tree | None:
    """Return the files that a dataset is made of and those beside them; None if it has no files.

    Raises DataError for a folder that does not exist and a card that is not fetched.
    """
    card = card_of(name)
    if card is None:
        values = _values(f"folder {name!r}", FOLDER_OPTIONS, options or {})
        return look_through(Path(name), _reading(values))
    if card.kind != "folder":
        return None
    with _added(_namesake(name)):
        values = _card_values(card, options or {})
        return look_through(_folder_of(card, values), _reading(values, below=card.below))


def require_outside(dataset: Dataset, folder: Path) -> None:
    """Refuse a run folder that lies around a dataset's own images, or is one of their folders.

    What a run writes there would be taken for images the next time. A run folder of its own
    between the images is known by its `plan.json` and passed over. Raises DataError.
    """
    place = Path(os.path.realpath(folder))  # `resolve` fails at a loop of links before Python 3.13
    for split in dataset.splits.values():
        source: Any = split.source
        while isinstance(source, ChosenImages):
            source = source.source
        if not isinstance(source, FolderImages) or not place.is_relative_to(source.root):
            continue
        below = place.relative_to(source.root).as_posix()
        if below == "." or any(name.startswith(f"{below}/") for name in split.names):
            raise DataError(
                f"--out {str(folder)!r} holds images of the dataset; a report beside them would be "
                "taken for images too: choose a folder of its own"
            )


def reading_of(options: Mapping[str, str]) -> Reading:
    """Return how the options of a dataset let its images be read, whatever card it has."""
    typed = {key: text for key, text in options.items() if key in FOLDER_OPTIONS}
    return _reading(_values("a folder", FOLDER_OPTIONS, typed))


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
    folder, reading = _folder_of(card, values), _reading(values, below=card.below)
    return open_folder(folder, name=card.name, title=card.title, reading=reading)


def _reading(values: Mapping[str, Value], *, below: str = "") -> Reading:
    text: Mapping[str, Any] = {key: values[key] for key in ("layout", "file", "label", "split")}
    return Reading(
        below=below,
        fine=values.get("labels") == "fine",
        skip_broken=_count(values, "skip_broken", least=0),
        max_megapixels=_count(values, "max_megapixels", least=1),
        group_near_duplicates=values["near_duplicates"] == "group",
        ignore=tuple(filter(None, (name.strip() for name in str(values["ignore"]).split(",")))),
        **text,
    )


def _folder_of(card: Card, values: Mapping[str, Value]) -> Path:
    if card.download is not None:
        return require_fetched(card) / card.folder
    named = str(values.get("folder", ""))
    if "folder" in values and not named:
        raise DataError(
            f"dataset {card.name!r} is not downloaded by cnnbench; say where it lies: "
            f"--data folder=PATH{offers()}"
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


def _count(values: Mapping[str, Value], key: str, *, least: int) -> int:
    value = values[key]
    if not isinstance(value, int) or value < least:
        raise DataError(f"{key} must be a whole number from {least} on, saw {value!r}")
    return value
