"""What does each network see? Its first filters, its guesses, what it finds alike, its errors."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.sections import RunReport, Section
from cnnbench.report.text.escape import visible
from cnnbench.report.text.wording import percent
from cnnbench.store import RunFolder
from cnnbench.store.gallery import CellGallery

MOST_NETWORKS = 5  # the page stays small enough to be mailed
_FILTER_SHEET = 640  # pixels, about the width of the sheet of first filters
_GAP = 1  # pixel between two filters
_TOWER_GAP = 4  # pixels between two towers

Pixels = npt.NDArray[np.uint8]


def section(report: RunReport) -> Section | None:
    """Show the pictures that the cells kept; only the HTML page has them."""
    gallery = gallery_of(report.run, report.comparison)
    if gallery is None:
        return None
    return Section(
        title="What each network sees",
        anchor="gallery",
        menu="What each network sees",
        blocks=[],
        template="gallery.html.jinja",
        content=gallery,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """One class that a network thought of, with its probability in per cent."""

    label: str
    chance: str
    correct: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Thumbnail:
    """One small image: a `data:` address, its class, and what a network thought of it."""

    source: str
    label: str
    guesses: tuple[Guess, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPictures:
    """All pictures of one entry; `near` has rows of a test image and its neighbours."""

    label: str
    seed: int
    filters: str | None
    filters_words: str
    shown: tuple[Thumbnail, ...]
    near: tuple[tuple[Thumbnail, ...], ...]
    searched: int
    mistakes: tuple[Thumbnail, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gallery:
    """The pictures of a report, best network first, and the entries that have none."""

    networks: tuple[NetworkPictures, ...]
    without: tuple[str, ...]
    left_out: int


def gallery_of(run: RunFolder, comparison: Comparison) -> Gallery | None:
    """Gather the pictures of every finished entry's first seed; None if no cell kept any."""
    plan = run.plan()
    cells = {cell.id: cell for cell in plan.cells}
    classes = tuple(map(visible, plan.dataset.classes))
    kept, without = [], []
    for entry in comparison.entries:
        seed, answers = min(entry.answers.items())
        pictures = run.cell(cells[answers.row.cell]).gallery()
        if pictures and _highest_label(pictures) < len(classes):
            kept.append((entry.label, seed, pictures))
        else:
            without.append(entry.label)
    if not kept:
        return None
    return Gallery(
        networks=tuple(_network_pictures(*each, classes) for each in kept[:MOST_NETWORKS]),
        without=tuple(without),
        left_out=max(0, len(kept) - MOST_NETWORKS),
    )


def _highest_label(kept: CellGallery) -> int:
    return int(max(kept.truth.max(initial=0), kept.guesses.max(initial=0)))


def _network_pictures(
    label: str, seed: int, kept: CellGallery, classes: Sequence[str]
) -> NetworkPictures:
    def thumbnail(place: int, *, guessed: bool = True) -> Thumbnail:
        source = "data:image/jpeg;base64," + base64.b64encode(kept.jpegs[place]).decode()
        guesses = _guesses(kept, place, classes) if guessed else ()
        return Thumbnail(source=source, label=classes[kept.truth[place]], guesses=guesses)

    count, height, width = kept.filters.shape[:3]
    words = f"The {count} first-layer filters, {height} x {width} pixels each"
    half = f", {count // 2} in each of the two towers" if kept.towers == 2 else ""
    return NetworkPictures(
        label=label,
        seed=seed,
        filters=_png(filter_sheet(kept.filters, towers=kept.towers)) if count else None,
        filters_words=words + half,
        shown=tuple(map(thumbnail, kept.shown)),
        near=tuple(
            tuple(thumbnail(place, guessed=False) for place in (test, *neighbours))
            for test, neighbours in zip(kept.shown, kept.near, strict=False)
        ),
        searched=kept.searched,
        mistakes=tuple(map(thumbnail, kept.mistakes)),
    )


def _guesses(kept: CellGallery, place: int, classes: Sequence[str]) -> tuple[Guess, ...]:
    """Return what a network thought of a test image; its training images were not asked for."""
    thoughts = zip(kept.guesses[place], kept.chances[place].tolist(), strict=True)
    return tuple(
        Guess(label=classes[k], chance=percent(p, digits=0), correct=bool(k == kept.truth[place]))
        for k, p in thoughts
    )


def filter_sheet(filters: Pixels, *, towers: int) -> Pixels:
    """Lay `(F, h, w, 3)` filters out as an RGBA sheet, sixteen in a row, a gap between towers."""
    parts = [_grid(half) for half in np.array_split(filters, towers)]
    gap = np.zeros((_TOWER_GAP, parts[0].shape[1], 4), dtype=np.uint8)
    sheet = np.concatenate([piece for part in parts for piece in (part, gap)][:-1])
    scale = max(1, _FILTER_SHEET // sheet.shape[1])
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


def _grid(filters: Pixels) -> Pixels:
    count, height, width = filters.shape[:3]
    columns = min(16, count)
    rows = -(-count // columns)
    sheet = np.zeros((rows * (height + _GAP), columns * (width + _GAP), 4), dtype=np.uint8)
    for index, pixels in enumerate(filters):
        top, left = (index // columns) * (height + _GAP), (index % columns) * (width + _GAP)
        sheet[top : top + height, left : left + width, :3] = pixels
        sheet[top : top + height, left : left + width, 3] = 255
    return sheet


def _png(sheet: Pixels) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(sheet).save(out, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
