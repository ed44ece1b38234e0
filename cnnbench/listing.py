"""How are models, datasets, plans and outcomes listed on stdout, as tables or as JSON?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import zoo
from cnnbench.data.cards import list_cards, load_card
from cnnbench.schema.cell import Plan


def show_models(*, as_json: bool) -> None:
    """List every network of the zoo."""
    cards = [zoo.card(name) for name in zoo.list_models()]
    if as_json:
        return _print_json([asdict(card) for card in cards])
    rows = [
        (c.name, c.family, str(c.year), _millions(c.params), _billions(c.macs), c.summary)
        for c in cards
    ]
    _print_table(
        ("model", "family", "year", "params (M)", "MACs (G)", "what it is"), rows, "llrrrl"
    )
    return _say(
        "`cnnbench models NAME` shows layers and paper; timm:NAME and torchvision:NAME work too"
    )


def show_model(name: str, *, as_json: bool) -> None:
    """Show one network: its paper, its departures from it, and its layers.

    Raises:
        UnknownModel: if there is no such network.
    """
    card, facts = zoo.card(name), zoo.describe(name)
    if as_json:
        return _print_json({"card": asdict(card), "description": asdict(facts)})
    _say(f"{card.name}: {card.summary}")
    _say(f"{card.authors}: {card.paper} ({card.year}). {card.url}")
    size = f"{card.image_size} pixels"
    _say(f"{facts.params:,} parameters, {facts.macs:,} multiply-adds an image of {size}")
    for title, sentences in (("departures from the paper", card.departures), ("notes", card.notes)):
        _say(f"{title}: {'none' if not sentences else ''}")
        for sentence in sentences:
            _say(f"  - {sentence}")
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
    return _print_table(titles, rows, "llllrrrr")


def show_cards(*, as_json: bool) -> None:
    """List every dataset that has a card."""
    cards = [load_card(name) for name in list_cards()]
    if as_json:
        return _print_json([_plain(card) for card in cards])
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
    _print_table(("dataset", "images", "classes", "splits", "title"), rows, "llrll")
    return _say("`--dataset FOLDER` takes a folder with train/ and val/ or test/, a folder a class")


def show_card(name: str, *, as_json: bool) -> None:
    """Show one dataset's card.

    Raises:
        DataError: if there is no such card.
    """
    card = load_card(name)
    if as_json:
        return _print_json(_plain(card))
    _say(f"{card.name}: {card.title}{' (drawn, not photos)' if card.drawn else ''}")
    for title, text in (
        ("source", card.source),
        ("licence", card.licence),
        ("cite", card.citation),
    ):
        _say(f"{title}: {text}")
    _say(f"splits: {', '.join(f'{split} {count}' for split, count in card.splits.items())}")
    _say(f"{len(card.classes)} classes: {', '.join(card.classes)}")
    for key, option in card.options.items():
        _say(f"--data {key}={option.default}  {option.help}")
    rows = [(r.method, f"{r.top1:.1%}", str(r.n), r.note) for r in card.known_results]
    if rows:
        _print_table(("known result", "top-1", "test images", "note"), rows, "lrrl")
    return None


def show_plan(plan: Plan, folder: Path, *, as_json: bool) -> None:
    """Show what a command would do, without doing it."""
    if as_json:
        return _print_json({"folder": str(folder), "plan": plan.model_dump(mode="json")})
    counts = ", ".join(f"{name} {count}" for name, count in plan.dataset.images.items())
    _say(f"dataset {plan.dataset.name}: {len(plan.dataset.classes)} classes, {counts} images")
    for notice in plan.dataset.notices:
        _say(f"  note: {notice}")
    rows = [
        (
            cell.model,
            str(cell.seed),
            str(cell.budget),
            f"{cell.recipe.name} lr {cell.recipe.lr:g} batch {cell.recipe.batch_size}",
            str(cell.image_size),
            f"{cell.device} {cell.precision}",
        )
        for cell in plan.cells
    ]
    _print_table(("model", "seed", "budget", "recipe", "pixels", "device"), rows, "lrllrl")
    return _say(f"would write {folder}; leave out --dry-run to start")


def show_outcome(folder: Path, *, as_json: bool, was_done: bool) -> int:
    """Show the rows of a run and where its report is; return the exit code."""
    from cnnbench.report.headline import headline
    from cnnbench.report.tables import ranked, rows
    from cnnbench.store import RunFolder

    store = RunFolder(folder)
    found = rows(store)
    failed = [row for row in found if row.status != "done"]
    if as_json:
        content = (folder / "results.json").read_text()
        sys.stdout.write(content)
        return 1 if failed else 0
    if was_done:
        _say("every cell was done already; the report was drawn again (--fresh trains anew)")
    table = [
        (
            row.model,
            str(row.seed),
            row.status,
            "" if row.top1 is None else f"{row.top1:.1%}",
            "" if row.top1_low is None else f"{row.top1_low:.1%} to {row.top1_high:.1%}",
            "" if row.correct is None else f"{row.correct}/{row.test_images}",
            "" if row.images_per_second is None else f"{row.images_per_second:.1f}",
            row.reason,
        )
        for row in ranked(found)
    ]
    titles = ("model", "seed", "status", "top-1", "95 % interval", "right", "images/s", "reason")
    _print_table(titles, table, "lrlrrrrl")
    for sentence in headline(store):
        _say(sentence)
    _say(f"report: {folder / 'report.md'}")
    return 1 if failed else 0


def _plain(card: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(card).items() if key != "path"}


def _pair(size: Sequence[int] | None) -> str:
    return "" if not size else "x".join(map(str, size))


def _millions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.2f}"


def _billions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e9:.3f}"


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")


def _print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> None:
    """Print a table; names are shown as they are, never read as markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, side in zip(titles, align, strict=True):
        table.add_column(title, justify="right" if side == "r" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 160, force_terminal=None if terminal else False).print(
        table
    )


def _say(text: str) -> None:
    print(_printable(text))


def _printable(text: str) -> str:
    """Drop control characters, which could drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
