"""What does a ladder of budgets look like: accuracy against budget, a line a network?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cnnbench.report.figures.style import (
    LABEL_LIMIT,
    MUTED,
    WIDTH,
    LineEnd,
    Look,
    Picture,
    draw,
    label_ends,
    label_width,
)
from cnnbench.schema.budget import Currency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cnnbench.report.analysis.ladder import Point

_UNITS = {
    Currency.SECONDS: "budget (charged seconds)",
    Currency.EPOCHS: "budget (epochs)",
    Currency.IMAGES: "budget (training images)",
    Currency.FLOPS: "budget (training FLOPs)",
    Currency.JOULES: "budget (joules)",
}
_LOG_FROM = 3.0  # a ladder whose last rung is this many times its first is drawn in equal ratios


def ladder_picture(
    points: Sequence[Point], look: Mapping[str, Look], *, chance: float | None, alt: str
) -> Picture:
    """Draw every network's accuracy with its 95 % interval against the budget."""
    return draw("ladder", alt, lambda: _ladder(points, look, chance))


def _ladder(points: Sequence[Point], look: Mapping[str, Look], chance: float | None) -> Figure:
    from matplotlib.figure import Figure

    height, left = 4.2, 0.6
    lines = list(dict.fromkeys(point.line for point in points))
    right = 0.5 + label_width(lines, size=9.5, limit=LABEL_LIMIT)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes(
        (left / WIDTH, 0.6 / height, (WIDTH - left - right) / WIDTH, (height - 1.0) / height)
    )
    axes.set_title("final accuracy under each budget (%), with 95 % interval")
    _budget_axis(axes, points)
    ends = []
    for index, line in enumerate(lines):
        own = [point for point in points if point.line == line]
        ends.append(_line(axes, own, look[line], shift=index - (len(lines) - 1) / 2))
    if chance is not None:
        axes.axhline(100 * chance, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.set_ylim(bottom=0, top=min(100.0, axes.get_ylim()[1]))
    label_ends(axes, ends)
    return figure


def _budget_axis(axes: Axes, points: Sequence[Point]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    budgets = {point.budget.limit: str(point.budget) for point in points}
    limits = sorted(budgets)
    if limits[-1] >= _LOG_FROM * limits[0]:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(limits))
    axes.xaxis.set_major_formatter(FixedFormatter([budgets[limit] for limit in limits]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(_UNITS.get(points[0].budget.currency, "budget"))
    axes.set_xlim(limits[0] * 0.93, limits[-1] * 1.04)


def _line(axes: Axes, points: Sequence[Point], look: Look, *, shift: float) -> LineEnd:
    """Draw one network a little beside the others, so that intervals can be told apart."""
    points = sorted(points, key=lambda point: point.budget.limit)
    x = [point.budget.limit * (1 + 0.006 * shift) for point in points]
    y = [100 * point.top1 for point in points]
    axes.errorbar(
        x,
        y,
        yerr=[
            [100 * (point.top1 - point.low) for point in points],
            [100 * (point.high - point.top1) for point in points],
        ],
        color=look.colour,
        marker=look.marker,
        linestyle=look.dash,
        markeredgecolor="white",
        markeredgewidth=0.7,
        elinewidth=1.3,
        capsize=2.5,
    )
    return LineEnd(label=points[0].line, look=look, x=x[-1], y=y[-1])
