"""What does a sweep look like: final accuracy, test loss and training loss against the value?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cnnbench.report.analysis.sweeps import SweepPoint, lines_of
from cnnbench.report.figures.style import WIDTH, Look, Picture, draw
from cnnbench.schema.cell import slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOG_FROM = 4.0
_MOST_TICKS = 7


def sweep_picture(
    points: Sequence[SweepPoint], look: Mapping[str, Look], key: str, *, alt: str
) -> Picture:
    """Draw three panels against one swept setting, a line for everything else that varies."""
    return draw(f"sweep-{slug(key)}", alt, lambda: _sweep(points, look, key))


def _sweep(points: Sequence[SweepPoint], look: Mapping[str, Look], key: str) -> Figure:
    from matplotlib.figure import Figure

    several = len(lines_of(points)) > 1
    height = 3.2 + (0.3 if several else 0.0)
    figure = Figure(figsize=(WIDTH, height))
    panels = figure.subplots(1, 3)
    titles = ("final accuracy (%)", "final test loss (mean)", "final training loss (mean)")
    reads: tuple[Callable[[SweepPoint], float | None], ...] = (
        lambda point: None if point.top1 is None else 100 * point.top1,
        lambda point: point.test_loss,
        lambda point: point.train_loss,
    )
    for index, (axes, title, read) in enumerate(zip(panels, titles, reads, strict=True)):
        axes.set_title(title)
        for line, found in lines_of(points).items():
            _line(axes, found, read, look[line], label=line, whiskers=index == 0)
        _value_axis(axes, points, key)
        axes.set_ylim(bottom=0)
    if several:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False, fontsize=9)
    figure.subplots_adjust(0.06, (0.95 if several else 0.6) / height, 0.975, 1 - 0.4 / height)
    return figure


def _line(
    axes: Axes,
    points: Sequence[SweepPoint],
    read: Callable[[SweepPoint], float | None],
    look: Look,
    *,
    label: str,
    whiskers: bool,
) -> None:
    known = [(point, value) for point in points if (value := read(point)) is not None]
    axes.plot(
        [point.value for point, _ in known],
        [value for _, value in known],
        color=look.colour,
        marker=look.marker,
        linestyle=look.dash,
        markeredgecolor="white",
        markeredgewidth=0.7,
        label=label,
    )
    if whiskers:
        for point, _ in known:
            ends = [100 * (point.low or 0.0), 100 * (point.high or 0.0)]
            axes.plot([point.value] * 2, ends, color=look.colour, lw=1.3)


def _value_axis(axes: Axes, points: Sequence[SweepPoint], key: str) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    texts = {point.value: point.text for point in points}
    values = sorted(texts)
    if values[-1] >= _LOG_FROM * values[0]:
        axes.set_xscale("log")
    shown = values[:: -(-len(values) // _MOST_TICKS)]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_major_formatter(FixedFormatter([texts[value] for value in shown]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(key)
