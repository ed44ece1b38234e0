"""What does accuracy cost: against parameters, multiply-adds and images per second?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.report.figures.style import (
    LABEL_LIMIT,
    WIDTH,
    LineEnd,
    Look,
    Picture,
    draw,
    label_ends,
    label_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.report.analysis.entries import Entry

_FEWEST = 2  # one point shows no trade
_MOST_TICKS = 5  # their numbers would overlap
_AXES = (
    ("params", "parameters (M)", 1e6),
    ("macs", "multiply-adds an image (G)", 1e9),
    ("images_per_second", "training images/s", 1.0),
)


def trade_picture(comparison: Comparison, look: Mapping[str, Look]) -> Picture | None:
    """Draw each contender's accuracy against three costs; None where there is nothing to trade.

    That is so where all contenders are one network with other settings.
    """
    shown = [one for one in comparison.entries if one.label in look and _costs(one)]
    if len({(_costs(one)["params"], _costs(one)["macs"]) for one in shown}) < _FEWEST:
        return None
    words = "; ".join(
        f"{one.label} {100 * one.top1:.1f} % with {_costs(one)['params'] / 1e6:.3g} M parameters"
        for one in shown
    )
    alt = f"Accuracy against parameters, multiply-adds and training speed: {words}."
    return draw("trade", alt, lambda: _trade(shown, look))


def _costs(one: Entry) -> dict[str, float]:
    """Return a contender's costs, the mean over its seeds; empty where one was not measured."""
    rows = [answers.row for answers in one.answers.values()]
    found = {key: [getattr(row, key) for row in rows] for key, _, _ in _AXES}
    if any(not value for values in found.values() for value in values):
        return {}
    return {key: float(np.mean(values)) for key, values in found.items()}


def _trade(shown: Sequence[Entry], look: Mapping[str, Look]) -> Figure:
    from matplotlib.figure import Figure

    height, left = 3.1, 0.55
    margin = 0.25 + label_width([one.label for one in shown], size=9.5, limit=LABEL_LIMIT)
    width = (WIDTH - left) / len(_AXES) - margin - 0.1
    figure = Figure(figsize=(WIDTH, height))
    for index, (key, title, unit) in enumerate(_AXES):
        x = left + index * (width + margin + 0.1)
        axes = figure.add_axes((x / WIDTH, 0.6 / height, width / WIDTH, (height - 1.0) / height))
        axes.set_xlabel(title)
        if index == 0:
            axes.set_title("test images named right (%)")
        _points(axes, shown, look, [_costs(one)[key] / unit for one in shown])
    return figure


def _points(
    axes: Axes, shown: Sequence[Entry], look: Mapping[str, Look], costs: Sequence[float]
) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for one, cost in zip(shown, costs, strict=True):
        rows = [answers.row for answers in one.answers.values()]
        low, high = (
            100 * min(row.top1_low or 0.0 for row in rows),
            100 * max(row.top1_high or 0.0 for row in rows),
        )
        style = look[one.label]
        axes.plot([cost, cost], [low, high], color=style.colour, lw=1.6, alpha=0.5)
        axes.plot(
            cost, 100 * one.top1, color=style.colour, marker=style.marker, markersize=8, zorder=6
        )
    axes.set_xscale("log")
    margin = max(1.6, (max(costs) / min(costs)) ** 0.07)
    axes.set_xlim(min(costs) / margin, max(costs) * margin)
    axes.xaxis.set_major_locator(FixedLocator(round_numbers(*axes.get_xlim())))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, min(100.0, axes.get_ylim()[1]))
    label_ends(
        axes,
        [
            LineEnd(label=one.label, look=look[one.label], x=cost, y=100 * one.top1)
            for one, cost in zip(shown, costs, strict=True)
        ],
        column=True,
    )


def round_numbers(low: float, high: float) -> list[float]:
    """Return the 1, 2 and 5 of each power of ten between two numbers, fewer where it is far."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if high < 100 * low else (1,)
    found = [digit * 10.0**power for power in powers for digit in digits]
    inside = [value for value in found if low <= value <= high]
    return inside[:: -(-len(inside) // _MOST_TICKS)]
