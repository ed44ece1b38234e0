"""How did accuracy and losses move while training, against what a network saw or cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

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
from cnnbench.report.stats.intervals import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cnnbench.report.analysis.curves import Curve, Floats

Axis = Literal["epochs", "seconds"]
_X_LABELS: dict[Axis, str] = {"epochs": "epochs", "seconds": "charged seconds"}
_MOST_BANDS = 6  # more than that mix to grey
_MOST_LINES = 24  # cells; of more, each contender's mean is drawn, and its cells as a band
_LOG_FROM = 25.0  # a loss that falls by more than this factor is drawn on a logarithmic axis


def curves_picture(
    curves: Sequence[Curve], look: Mapping[str, Look], axis: Axis, *, chance: float | None, alt: str
) -> Picture:
    """Draw test accuracy, test loss and train loss against a currency, one line a cell.

    Where a few contenders were trained once, a light band is the 95 % interval of the accuracy.
    Of more than 24 cells each contender's mean is a line, and a band reaches from its lowest cell
    to its highest.
    """
    return draw(f"curves-{axis}", alt, lambda: _curves(curves, look, axis, chance))


def _curves(
    curves: Sequence[Curve], look: Mapping[str, Look], axis: Axis, chance: float | None
) -> Figure:
    from matplotlib.figure import Figure

    height, tall, short = 7.2, 2.9, 2.45
    margin = 0.45 + label_width([curve.label for curve in curves], size=9.5, limit=LABEL_LIMIT)
    left = 0.55
    half = (WIDTH - 2 * (left + margin)) / 2
    figure = Figure(figsize=(WIDTH, height))

    def panel(x: float, y: float, width: float, tallness: float, title: str) -> Axes:
        axes = figure.add_axes((x / WIDTH, y / height, width / WIDTH, tallness / height))
        axes.set_title(title)
        axes.set_xlabel(_X_LABELS[axis])
        return axes

    split = curves[0].split
    top = panel(left, 3.95, WIDTH - left - margin, tall, f"accuracy on the {split} split (%)")
    _accuracy_panel(top, curves, look, axis, chance)
    _name_lines(top, curves, look, axis, [100 * curve.top1 for curve in curves])
    test = panel(left, 0.6, half, short, f"loss on the {split} split (mean)")
    _loss_panel(test, curves, look, axis, [curve.test_loss for curve in curves])
    train = panel(2 * left + half + margin, 0.6, half, short, "training loss (mean)")
    _loss_panel(train, curves, look, axis, [curve.train_loss for curve in curves])
    return figure


def _accuracy_panel(
    axes: Axes,
    curves: Sequence[Curve],
    look: Mapping[str, Look],
    axis: Axis,
    chance: float | None,
) -> None:
    one_seed = len({curve.label for curve in curves}) == len(curves) <= _MOST_BANDS
    draw_lines(axes, curves, look, axis, [100 * curve.top1 for curve in curves])
    for curve in curves if one_seed else ():
        low, high = _band(curve)
        colour = look[curve.label].colour
        axes.fill_between(_x(curve, axis), low, high, color=colour, alpha=0.09, lw=0)
    if chance is not None:
        axes.axhline(100 * chance, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.set_ylim(bottom=0, top=min(100.0, axes.get_ylim()[1]))
    _from_zero(axes, curves, axis)


def _loss_panel(
    axes: Axes,
    curves: Sequence[Curve],
    look: Mapping[str, Look],
    axis: Axis,
    losses: Sequence[Floats],
) -> None:
    draw_lines(axes, curves, look, axis, losses)
    seen = np.concatenate([loss[np.isfinite(loss) & (loss > 0)] for loss in losses])
    if len(seen) and seen.max() > _LOG_FROM * seen.min():
        _logarithmic(axes)
    else:
        axes.set_ylim(bottom=0)
    _from_zero(axes, curves, axis)
    _name_lines(axes, curves, look, axis, losses)


def _logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    # The usual formatter writes TeX, which is switched off because names are hostile.
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_lines(
    axes: Axes,
    curves: Sequence[Curve],
    look: Mapping[str, Look],
    axis: Axis,
    values: Sequence[Floats],
) -> None:
    """Draw a line for each cell, or for each contender with a band where cells are many."""
    if len(curves) <= _MOST_LINES:
        for curve, value in zip(curves, values, strict=True):
            _line(axes, _x(curve, axis), value, look[curve.label])
        return
    grouped: dict[str, list[tuple[Floats, Floats]]] = {}
    for curve, value in zip(curves, values, strict=True):
        grouped.setdefault(curve.label, []).append((_x(curve, axis), value))
    for label, cells in grouped.items():
        x = _stacked([x for x, _ in cells]).mean(axis=0).filled(np.nan)
        y = _stacked([value for _, value in cells])
        low, high = y.min(axis=0).filled(np.nan), y.max(axis=0).filled(np.nan)
        axes.fill_between(x, low, high, color=look[label].colour, alpha=0.15, lw=0)
        _line(axes, x, y.mean(axis=0).filled(np.nan), look[label])


def _stacked(lines: Sequence[Floats]) -> np.ma.MaskedArray[tuple[int, int], np.dtype[np.float64]]:
    """Put lines under each other, masked where one is not finite or has ended before the others."""
    rows = np.full((len(lines), max(map(len, lines))), np.nan)
    for row, line in zip(rows, lines, strict=True):
        row[: len(line)] = line
    return np.ma.masked_invalid(rows)


def _line(axes: Axes, x: Floats, y: Floats, look: Look) -> None:
    axes.plot(
        x,
        np.where(np.isfinite(y), y, np.nan),
        color=look.colour,
        marker=look.marker,
        linestyle=look.dash,
        markeredgecolor="white",
        markeredgewidth=0.7,
    )


def _band(curve: Curve) -> tuple[list[float], list[float]]:
    bounds = [wilson(int(c), int(n)) for c, n in zip(curve.correct, curve.total, strict=True)]
    return [100 * low for low, _ in bounds], [100 * high for _, high in bounds]


def _x(curve: Curve, axis: Axis) -> Floats:
    return curve.epochs if axis == "epochs" else curve.seconds


def _from_zero(axes: Axes, curves: Sequence[Curve], axis: Axis) -> None:
    axes.set_xlim(0, 1.015 * max(max(float(_x(curve, axis).max()) for curve in curves), 1e-9))


def _name_lines(
    axes: Axes,
    curves: Sequence[Curve],
    look: Mapping[str, Look],
    axis: Axis,
    values: Sequence[Floats],
) -> None:
    """Name the lines at their last finite points; several seeds are named once, in their middle."""
    points: dict[str, list[tuple[float, float]]] = {}
    for curve, value in zip(curves, values, strict=True):
        finite = np.flatnonzero(np.isfinite(value))
        if len(finite):
            point = (float(_x(curve, axis)[finite[-1]]), float(value[finite[-1]]))
            points.setdefault(curve.label, []).append(point)
    ends = [
        LineEnd(label=label, look=look[label], x=max(x for x, _ in found), y=_middle(found))
        for label, found in points.items()
    ]
    label_ends(axes, ends)


def _middle(points: Sequence[tuple[float, float]]) -> float:
    return float(np.median([y for _, y in points]))
