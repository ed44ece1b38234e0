"""How are the networks of the zoo listed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import zoo
from cnnbench.listing.printing import print_json, print_table, say


def show_models(*, as_json: bool) -> None:
    """List every network of the zoo."""
    cards = [zoo.card(name) for name in zoo.list_models()]
    if as_json:
        return print_json([asdict(card) for card in cards])
    short = {zoo.resolve(c.family): c.family for c in cards}
    rows = [
        (
            c.name,
            short.get(c.name, "") if short.get(c.name) != c.name else "",
            str(c.year),
            _millions(c.params),
            _billions(c.macs),
            c.summary,
        )
        for c in cards
    ]
    titles = ("model", "in short", "year", "params (M)", "MACs (G)", "what it is")
    print_table(titles, rows, "llrrrl")
    return say(
        "`cnnbench models NAME` shows layers and paper; timm:NAME and torchvision:NAME work too"
    )


def show_model(name: str, *, as_json: bool) -> None:
    """Show one network: its paper, its departures from it, and its layers.

    Raises:
        UnknownModel: if there is no such network.
    """
    card, facts = zoo.card(name), zoo.describe(name)
    if as_json:
        return print_json({"card": asdict(card), "description": asdict(facts)})
    say(f"{card.name}: {card.summary}")
    say(f"{card.authors}: {card.paper} ({card.year}). {card.url}")
    size = f"{card.image_size} pixels"
    say(f"{facts.params:,} parameters, {facts.macs:,} multiply-adds an image of {size}")
    for title, sentences in (("departures from the paper", card.departures), ("notes", card.notes)):
        say(f"{title}: {'none' if not sentences else ''}")
        for sentence in sentences:
            say(f"  - {sentence}")
    rows = [
        (
            row.name,
            row.kind,
            _pair(row.kernel),
            _pair(row.stride),
            str(row.groups or ""),
            "x".join(map(str, row.output_shape)),
            f"{row.params:,}",
            f"{row.macs:,}",
        )
        for row in facts.layers
    ]
    titles = ("layer", "kind", "kernel", "stride", "groups", "output", "params", "MACs")
    return print_table(titles, rows, "llllrrrr")


def _pair(size: Sequence[int] | None) -> str:
    return "" if not size else "x".join(map(str, size))


def _millions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.2f}"


def _billions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e9:.3f}"
