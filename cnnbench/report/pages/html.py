"""What does `report.html` show that Markdown cannot: tables by class, matrices, a live chart?"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnbench.report.analysis.curves import Curve
from cnnbench.report.figures.clock import BUCKETS
from cnnbench.report.figures.curves import band_of
from cnnbench.report.figures.style import COLOURS, CURRENCIES, DARK_COLOURS, Style
from cnnbench.report.sections.classes import MOST_CLASSES_AS_MATRIX, Confusion
from cnnbench.report.text.escape import visible
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import percent

__all__ = ["PAGE_COLOURS", "HtmlParts", "chart_json", "html_parts", "script_hash"]

# For each colour of a figure the page's CSS variable, and the colour itself on a dark page.
PAGE_COLOURS = {light: (f"--line-{i}", DARK_COLOURS[i]) for i, light in enumerate(COLOURS)} | {
    light: (f"--bucket-{i}", dark) for i, (_, light, dark, _) in enumerate(BUCKETS)
}
MOST_MATRICES = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """One contender's answers: each of `lines` is a class and its (count, shade in per cent)."""

    label: str
    seeds: int
    lines: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    mixups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HtmlParts:
    """What `report.html` shows beyond the words, tables and figures that Markdown has too."""

    classes: tuple[str, ...]
    per_class: Table | None
    matrices: tuple[Matrix, ...]
    chart: str | None


def html_parts(
    confusions: Sequence[Confusion],
    curves: Sequence[Curve],
    styles: Mapping[str, Style],
    *,
    classes: tuple[str, ...],
    chance: float | None,
    axis: str,
) -> HtmlParts:
    """Gather the page's own parts; `chance` is a line in the chart, `axis` its first axis."""
    return HtmlParts(
        classes=classes,
        per_class=_per_class(confusions, classes),
        matrices=tuple(_matrix(confusion, classes) for confusion in confusions[:MOST_MATRICES]),
        chart=chart_json(curves, styles, chance=chance, axis=axis) if curves else None,
    )


def script_hash(script: str) -> str:
    """Return the source expression that lets a page's policy run this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


# -- classes --------------------------------------------------------------------------------------


def _per_class(confusions: Sequence[Confusion], classes: tuple[str, ...]) -> Table | None:
    """Return the shares of right answers, a class a row and a contender a column."""
    if not confusions:
        return None
    rows = []
    for index, name in enumerate(classes):
        n_images = int(confusions[0].images[index]) // confusions[0].seeds
        shares = [c.right[index] / c.images[index] if c.images[index] else None for c in confusions]
        rows.append((name, str(n_images), *(percent(share, digits=0) for share in shares)))
    header = ("class", "test images", *(f"{confusion.label} %" for confusion in confusions))
    return Table(header=header, align="l" + "r" * (len(header) - 1), rows=tuple(rows))


def _matrix(confusion: Confusion, classes: tuple[str, ...]) -> Matrix:
    lines: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()
    if len(classes) <= MOST_CLASSES_AS_MATRIX:
        lines = tuple(
            (name, tuple((int(n), round(100 * n / max(1, counts.sum()))) for n in counts))
            for name, counts in zip(classes, confusion.counts, strict=True)
        )
    mixups = tuple(
        f"{classes[truth]} taken for {classes[answer]}: {count}"
        for truth, answer, count in confusion.mixups()
    )
    return Matrix(label=confusion.label, seeds=confusion.seeds, lines=lines, mixups=mixups)


# -- data of the chart ----------------------------------------------------------------------------

_DIGITS = 5  # as many as a screen can show
_AXES = ("epochs", "seconds", "images", "flops")


def chart_json(
    curves: Sequence[Curve], styles: Mapping[str, Style], *, chance: float | None, axis: str
) -> str:
    """Return the curves, their styles and the switches of the chart as one JSON document.

    `axis` is the first to be shown. Nothing in it can end a `<script>` element: `<`, `>`, `&`
    and the line separators are written as escapes.
    """
    split = curves[0].split if curves else "test"
    content = {
        "axis": axis,
        "axes": [{"key": key, "name": CURRENCIES[key]} for key in _AXES],
        "metrics": [
            {"key": "top1", "name": f"accuracy on the {split} split (%)"},
            {"key": "test_loss", "name": f"loss on the {split} split (mean)"},
            {"key": "train_loss", "name": "training loss (mean)"},
        ],
        "chance": None if chance is None else _number(100 * chance),
        "styles": {
            visible(label): {
                "colour": PAGE_COLOURS[style.colour][0],
                "marker": style.marker,
                "dash": list(style.dash[1]),
            }
            for label, style in styles.items()
        },
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


def _line(curve: Curve) -> dict[str, Any]:
    low, high = band_of(curve)
    return {
        "label": visible(curve.label),
        "seed": curve.seed,
        "row": f"row-{curve.cell}",
        **{key: _numbers(getattr(curve, key)) for key in _AXES},
        "correct": [int(value) for value in curve.correct],
        "total": [int(value) for value in curve.total],
        "top1": _numbers(100 * curve.top1),
        "low": _numbers(low),
        "high": _numbers(high),
        "test_loss": _numbers(curve.test_loss),
        "train_loss": _numbers(curve.train_loss),
    }


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    """Return a rounded number, or None for what JSON cannot hold."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
