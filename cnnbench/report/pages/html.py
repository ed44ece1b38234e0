"""What does the one self-contained page show that Markdown cannot: bars, matrices, a live chart?"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnbench.report.analysis.rows import has_several_seeds, ranked, status_text
from cnnbench.report.figures.clock import BUCKETS
from cnnbench.report.sections.classes import MOST_CLASSES_AS_MATRIX, Confusion
from cnnbench.report.stats.intervals import wilson
from cnnbench.report.text.escape import visible
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, percent, significant, span
from cnnbench.schema.budget import Currency

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.report.analysis.curves import Curve, Floats
    from cnnbench.report.analysis.entries import Entry
    from cnnbench.report.figures.style import Look
    from cnnbench.schema.result import Row


MOST_MATRICES = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Whisker:
    """One accuracy with its interval, all in per cent of the axis."""

    row: str
    at: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One line of the first picture: a contender with a whisker a seed, or why it has none."""

    label: str
    row: str
    colour: str
    whiskers: tuple[Whisker, ...]
    value: str
    detail: str
    letter: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockBar:
    """Where one cell's seconds went: (bucket, seconds, per cent of the widest bar)."""

    label: str
    row: str
    total: str
    parts: tuple[tuple[int, str, float], ...]
    budget: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """One contender's answers: `lines` has, a class, the counts with their shade in [0, 100]."""

    label: str
    seeds: int
    lines: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    mixups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Extras:
    """What `report.html` shows beyond the words and tables that it shares with Markdown."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[str, float], ...]
    chance: tuple[str, float] | None
    clock: tuple[ClockBar, ...]
    buckets: tuple[str, ...]
    looks: Mapping[str, Look]
    classes: tuple[str, ...]
    per_class: Table | None
    matrices: tuple[Matrix, ...]
    chart: str | None


def extras(
    comparison: Comparison,
    table: Sequence[Row],
    names: Mapping[str, str],
    look: Mapping[str, Look],
    lines: Sequence[Curve],
    found: Sequence[Confusion],
    *,
    classes: tuple[str, ...],
    axis: str,
) -> Extras:
    """Gather the page's own pictures; `names` calls a cell by its id, `look` a contender."""
    top = _top(comparison)
    tested = {row.split for row in table}
    chance = comparison.largest_class
    on_curve = chance if lines and lines[0].split in tested else None
    return Extras(
        bars=(*_bars(comparison, look, top), *_unfinished(table, names)),
        ticks=tuple((f"{value:g}", 100 * value / top) for value in _ticks(top)),
        chance=(percent(chance), 1e4 * chance / top) if chance is not None else None,
        clock=_clock(table, names),
        buckets=tuple(title for title, _, _ in BUCKETS),
        looks=look,
        classes=classes,
        per_class=_per_class(found, classes),
        matrices=tuple(_matrix(one, classes) for one in found[:MOST_MATRICES]),
        chart=chart_json(lines, look, chance=on_curve, axis=axis) if lines else None,
    )


def script_hash(script: str) -> str:
    """Return the source expression that lets a page's policy run this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


# -- accuracy -------------------------------------------------------------------------------------


def _top(comparison: Comparison) -> float:
    highs = [one.row.top1_high or 0.0 for c in comparison.entries for one in c.answers.values()]
    most = 100 * max([*highs, comparison.largest_class or 0.0, 0.1])
    return min(100.0, 10.0 * -(-most // 10))


def _ticks(top: float) -> list[float]:
    step = next(step for step in (5.0, 10.0, 20.0, 25.0) if top / step <= 5)
    return [step * index for index in range(int(top / step) + 1)]


def _bars(comparison: Comparison, look: Mapping[str, Look], top: float) -> list[Bar]:
    return [_bar(one, look, comparison.letter, top) for one in comparison.entries]


def _bar(one: Entry, look: Mapping[str, Look], letters: Mapping[str, str], top: float) -> Bar:
    rows = [answers.row for _, answers in sorted(one.answers.items())]
    scale = 1e4 / top
    whiskers = tuple(
        Whisker(
            row=row.cell,
            at=scale * (row.top1 or 0.0),
            low=scale * (row.top1_low or 0.0),
            high=scale * (row.top1_high or 0.0),
        )
        for row in rows
    )
    first = rows[0]
    single = (
        f"{first.correct}/{first.test_images}, interval {span(first.top1_low, first.top1_high)}"
    )
    many = f"mean of {len(rows)} seeds: {', '.join(percent(row.top1) for row in rows)}"
    return Bar(
        label=one.label,
        row=first.cell,
        colour=look[one.label].variable if one.label in look else "--muted",
        whiskers=whiskers,
        value=f"{percent(one.top1)} %",
        detail=single if len(rows) == 1 else many,
        letter=letters.get(first.cell, ""),
        reason="",
    )


def _unfinished(table: Sequence[Row], names: Mapping[str, str]) -> list[Bar]:
    waiting = [row for row in table if row.status != "done"]
    several = has_several_seeds(table)
    return [
        Bar(
            label=names[row.cell] + (f", seed {row.seed}" if several else ""),
            row=row.cell,
            colour="--muted",
            whiskers=(),
            value=NOTHING,
            detail="",
            letter="",
            reason=status_text(row),
        )
        for row in waiting
    ]


# -- the clock ------------------------------------------------------------------------------------


def _clock(table: Sequence[Row], names: Mapping[str, str]) -> tuple[ClockBar, ...]:
    timed = [row for row in ranked(table, names=names) if row.seconds.total > 0]
    several = has_several_seeds(table)
    widest = max((row.seconds.total for row in timed), default=1.0)
    return tuple(
        ClockBar(
            label=names[row.cell] + (f", seed {row.seed}" if several else ""),
            row=row.cell,
            total=f"{significant(row.seconds.total)} s",
            parts=_parts(row, widest),
            budget=100 * row.budget.limit / widest
            if row.budget.currency is Currency.SECONDS and row.budget.limit <= widest
            else None,
        )
        for row in timed
    )


def _parts(row: Row, widest: float) -> tuple[tuple[int, str, float], ...]:
    seconds = [read(row) for _, _, read in BUCKETS]
    return tuple(
        (index, f"{BUCKETS[index][0]}: {significant(value)} s", 100 * value / widest)
        for index, value in enumerate(seconds)
        if value > 0
    )


# -- classes --------------------------------------------------------------------------------------


def _per_class(found: Sequence[Confusion], classes: tuple[str, ...]) -> Table | None:
    """Return right answers of all, a class a line and a contender a column."""
    if not found:
        return None
    lines = []
    for index, name in enumerate(classes):
        images = int(found[0].images[index]) // found[0].seeds
        cells = [_share(int(one.right[index]), int(one.images[index])) for one in found]
        lines.append((name, str(images), *cells))
    header = ("class", "test images", *(f"{one.label} %" for one in found))
    return Table(header=header, align="l" + "r" * (len(header) - 1), rows=tuple(lines))


def _share(right: int, images: int) -> str:
    return percent(right / images, digits=0) if images else NOTHING


def _matrix(one: Confusion, classes: tuple[str, ...]) -> Matrix:
    lines: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()
    if len(classes) <= MOST_CLASSES_AS_MATRIX:
        lines = tuple(
            (name, tuple((int(n), round(100 * n / max(1, row.sum()))) for n in row))
            for name, row in zip(classes, one.counts, strict=True)
        )
    said = [(classes[a], classes[b], n) for a, b, n in one.mixups()]
    mixups = tuple(f"{truth} taken for {other}: {count}" for truth, other, count in said)
    return Matrix(label=one.label, seeds=one.seeds, lines=lines, mixups=mixups)


# -- data of the chart ----------------------------------------------------------------------------

_DIGITS = 5
AXES = (
    ("epochs", "epochs"),
    ("seconds", "charged seconds"),
    ("images", "training images"),
    ("flops", "training FLOPs"),
)


def chart_json(
    curves: Sequence[Curve], look: Mapping[str, Look], *, chance: float | None, axis: str
) -> str:
    """Return the curves, their looks and the switches of the chart as one JSON document.

    `axis` is the first to be shown. Nothing in it can end a `<script>` element: `<`, `>`, `&`
    and the line separators are written as escapes.
    """
    split = curves[0].split if curves else "test"
    content = {
        "axis": axis,
        "axes": [{"key": key, "name": name} for key, name in AXES],
        "metrics": [
            {"key": "top1", "name": f"accuracy on the {split} split (%)"},
            {"key": "test_loss", "name": f"loss on the {split} split (mean)"},
            {"key": "train_loss", "name": "training loss (mean)"},
        ],
        "chance": None if chance is None else _number(100 * chance),
        "looks": {visible(label): _look(one) for label, one in look.items()},
        "lines": [_line(curve) for curve in curves],
    }
    return script_safe(json.dumps(content, separators=(",", ":"), allow_nan=False))


def script_safe(text: str) -> str:
    r"""Return JSON with the characters escaped that mean something in HTML or JavaScript.

    >>> script_safe('"</script>"')
    '"\\u003c/script\\u003e"'
    """
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _look(look: Look) -> dict[str, Any]:
    return {"colour": look.variable, "marker": look.marker, "dash": list(look.dash[1])}


def _line(curve: Curve) -> dict[str, Any]:
    bounds = [wilson(int(c), int(n)) for c, n in zip(curve.correct, curve.total, strict=True)]
    return {
        "label": visible(curve.label),
        "seed": curve.seed,
        "row": f"row-{curve.cell}",
        **{key: _numbers(getattr(curve, key)) for key, _ in AXES},
        "correct": [int(value) for value in curve.correct],
        "total": [int(value) for value in curve.total],
        "top1": _numbers(100 * curve.top1),
        "low": [_number(100 * low) for low, _ in bounds],
        "high": [_number(100 * high) for _, high in bounds],
        "test_loss": _numbers(curve.test_loss),
        "train_loss": _numbers(curve.train_loss),
    }


def _numbers(values: Floats) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    """Return a number with as many digits as a screen can show; JSON has no NaN, so None."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
