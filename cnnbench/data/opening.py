"""What does the word after `--dataset` mean: a card, a folder of images, or a mistake?"""

from collections.abc import Mapping
from pathlib import Path

from cnnbench.data.cards import Card, list_cards, load_card
from cnnbench.data.dataset import Dataset
from cnnbench.data.errors import DataError, hint
from cnnbench.data.folder import open_folder


def open_dataset(
    name: str, *, options: Mapping[str, str] | None = None, split_seed: int = 0
) -> Dataset:
    """Resolve a card's name, the path of a card, or a folder; a card's name wins over a folder.

    `options` are a card's typed options as text. `split_seed` decides how a folder without
    `train/` is split; it is not the seed of a training run. Every image file is read once, for
    its fingerprint, and none is decoded. Raises DataError.
    """
    chosen = dict(options or {})
    if name in list_cards() or name.endswith(".toml"):
        return _open_card(load_card(name), chosen, split_seed)
    if not name.strip():
        raise DataError("the dataset's name is empty; `cnnbench datasets` lists all")
    if "/" not in name and not _exists(name):
        load_card(name)  # raises the error that names the nearest card
    if chosen:
        raise DataError(f"folder {name!r} has no options, saw {', '.join(sorted(chosen))}")
    return open_folder(Path(name), split_seed=split_seed)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long for a file name, or with a null character
        return False


def _open_card(card: Card, options: Mapping[str, str], split_seed: int) -> Dataset:
    values = {key: option.default for key, option in card.options.items()}
    for key, text in options.items():
        if key not in card.options:
            known = ", ".join(card.options) or "none"
            raise DataError(
                f"dataset {card.name!r} has no option {key!r}{hint(key, card.options) or ';'} "
                f"its options: {known}"
            )
        try:
            values[key] = card.options[key].parse(text)
        except ValueError as error:
            raise DataError(
                f"option {key!r} of dataset {card.name!r} must be of type "
                f"{card.options[key].type}, saw {text!r}"
            ) from error
    if card.kind == "drawn":
        # Imported here, so that a folder of photos does not load the renderer.
        from cnnbench.data.drawn import open_drawn

        return open_drawn(card, values)
    folder = card.path.parent / card.folder
    return open_folder(folder, split_seed=split_seed, name=card.name, title=card.title)
