"""Where do names and ticks stand so that they do not overlap?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnbench.report.figures.style import MUTED, PAPER, Style
from cnnbench.report.text.escape import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FARTHEST = 5.0  # lines of type; a name farther off is read less easily than one on a line
LABEL_LIMIT = 20  # characters of a name beside a line; the panels are small


def set_ticks(axes: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    """Put ticks on the horizontal axis at these values and nowhere else."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    axes.xaxis.set_minor_locator(NullLocator())


def spread(
    wanted: npt.ArrayLike, *, gap: float, low: float, high: float
) -> npt.NDArray[np.float64]:
    """Move positions as little as possible so that neighbours are at least `gap` apart.

    The order stays, and all end in [low, high]; where they cannot fit, the gap shrinks. This is
    isotonic regression on the positions less their share of the gaps.

    >>> spread([1.0, 1.0], gap=1.0, low=0.0, high=9.0)
    array([0.5, 1.5])
    """
    from scipy.optimize import isotonic_regression

    positions = np.asarray(wanted, dtype=np.float64)
    count = len(positions)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    steps = gap * np.arange(count)
    order = np.argsort(positions, kind="stable")
    fitted = isotonic_regression(positions[order] - steps).x
    placed = np.empty(count)
    placed[order] = np.clip(fitted, low, max(low, high - gap * (count - 1))) + steps
    return placed


def clear_of(
    levels: npt.NDArray[np.float64],
    taken: Sequence[npt.NDArray[np.float64]],
    *,
    gap: float,
    high: float,
) -> npt.NDArray[np.float64]:
    """Move names off the lines, each as little as possible, a `gap` apart and if it can in order.

    `taken` has for each name the heights at which lines pass through it. A name stays where there
    is no free place near it in [0, high].

    >>> clear_of(np.array([5.0]), [np.array([5.0])], gap=2.0, high=20.0)
    array([6.5])
    """
    placed = levels.copy()
    steps = np.arange(0.0, _FARTHEST * gap, gap / 4)
    moves = np.stack([steps, -steps], axis=1).ravel()
    for index, lines in enumerate(taken):
        places = (levels[index] + moves)[:, None]
        others, above = np.delete(placed, index), np.delete(levels, index) > levels[index]
        off_lines = (np.abs(lines - places) >= 0.6 * gap).all(axis=1)
        is_inside = ((places >= 0.0) & (places <= high))[:, 0]
        apart = (np.abs(others - places) >= 0.99 * gap).all(axis=1)
        in_order = ((others > places) == above).all(axis=1)
        free = off_lines & is_inside & apart
        free[0] = off_lines[0]  # where it stands it is as far from the others as can be
        chosen = (
            np.flatnonzero(free & in_order) if (free & in_order).any() else np.flatnonzero(free)
        )
        if len(chosen):
            placed[index] = places[chosen[0], 0]
    return placed


def _drawn_points(axes: Axes) -> npt.NDArray[np.float64]:
    """Return places on the lines of networks, close together, as shares of the axes."""
    to_axes, shares = axes.transAxes.inverted(), np.linspace(0.0, 1.0, 100)[:, None, None]
    pieces = []
    for line in (line for line in axes.get_lines() if line.get_color() != MUTED):
        corners = to_axes.transform(line.get_transform().transform(line.get_xydata()))
        corners = corners[np.isfinite(corners).all(axis=1)]
        between = corners[:-1] + shares * (corners[1:] - corners[:-1])
        pieces += [between.reshape(-1, 2), corners]
    return np.concatenate([np.empty((0, 2)), *pieces])


def label_width(labels: Sequence[str], *, size: float = 9.5, limit: int = LABEL_LIMIT) -> float:
    """Return about how many inches the widest label takes at a font size in points."""
    widest = max((len(shorten(label, limit)) for label in labels), default=0)
    return widest * size * 0.61 / 72


class LineEnd(NamedTuple):
    """The last point of a line, in data coordinates, and the name to write beside it."""

    label: str
    style: Style
    x: float
    y: float


def label_ends(axes: Axes, ends: Sequence[LineEnd], *, column: bool = False) -> None:
    """Write each line's name beside its last point, clear of the other names and of the lines.

    With `column` all names stand right of the axes, clear of the points too. A name that had to
    move is joined to its point by a thin line. The axes' place in the figure and their limits
    must be final.
    """
    if not ends:
        return
    box, figure = axes.get_position(), axes.get_figure(root=True)
    assert figure is not None  # axes that are drawn on are in a figure
    width, height = 72 * figure.get_size_inches() * (box.width, box.height)
    size = min(9.5, max(5.0, height / len(ends) / 1.25))
    to_axes = axes.transData + axes.transAxes.inverted()
    points = to_axes.transform([(end.x, end.y) for end in ends]) * (width, height)
    widths = [72 * label_width([end.label], size=size) for end in ends]
    beside = np.full(len(ends), width) if column else points[:, 0]
    drawn = np.empty((0, 2)) if column else _drawn_points(axes) * (width, height)
    for cluster in _overlapping(beside, widths):
        levels = spread(points[cluster, 1], gap=1.25 * size, low=0.0, high=height)
        taken = [
            drawn[(drawn[:, 0] > beside[i] + 5.0) & (drawn[:, 0] < beside[i] + 9.0 + widths[i]), 1]
            for i in cluster
        ]
        levels = clear_of(levels, taken, gap=1.25 * size, high=height)
        for index, level in zip(cluster, levels, strict=True):
            end, (x, y) = ends[index], points[index]
            leader = {"arrowstyle": "-", "color": end.style.colour, "lw": 0.8, "shrinkB": 2}
            axes.annotate(
                shorten(end.label, LABEL_LIMIT),
                xy=(x / width, y / height),
                xytext=((beside[index] + 7.0) / width, level / height),
                xycoords="axes fraction",
                textcoords="axes fraction",
                va="center_baseline",
                fontsize=size,
                annotation_clip=False,
                bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
                arrowprops=leader if column or abs(level - y) > 0.4 * size else None,
            )


def _overlapping(
    starts: npt.NDArray[np.float64], widths: Sequence[float]
) -> list[npt.NDArray[np.intp]]:
    """Group labels whose horizontal extents touch, directly or through others."""
    groups: list[list[int]] = []
    reach = -np.inf
    for index in np.argsort(starts, kind="stable"):
        if starts[index] > reach:
            groups.append([])
        groups[-1].append(int(index))
        reach = max(reach, starts[index] + 7.0 + widths[index])
    return [np.array(group) for group in groups]
