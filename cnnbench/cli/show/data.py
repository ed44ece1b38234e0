"""How are datasets listed, and what `check` and `fetch` did told?"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cnnbench.base.files import StoreError
from cnnbench.cli.show.console import counts, print_json, print_table, say
from cnnbench.data.catalog.cards import Card, list_cards, load_card
from cnnbench.data.catalog.here import fetched_folder
from cnnbench.data.open import require_card
from cnnbench.data.pixels.cache import Cleaned
from cnnbench.data.quick_check import Finding
from cnnbench.data.thorough_check import Diagnosis
from cnnbench.report.text.wording import plural

_FINDINGS_SHOWN = 100


def show_cards(*, as_json: bool) -> None:
    """List every dataset that has a card."""
    cards = [load_card(name) for name in list_cards()]
    if as_json:
        return print_json([card.as_json() for card in cards])
    rows = [
        (
            card.name,
            "drawn" if card.drawn else "photos",
            str(len(card.classes) or "?"),
            counts(card.splits),
            card.title,
        )
        for card in cards
    ]
    print_table(("dataset", "images", "classes", "splits", "title"), rows, "llrll")
    say("`--dataset FOLDER` takes a folder with train/ and val/ or test/, a folder a class;")
    return say("`--dataset FOLDER/labels.csv` takes a list of files and their classes")


def show_card(name: str, *, as_json: bool) -> None:
    """Show one dataset's card.

    Raises:
        DataError: if there is no such card.
    """
    card = require_card(name)
    if as_json:
        return print_json(card.as_json())
    say(f"{card.name}: {card.title}{' (drawn, not photos)' if card.drawn else ''}")
    for title, text in _facts(card):
        if text:
            say(f"{title}: {text}")
    for key, option in card.options.items():
        say(f"--data {key}={option.default}  {option.help}")
    rows = [(r.method, f"{r.top1:.1%}", str(r.n), r.note) for r in card.known_results]
    if rows:
        print_table(("known result", "top-1", "test images", "note"), rows, "lrrl")
    return None


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    """Yield what a card states, as (title, text); the text is empty where it states nothing."""
    yield "source", card.source
    yield "licence", card.licence
    yield "cite", card.citation
    yield "splits", counts(card.splits)
    yield f"{len(card.classes)} classes", ", ".join(card.classes)
    yield "stored size", f"{card.image.size} pixels" if card.image.size else ""
    for title, values in (("channel mean", card.image.mean), ("channel deviation", card.image.std)):
        yield title, " ".join(f"{value:.4f}" for value in values)
    if card.download:
        yield "archive sha256", " or ".join(card.download.sha256)
        yield "sha256 of the list of files", card.download.files_sha256
    if card.download or card.kind == "torchvision":
        yield "on this machine", _place_of(card)


def _place_of(card: Card) -> str:
    try:
        folder = fetched_folder(card)
    except StoreError as error:  # a card can be read by a user who can keep no files
        return f"no; {error}"
    return str(folder) if folder.is_dir() else "no; `cnnbench fetch` brings it"


def show_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """Show what `check` found: errors first, each with the images it is about."""
    if as_json:
        return print_json({"version": 1, "usable": diagnosis.usable, **asdict(diagnosis)})
    say(f"{diagnosis.dataset}: {counts(diagnosis.images) or 'no dataset can be made of it'}")
    shown, more = diagnosis.findings[:_FINDINGS_SHOWN], diagnosis.findings[_FINDINGS_SHOWN:]
    if shown:
        rows = [(finding.severity, finding.verdict, _what(finding)) for finding in shown]
        print_table(("", "verdict", "what"), rows, "lll")
    if more:
        say(f"and {len(more)} more; --json has all")
    number = Counter(finding.severity for finding in diagnosis.findings)
    return say(
        f"{', '.join(plural(number[kind], kind) for kind in ('error', 'warning', 'note'))}; "
        + ("it can be trained on" if diagnosis.usable else "mend the errors before training")
    )


def _what(finding: Finding) -> str:
    """Put the image's name in front where a finding is about a single image and leaves it out."""
    is_unnamed = len(finding.names) == 1 and finding.names[0] not in finding.detail
    return f"{finding.names[0]}: {finding.detail}" if is_unnamed else finding.detail


def show_cleaned(cleaned: Cleaned, *, as_json: bool) -> None:
    """Say what was removed from the cache."""
    if as_json:
        return print_json({"version": 1, **asdict(cleaned)})
    kept = f"; {cleaned.busy} are being written and stay" if cleaned.busy else ""
    return say(
        f"removed {cleaned.removed} files, {cleaned.removed_bytes / 1e6:.1f} MB, of decoded images "
        f"from {cleaned.folder}{kept}; fetched datasets are kept"
    )


def show_fetched(card: Card, folder: Path, *, as_json: bool) -> None:
    """Say where a fetched dataset lies and what to type next."""
    if as_json:
        return print_json({"version": 1, "dataset": card.name, "folder": str(folder)})
    say(f"{card.name} is verified and lies in {folder}")
    say(f"its licence: {card.licence}")
    return say(f"next: cnnbench check {card.name}")
