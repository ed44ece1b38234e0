"""How do final scores change with the budget of a ladder or with a swept setting?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cnnbench.report.analysis.ladder import Point
from cnnbench.report.analysis.rows import grouped
from cnnbench.report.analysis.sweeps import SweepPoint
from cnnbench.report.figures.canvas import add_panel, in_both_widths, limit_to_accuracies
from cnnbench.report.figures.labels import LineEnd, label_ends, label_width, set_ticks
from cnnbench.report.figures.style import CURRENCIES, Picture, Style
from cnnbench.report.text.wording import EVALUATION_LOSS, RUNNING_LOSS
from cnnbench.schema.cell import slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TICKS = 7


def ladder_picture(
    points: Sequence[Point], styles: Mapping[str, Style], *, chance: float | None, alt: str
) -> Picture:
    """Draw every network's accuracy with its 95 % interval against the budget."""
    left, margin = 0.6, 0.5 + label_width([point.line for point in points])
    limits = [point.budget.limit for point in points]

    def draw(figure: Figure, narrow: bool) -> None:
        width, height = figure.get_figwidth() - left - margin, figure.get_figheight() - 1.0
        axes = add_panel(figure, left=left, bottom=0.6, width=width, height=height)
        title = "final accuracy (%)" if narrow else "final accuracy under each budget (%)"
        axes.set_title(f"{title}, with 95 % interval")
        # Networks stand a little beside each other, so that their intervals can be told apart.
        ends = _draw(axes, points, styles, "top1", log_from=3.0, shift=0.006, caps=2.5)
        axes.set_xlabel(f"budget ({CURRENCIES[points[0].budget.currency]})")
        axes.set_xlim(min(limits) * 0.93, max(limits) * 1.04)
        limit_to_accuracies(axes, chance)
        label_ends(axes, ends)

    return in_both_widths("ladder", alt, draw, wide=4.2, narrow=3.8)


def sweep_picture(
    points: Sequence[SweepPoint], styles: Mapping[str, Style], key: str, *, alt: str
) -> Picture:
    """Draw final accuracy and losses against a swept setting, a line for all else that varies."""
    several = len({point.line for point in points if point.top1 is not None}) > 1
    panels = {
        "top1": "final accuracy (%)",
        "test_loss": "final test loss (mean)",
        **_train_panel(points),
    }
    legend = 0.3 if several else 0.0  # inches

    def draw(figure: Figure, narrow: bool) -> None:
        all_axes = figure.subplots(*((len(panels), 1) if narrow else (1, len(panels))))
        for axes, (field, title) in zip(all_axes, panels.items(), strict=True):
            axes.set_title(title)
            _draw(axes, points, styles, field, log_from=4.0)
            axes.set_xlabel(key)
            axes.set_ylim(bottom=0)
        if several:
            handles, labels = all_axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="lower center", ncols=2 if narrow else 4)
        height = figure.get_figheight()
        left, foot = 0.54 / figure.get_figwidth(), (0.6 + legend * (2 if narrow else 1)) / height
        figure.subplots_adjust(left, foot, 0.975, 1 - 0.4 / height, hspace=0.5)

    narrow = 2.6 * len(panels) + 2 * legend
    return in_both_widths(f"sweep-{slug(key)}", alt, draw, wide=3.2 + legend, narrow=narrow)


def _train_panel(points: Sequence[SweepPoint]) -> dict[str, str]:
    """Return the train loss to draw: in evaluation mode, which compares, where all have it."""
    finished = [point for point in points if point.top1 is not None]
    if all(point.train_eval_loss is not None for point in finished):
        return {"train_eval_loss": f"final {EVALUATION_LOSS}"}
    return {"train_loss": f"final {RUNNING_LOSS} (mean)"}


def _draw(
    axes: Axes,
    points: Sequence[Point | SweepPoint],
    styles: Mapping[str, Style],
    field: str,
    *,
    log_from: float,
    shift: float = 0.0,
    caps: float = 0.0,
) -> list[LineEnd]:
    """Draw a line through each network's values of `field` and return where the lines end.

    The axis is logarithmic where its last value is `log_from` times its first. `shift` is the
    share by which neighbours are moved apart, `caps` the size of the intervals' caps in points.
    """
    texts = dict(map(_place, points))
    places = sorted(texts)
    if places[-1] >= log_from * places[0]:
        axes.set_xscale("log")
    shown = places[:: -(-len(places) // _MOST_TICKS)]
    set_ticks(axes, shown, [texts[place] for place in shown])
    known = [p for p in points if p.top1 is not None and getattr(p, field) is not None]
    unit = 100 if field == "top1" else 1
    lines = grouped(known, lambda point: point.line)
    ends = []
    for index, (line, own) in enumerate(lines.items()):
        own.sort(key=_place)
        aside = 1 + shift * (index - (len(lines) - 1) / 2)
        x = [aside * _place(point)[0] for point in own]
        y = [unit * getattr(point, field) for point in own]
        axes.plot(x, y, label=line, **styles[line].line)
        if field == "top1":
            _draw_intervals(axes, x, own, styles[line].colour, caps)
        ends.append(LineEnd(line, styles[line], x[-1], y[-1]))
    return ends


def _place(point: Point | SweepPoint) -> tuple[float, str]:
    """Return where a point stands on the axis, and what is written there."""
    if isinstance(point, Point):
        return point.budget.limit, str(point.budget)
    return point.value, point.text


def _draw_intervals(
    axes: Axes, x: Sequence[float], points: Sequence[Point | SweepPoint], colour: str, caps: float
) -> None:
    lows, highs = ([100 * (getattr(p, end) or 0.0) for p in points] for end in ("low", "high"))
    if caps:
        axes.vlines(x, lows, highs, color=colour, linewidth=1.3, zorder=1.9)
        for bounds in (lows, highs):
            axes.plot(x, bounds, "_", color=colour, ms=2 * caps, mew=0.7, zorder=1.9)
    else:
        for place, low, high in zip(x, lows, highs, strict=True):
            axes.plot([place, place], [low, high], color=colour, lw=1.3)
