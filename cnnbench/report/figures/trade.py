"""What does accuracy cost: against parameters, multiply-adds and images per second?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.figures.style import (
    LABEL_LIMIT,
    WIDTH,
    LineEnd,
    Picture,
    Style,
    add_panel,
    as_picture,
    house_figure,
    label_ends,
    label_width,
    set_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["trade_picture"]

_MOST_TICKS = 5  # their numbers would overlap
_AXES = (
    ("params", "parameters (M)", 1e6),
    ("macs", "multiply-adds an image (G)", 1e9),
    ("images_per_second", "training images/s", 1.0),
)


def trade_picture(comparison: Comparison, styles: Mapping[str, Style]) -> Picture | None:
    """Draw each contender's accuracy against three costs; None where there is nothing to trade.

    That is so where all contenders are one network with other settings.
    """
    costs = {entry.label: _costs(entry) for entry in comparison.entries}
    shown = [entry for entry in comparison.entries if entry.label in styles and costs[entry.label]]
    if len({tuple(costs[entry.label][:2]) for entry in shown}) <= 1:
        return None
    words = "; ".join(
        f"{entry.label} {100 * entry.top1:.1f} % with "
        f"{costs[entry.label][0] / 1e6:.3g} M parameters"
        for entry in shown
    )
    height, left, gap = 3.1, 0.55, 0.1
    names = [entry.label for entry in shown]
    margin = 0.25 + label_width(names, size=9.5, limit=LABEL_LIMIT)
    width = (WIDTH - left) / len(_AXES) - margin - gap
    with house_figure(height) as figure:
        for index, (_, title, unit) in enumerate(_AXES):
            x = left + index * (width + margin + gap)
            axes = add_panel(figure, left=x, bottom=0.6, width=width, height=height - 1.0)
            axes.set_xlabel(title)
            if index == 0:
                axes.set_title("test images named right (%)")
            _draw_points(axes, shown, styles, [costs[name][index] / unit for name in names])
        alt = f"Accuracy against parameters, multiply-adds and training speed: {words}."
        return as_picture(figure, "trade", alt)


def _costs(entry: Entry) -> list[float]:
    """Return means over a contender's seeds in the order of `_AXES`; empty if any is missing."""
    rows = [answers.row for answers in entry.answers.values()]
    measured = [[getattr(row, key) for row in rows] for key, _, _ in _AXES]
    return [float(np.mean(values)) for values in measured] if all(map(all, measured)) else []


def _draw_points(
    axes: Axes, shown: Sequence[Entry], styles: Mapping[str, Style], costs: Sequence[float]
) -> None:
    ends = []
    for entry, cost in zip(shown, costs, strict=True):
        rows = [answers.row for answers in entry.answers.values()]
        low = 100 * min(row.top1_low or 0.0 for row in rows)
        high = 100 * max(row.top1_high or 0.0 for row in rows)
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
