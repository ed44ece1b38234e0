"""How did accuracy and losses move while training, against what a network saw or cost?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cnnbench.report.analysis.curves import Curve, Floats
from cnnbench.report.analysis.rows import grouped
from cnnbench.report.figures.canvas import add_panel, in_both_widths, limit_to_accuracies
from cnnbench.report.figures.labels import LineEnd, label_ends, label_width
from cnnbench.report.figures.style import CURRENCIES, Picture, Style
from cnnbench.report.stats.intervals import wilson
from cnnbench.report.text.wording import RUNNING_LOSS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BANDS = 6  # more than that mix to grey
_MOST_LINES = 24  # cells; of more, each network's mean is drawn, and its cells as a band
_LOG_FROM = 25.0  # a loss that falls by more than this factor is drawn on a logarithmic axis


class Line(NamedTuple):
    """A value of one cell against the axis; both arrays are `(evaluations,)`."""

    label: str
    style: Style
    x: Floats
    y: Floats


def curves_picture(
    curves: Sequence[Curve],
    styles: Mapping[str, Style],
    axis: Literal["epochs", "seconds"],
    *,
    chance: float | None,
    alt: str,
) -> Picture:
    """Draw test accuracy, test loss and train loss against a currency, one line a cell.

    Where a few networks were trained once, a light band is the 95 % interval of the accuracy.
    Of more than 24 cells each network's mean is a line, and a band reaches from its lowest cell
    to its highest.
    """

    def lines_of(read: Callable[[Curve], Floats]) -> list[Line]:
        return [Line(c.label, styles[c.label], getattr(c, axis), read(c)) for c in curves]

    split, left, bottom = curves[0].split, 0.55, 0.6
    margin = 0.45 + label_width([curve.label for curve in curves])

    def draw(figure: Figure, narrow: bool) -> None:
        across = figure.get_figwidth()
        whole, half = across - left - margin, (across - 2 * (left + margin)) / 2
        right = 2 * left + half + margin
        # Of each panel its left and lower end, its width and its height, in inches.
        below = [(left, bottom, half, 2.45), (right, bottom, half, 2.45)]
        places = [(left, 3.95, whole, 2.9), *below]
        if narrow:
            places = [(left, bottom + row * 3.0, whole, 2.0) for row in (2, 1, 0)]
        accuracy, test, train = (
            add_panel(figure, left=x, bottom=y, width=width, height=height)
            for x, y, width, height in places
        )
        accuracy.set_title(f"accuracy on the {split} split (%)")
        test.set_title(f"loss on the {split} split (mean)")
        train.set_title(f"{RUNNING_LOSS} (mean)")
        for axes in (accuracy, test, train):
            axes.set_xlabel(CURRENCIES[axis])
        _accuracy_panel(accuracy, lines_of(lambda curve: 100 * curve.top1), curves, chance)
        _loss_panel(test, lines_of(lambda curve: curve.test_loss))
        _loss_panel(train, lines_of(lambda curve: curve.train_loss))

    return in_both_widths(f"curves-{axis}", alt, draw, wide=7.2, narrow=9.0)


def _accuracy_panel(
    axes: Axes, lines: Sequence[Line], curves: Sequence[Curve], chance: float | None
) -> None:
    draw_lines(axes, lines)
    if len({line.label for line in lines}) == len(lines) <= _MOST_BANDS:
        for line, curve in zip(lines, curves, strict=True):
            axes.fill_between(line.x, *band_of(curve), color=line.style.colour, alpha=0.09, lw=0)
    limit_to_accuracies(axes, chance)
    _finish(axes, lines)


def _loss_panel(axes: Axes, lines: Sequence[Line]) -> None:
    draw_lines(axes, lines)
    seen = np.concatenate([line.y[np.isfinite(line.y) & (line.y > 0)] for line in lines])
    if len(seen) and seen.max() > _LOG_FROM * seen.min():
        _make_logarithmic(axes)
    else:
        axes.set_ylim(bottom=0)
    _finish(axes, lines)


def _make_logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    # The usual formatter writes TeX, which is switched off because names are hostile.
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_lines(axes: Axes, lines: Sequence[Line]) -> None:
    """Draw a line for each cell, or for each network with a band where cells are many."""
    if len(lines) <= _MOST_LINES:
        for line in lines:
            axes.plot(line.x, np.where(np.isfinite(line.y), line.y, np.nan), **line.style.line)
        return
    for cells in grouped(lines, lambda line: line.label).values():
        style = cells[0].style
        x, y = _stacked([line.x for line in cells]), _stacked([line.y for line in cells])
        middle = x.mean(axis=0).filled(np.nan)
        low, high = y.min(axis=0).filled(np.nan), y.max(axis=0).filled(np.nan)
        axes.fill_between(middle, low, high, color=style.colour, alpha=0.15, lw=0)
        axes.plot(middle, y.mean(axis=0).filled(np.nan), **style.line)


def _stacked(values: Sequence[Floats]) -> np.ma.MaskedArray[tuple[int, int], np.dtype[np.float64]]:
    """Put arrays under each other, masked where a value is not finite or an array has ended."""
    rows = np.full((len(values), max(map(len, values))), np.nan)
    for row, value in zip(rows, values, strict=True):
        row[: len(value)] = value
    return np.ma.masked_invalid(rows)


def band_of(curve: Curve) -> tuple[list[float], list[float]]:
    """Return the lower and upper ends of the accuracy's 95 % intervals in per cent."""
    bounds = [wilson(int(c), int(n)) for c, n in zip(curve.correct, curve.total, strict=True)]
    return [100 * low for low, _ in bounds], [100 * high for _, high in bounds]


def _finish(axes: Axes, lines: Sequence[Line]) -> None:
    """Begin the axis at 0 and name the lines at their last finite points.

    Several seeds are named once, in their middle.
    """
    axes.set_xlim(0, 1.015 * max(*(float(line.x.max()) for line in lines), 1e-9))
    ends = []
    for label, cells in grouped(lines, lambda line: line.label).items():
        finite = [np.flatnonzero(np.isfinite(line.y)) for line in cells]
        last = [(line, place[-1]) for line, place in zip(cells, finite, strict=True) if len(place)]
        if last:
            x = max(float(line.x[index]) for line, index in last)
            y = float(np.median([line.y[index] for line, index in last]))
            ends.append(LineEnd(label, cells[0].style, x, y))
    label_ends(axes, ends)
