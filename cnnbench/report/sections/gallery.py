"""What does each network see? Its first filters, its guesses, what it finds alike, its errors."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnbench.report.text.escape import visible
from cnnbench.report.text.wording import percent

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.store import RunFolder
    from cnnbench.store.gallery import CellGallery

MOST_NETWORKS = 5  # the page stays small enough to be mailed
_FILTER_SHEET = 640  # pixels, about the width of the sheet of first filters
_GAP = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """One class that a network thought of, with its probability in per cent."""

    label: str
    chance: str
    right: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """One small image: a `data:` address, the words for it, and what was thought of it."""

    source: str
    truth: str
    guesses: tuple[Guess, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """All pictures of one contender; `near` has rows of a test image and its neighbours."""

    label: str
    seed: int
    filters: str | None
    filters_words: str
    shown: tuple[Tile, ...]
    near: tuple[tuple[Tile, ...], ...]
    searched: int
    mistakes: tuple[Tile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exhibition:
    """The rooms of a report, best network first, and the contenders that have no pictures."""

    rooms: tuple[Room, ...]
    without: tuple[str, ...]
    left_out: int


def exhibition(run: RunFolder, comparison: Comparison) -> Exhibition | None:
    """Gather the pictures of every finished contender's first seed; None if no cell kept any."""
    plan = run.plan()
    cells = {cell.id: cell for cell in plan.cells}
    names = tuple(map(visible, plan.dataset.classes))
    rooms, without = [], []
    for entry in comparison.entries:
        seed, answers = min(entry.answers.items())
        kept = run.cell(cells[answers.row.cell]).gallery()
        if kept is None or max(kept.truth.max(initial=0), kept.guesses.max(initial=0)) >= len(
            names
        ):
            without.append(entry.label)
        else:
            rooms.append((entry.label, seed, kept))
    if not rooms:
        return None
    return Exhibition(
        rooms=tuple(_room(*room, names) for room in rooms[:MOST_NETWORKS]),
        without=tuple(without),
        left_out=max(0, len(rooms) - MOST_NETWORKS),
    )


def _fits(kept: CellGallery, classes: int) -> bool:
    return all(int(labels.max(initial=0)) < classes for labels in (kept.truth, kept.guesses))


def _room(label: str, seed: int, kept: CellGallery, names: Sequence[str]) -> Room:
    return Room(
        label=label,
        seed=seed,
        filters=_png(filter_sheet(kept.filters, towers=kept.towers)) if len(kept.filters) else None,
        filters_words=_filters_words(kept),
        shown=tuple(_tile(kept, int(place), names) for place in kept.shown),
        near=tuple(
            tuple(_tile(kept, int(place), names, guessed=False) for place in (asked, *found))
            for asked, found in zip(kept.shown, kept.near, strict=False)
        ),
        searched=kept.searched,
        mistakes=tuple(_tile(kept, int(place), names) for place in kept.mistakes),
    )


def _filters_words(kept: CellGallery) -> str:
    count, height, width = kept.filters.shape[:3]
    words = f"The {count} first-layer filters, {height} x {width} pixels each"
    return f"{words}, {count // 2} in each of the two towers" if kept.towers == 2 else words


def _tile(kept: CellGallery, place: int, names: Sequence[str], *, guessed: bool = True) -> Tile:
    source = "data:image/jpeg;base64," + base64.b64encode(kept.jpegs[place]).decode()
    truth = int(kept.truth[place])
    guesses: tuple[Guess, ...] = ()
    if guessed:
        guesses = tuple(
            Guess(label=names[label], chance=percent(float(chance), digits=0), right=label == truth)
            for label, chance in zip(
                kept.guesses[place].tolist(), kept.chances[place].tolist(), strict=True
            )
        )
    return Tile(source=source, truth=names[truth], guesses=guesses)


def filter_sheet(filters: npt.NDArray[np.uint8], *, towers: int) -> npt.NDArray[np.uint8]:
    """Lay `(F, h, w, 3)` filters out as an RGBA sheet, sixteen in a row, a gap between towers."""
    parts = [_grid(half) for half in np.array_split(filters, towers)]
    gap = np.zeros((4, parts[0].shape[1], 4), dtype=np.uint8)
    sheet = np.concatenate([piece for part in parts for piece in (part, gap)][:-1])
    scale = max(1, _FILTER_SHEET // sheet.shape[1])
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


def _grid(filters: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    count, height, width = filters.shape[:3]
    columns = min(16, count)
    rows = -(-count // columns)
    sheet = np.zeros((rows * (height + _GAP), columns * (width + _GAP), 4), dtype=np.uint8)
    for index, one in enumerate(filters):
        top, left = (index // columns) * (height + _GAP), (index % columns) * (width + _GAP)
        sheet[top : top + height, left : left + width, :3] = one
        sheet[top : top + height, left : left + width, 3] = 255
    return sheet


def _png(sheet: npt.NDArray[np.uint8]) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(sheet).save(out, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
