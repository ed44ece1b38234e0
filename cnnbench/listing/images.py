"""How are datasets listed?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cnnbench.data.cards import list_cards, load_card
from cnnbench.listing.printing import print_json, print_table, say


def show_cards(*, as_json: bool) -> None:
    """List every dataset that has a card."""
    cards = [load_card(name) for name in list_cards()]
    if as_json:
        return print_json([_plain(card) for card in cards])
    rows = [
        (
            c.name,
            "drawn" if c.drawn else "photos",
            str(len(c.classes)),
            ", ".join(f"{split} {count}" for split, count in c.splits.items()),
            c.title,
        )
        for c in cards
    ]
    print_table(("dataset", "images", "classes", "splits", "title"), rows, "llrll")
    return say("`--dataset FOLDER` takes a folder with train/ and val/ or test/, a folder a class")


def show_card(name: str, *, as_json: bool) -> None:
    """Show one dataset's card.

    Raises:
        DataError: if there is no such card.
    """
    card = load_card(name)
    if as_json:
        return print_json(_plain(card))
    say(f"{card.name}: {card.title}{' (drawn, not photos)' if card.drawn else ''}")
    for title, text in (
        ("source", card.source),
        ("licence", card.licence),
        ("cite", card.citation),
    ):
        say(f"{title}: {text}")
    say(f"splits: {', '.join(f'{split} {count}' for split, count in card.splits.items())}")
    say(f"{len(card.classes)} classes: {', '.join(card.classes)}")
    for key, option in card.options.items():
        say(f"--data {key}={option.default}  {option.help}")
    rows = [(r.method, f"{r.top1:.1%}", str(r.n), r.note) for r in card.known_results]
    if rows:
        print_table(("known result", "top-1", "test images", "note"), rows, "lrrl")
    return None


def _plain(card: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(card).items() if key != "path"}
