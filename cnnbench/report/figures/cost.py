"""What does accuracy cost, and where did the wall-clock of every cell go?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.analysis.rows import grouped, seed_suffixes, unmeasured
from cnnbench.report.figures.canvas import add_panel, in_both_widths, name_rows, note
from cnnbench.report.figures.labels import LineEnd, label_ends, label_width, set_ticks
from cnnbench.report.figures.style import ABOVE, DASHED, INK, ON_PAPER, SMALL, Picture, Style
from cnnbench.report.text.escape import shorten
from cnnbench.schema.budget import Currency
from cnnbench.schema.result import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TICKS = 5  # their numbers would overlap
_AXES = (
    ("params", "parameters (M)", 1e6),
    ("macs", "multiply-adds an image (G)", 1e9),
    ("images_per_second", "training images/s", 1.0),
)


def trade_picture(comparison: Comparison, styles: Mapping[str, Style]) -> Picture | None:
    """Draw each entry's accuracy against three costs; None where there is nothing to trade.

    That is so where all entries are one network with other settings.
    """
    costs = {entry.label: _costs(entry) for entry in comparison.entries}
    shown = [entry for entry in comparison.entries if entry.label in styles and costs[entry.label]]
    if len({tuple(costs[entry.label][:2]) for entry in shown}) <= 1:
        return None
    words = "; ".join(
        f"{e.label} {100 * e.top1:.1f} % with {costs[e.label][0] / 1e6:.3g} M parameters"
        for e in shown
    )
    left, gap = 0.55, 0.1
    names = [entry.label for entry in shown]
    margin = 0.25 + label_width(names)

    def draw(figure: Figure, narrow: bool) -> None:
        columns, rows = (1, len(_AXES)) if narrow else (len(_AXES), 1)
        across, height = (figure.get_figwidth() - left) / columns, figure.get_figheight() / rows
        for index, (_, title, unit) in enumerate(_AXES):
            x, bottom = (0, rows - 1 - index) if narrow else (index, 0)
            axes = add_panel(
                figure,
                left=left + x * across,
                bottom=0.6 + bottom * height,
                width=across - margin - gap,
                height=height - 1.0,
            )
            axes.set_xlabel(title)
            if index == 0:
                axes.set_title("test images named right (%)")
            _draw_points(axes, shown, styles, [costs[name][index] / unit for name in names])

    alt = f"Accuracy against parameters, multiply-adds and training speed: {words}."
    return in_both_widths("trade", alt, draw, wide=3.1, narrow=3 * 2.8)


def _costs(entry: Entry) -> list[float]:
    """Return means over an entry's seeds in the order of `_AXES`; empty if any is missing."""
    measured = [[getattr(row, key) for row in entry.rows] for key, _, _ in _AXES]
    return [float(np.mean(values)) for values in measured] if all(map(all, measured)) else []


def _draw_points(
    axes: Axes, shown: Sequence[Entry], styles: Mapping[str, Style], costs: Sequence[float]
) -> None:
    ends = []
    for entry, cost in zip(shown, costs, strict=True):
        low = 100 * min(row.top1_low or 0.0 for row in entry.rows)
        high = 100 * max(row.top1_high or 0.0 for row in entry.rows)
        style, top1 = styles[entry.label], 100 * entry.top1
        axes.plot([cost, cost], [low, high], color=style.colour, lw=1.6, alpha=0.5)
        axes.plot(cost, top1, color=style.colour, marker=style.marker, markersize=8, zorder=6)
        ends.append(LineEnd(entry.label, style, cost, top1))
    axes.set_xscale("log")
    margin = max(1.6, (max(costs) / min(costs)) ** 0.07)
    axes.set_xlim(min(costs) / margin, max(costs) * margin)
    ticks = round_numbers(*axes.get_xlim())
    set_ticks(axes, ticks, [f"{value:g}" for value in ticks])
    axes.set_ylim(0, min(100.0, axes.get_ylim()[1]))
    label_ends(axes, ends, column=True)


def round_numbers(low: float, high: float) -> list[float]:
    """Return the 1, 2 and 5 of each power of ten between two numbers, fewer where it is far."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if high < 100 * low else (1,)
    numbers = [digit * 10.0**power for power in powers for digit in digits]
    inside = [number for number in numbers if low <= number <= high]
    return inside[:: -(-len(inside) // _MOST_TICKS)]


# -- the clock ------------------------------------------------------------------------------------


def _computing(row: Row) -> float:
    return (row.seconds.train or 0.0) - (row.seconds.data_wait or 0.0)


# What seconds were spent on, with its colour on a light and on a dark page. Charged time stands
# out, time that is only published is paler.
BUCKETS: tuple[tuple[str, str, str, Callable[[Row], float | None]], ...] = (
    ("training (charged)", "#2f4b6b", "#7fa8d6", _computing),
    ("waiting for data (charged)", "#8aa9c9", "#48698c", lambda row: row.seconds.data_wait),
    ("evaluation", "#e3c58b", "#a88542", lambda row: row.seconds.eval),
    ("checkpoints", "#c9d6a3", "#7f8f4c", lambda row: row.seconds.checkpoint),
    ("warm-up", "#e6b3a3", "#a8675a", lambda row: row.seconds.warmup),
    ("building", "#cdbfe0", "#7a68a0", lambda row: row.seconds.build),
    ("logging", "#b2dbd5", "#4f8f87", lambda row: row.seconds.logging),
    ("gallery", "#d9b5c8", "#8a5f78", lambda row: row.seconds.gallery),
    ("not measured", "#e4e7eb", "#5d6670", unmeasured),
)
_VISIBLE = 0.002  # of the longest bar; what is shorter would be a colour that nobody finds
_MOST_BARS = 24  # cells; of more, each entry has one bar with the means of its cells


def clock_picture(rows: Sequence[Row], names: Mapping[str, str], *, alt: str) -> Picture | None:
    """Draw the seconds of every cell by what they were spent on, or None if none is known.

    Of many cells the means of each entry are drawn.
    """
    timed = [row for row in rows if row.seconds.total]
    if not timed:
        return None
    bars = _bars_of(timed, names)
    labels = [label for label, _ in bars]
    limits = {row.budget.limit for row in timed if row.budget.currency is Currency.SECONDS}

    def draw(figure: Figure, narrow: bool) -> None:
        left = 0.15 if narrow else 0.3 + label_width(labels, size=10.5, limit=48)
        head = 1.6 if narrow else 0.7  # of the legend
        width, height = figure.get_figwidth() - left - 0.85, figure.get_figheight() - 0.55 - head
        axes = add_panel(figure, left=left, bottom=0.55, width=width, height=height)
        _draw_bars(axes, [cells for _, cells in bars], narrow=narrow)
        for limit in limits:
            axes.axvline(limit, color=INK, linewidth=1.1, linestyle=DASHED)
            note(axes, "budget", (limit, 1), (0, 3), xycoords=ABOVE, ha="center", **SMALL)
        name_rows(axes, [""] * len(labels) if narrow else labels, size=10.5)
        for level, label in enumerate(labels if narrow else ()):
            at = (0, level - 0.34)
            note(axes, label, at, (0, 0), va="center_baseline", fontsize=10.5, **ON_PAPER)
        axes.set_xlabel("wall-clock seconds")
        place, columns = ((left - 0.12) / figure.get_figwidth(), 1.0), 2 if narrow else 4
        figure.legend(
            loc="upper left",
            bbox_to_anchor=place,
            ncols=columns,
            handlelength=1.2,
            columnspacing=1.4,
        )

    wide, narrow = 1.3 + 0.38 * len(bars), 2.2 + 0.6 * len(bars)
    return in_both_widths("clock", alt, draw, wide=wide, narrow=narrow)


def _bars_of(rows: Sequence[Row], names: Mapping[str, str]) -> list[tuple[str, list[Row]]]:
    """Return the label and the cells of every bar.

    Cells are grouped by whole names: two long ones may look alike when they are shortened.
    """
    suffix = seed_suffixes(rows if len(rows) <= _MOST_BARS else [])
    bars = grouped(rows, lambda row: (names[row.cell], suffix.get(row.cell, "")))
    return [
        (shorten(name) + seed + (f", mean of {len(cells)}" if len(cells) > 1 else ""), cells)
        for (name, seed), cells in bars.items()
    ]


def _draw_bars(axes: Axes, bars: Sequence[Sequence[Row]], *, narrow: bool) -> None:
    """Draw a bar a row, on a narrow page in its lower half, below its name."""
    start, height, below = np.zeros(len(bars)), *((0.4, 0.14) if narrow else (0.62, 0.0))
    levels = below + np.arange(len(bars))
    totals = [fmean(row.seconds.total or 0.0 for row in cells) for cells in bars]
    for title, colour, _, seconds in BUCKETS:
        widths = [fmean(max(0.0, seconds(row) or 0.0) for row in cells) for cells in bars]
        if max(widths) < _VISIBLE * max(totals):
            continue
        look: dict[str, Any] = {"color": colour, "ec": "white", "lw": 0.5, "label": title}
        axes.barh(levels, widths, left=start, height=height, **look)
        start += widths
    for level, total in zip(levels, totals, strict=True):
        note(axes, f"{total:,.0f} s", (total, level), (5, 0), va="center", fontsize=9.5)
    axes.set_xlim(0, 1.01 * max(totals))
