"""Which datasets can be used on this machine as it is, and what is said of one that is not here?"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_data_path

from cnnbench.base.files import StoreError, user_folder
from cnnbench.data import DataError
from cnnbench.data.catalog.cards import Card, list_cards, load_card
from cnnbench.data.catalog.torchvision_sets import SETS, card_for
from cnnbench.data.dataset import fingerprint_of

__all__ = ["fetched_folder"]

_QUICK = "--models lenet5,lenet5-relu --budget 15s"
_MOST_SHOWN = 6


def data_folder() -> Path:
    """Return where fetched datasets are kept: `$CNNBENCH_DATA`, or the platform's place."""
    return user_folder("CNNBENCH_DATA", user_data_path)


def fetched_folder(card: Card) -> Path:
    """Return where a card's files lie once fetched; another version of the files lies elsewhere."""
    facts = card.download
    identity = [facts.files_sha256 or facts.sha256] if facts else [card.loader]
    return data_folder() / f"{card.name}-{fingerprint_of([card.name, *identity])[:10]}"


def require_fetched(card: Card) -> Path:
    """Return the folder of a card's files; DataError that says what to type when there is none."""
    folder = fetched_folder(card)
    if folder.is_dir():
        return folder
    size = card.download.archive_bytes if card.download else 0
    raise DataError(
        f"dataset {card.name!r} is not on this machine yet; type: cnnbench fetch {_word(card)}"
        + (f" (about {size / 1e6:.0f} MB)" if size else "")
        + offers()
    )


def offers() -> str:
    """Return some lines that name what is here, to stand below an error; they need no network.

    The set of the fewest pixels comes first. The digits, which scikit-learn brings, are named with
    the command that installs it where it is not installed.
    """
    here = sorted(_here(), key=lambda card: (_pixels(card), card.name))
    names = [_word(card) for card in here]
    width = max(map(len, names))
    lines = [f"  {name:<{width}}  {card.title}" for name, card in zip(names, here, strict=True)]
    if len(lines) > _MOST_SHOWN:
        lines[_MOST_SHOWN:] = [f"  and {len(lines) - _MOST_SHOWN} more that were fetched before"]
    if not _has_scikit_learn():
        lines.append("handwritten digits need: pip install scikit-learn")
    quick = f"a quick first run: cnnbench run --dataset {names[0]} {_QUICK}"
    return "\n".join(["", "without a network there are:", *lines, quick])


def _here() -> Iterator[Card]:
    """Yield the cards whose images are on this machine, or are drawn on it."""
    for card in (*map(load_card, list_cards()), *map(card_for, SETS)):
        if card.kind == "scikit-learn":
            is_here = _has_scikit_learn()
        elif card.download or card.kind == "torchvision":
            is_here = _is_fetched(card)
        else:
            is_here = card.kind == "drawn"
        if is_here:
            yield card


def _is_fetched(card: Card) -> bool:
    try:
        return fetched_folder(card).is_dir()
    except StoreError:  # a user who can keep no files has fetched none
        return False


def _has_scikit_learn() -> bool:
    return find_spec("sklearn") is not None  # found, not imported


def _pixels(card: Card) -> float:
    """Return how many pixels a set has; no card that leaves it open comes before one that says."""
    return sum(card.splits.values()) * card.image.size**2 or float("inf")


def _word(card: Card) -> str:
    """Return what is typed for a card after `--dataset` and after `fetch`."""
    return card.name if card.name in list_cards() else str(card.path)
