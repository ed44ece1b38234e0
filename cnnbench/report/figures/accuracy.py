"""How right is every network at the end, how sure is that, and which cannot be told apart?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.figures.canvas import add_panel, as_picture, house_figure, name_rows, note
from cnnbench.report.figures.labels import label_width
from cnnbench.report.figures.style import ABOVE, DASHED, INK, MUTED, SMALL, WIDTH, Picture, Style
from cnnbench.report.text.escape import shorten
from cnnbench.report.text.wording import STARVED, marked, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def accuracy_picture(
    comparison: Comparison,
    unfinished: Sequence[tuple[str, str]],
    styles: Mapping[str, Style],
    *,
    alt: str,
) -> Picture:
    """Draw every network's final accuracy with its interval, best on top.

    `unfinished` has (label, reason) of the cells without a result; they are rows too. Bars at
    the right join networks that cannot be told apart.
    """
    entries = comparison.entries
    foot = 0.22 if any(entry.is_starved for entry in entries) else 0.0  # inches, for a note
    names = [marked(shorten(entry.label, 26), entry.is_starved) for entry in entries]
    labels = names + [label for label, _ in unfinished]
    tied = [group for group in comparison.ties if len(group) > 1]
    height = 1.05 + foot + 0.46 * max(1, len(labels))
    left = 0.3 + label_width(labels, size=11, limit=28)
    width = WIDTH - left - (1.8 + (0.2 + 0.16 * len(tied) if tied else 0.0))
    with house_figure(height) as figure:
        axes = add_panel(
            figure, left=left, bottom=0.6 + foot, width=width, height=height - 0.95 - foot
        )
        for rank, entry in enumerate(entries):
            _whiskers(axes, rank, entry, styles[entry.label])
        for rank, (_, reason) in enumerate(unfinished, start=len(entries)):
            _write_beside(axes, 0.01, rank, shorten(reason, 64), color=MUTED, style="italic")
        name_rows(axes, [shorten(label) for label in labels], size=11)
        axes.set_xlim(0, _upper_limit(comparison))
        if comparison.largest_class is not None:
            _chance_line(axes, comparison.largest_class, until=len(entries) - 0.5)
        if tied:
            _tie_bars(axes, tied, x=1 + 1.75 / width, step=0.16 / width)
        axes.set_xlabel("test images named right (%), with 95 % interval", loc="left")
        if foot:
            figure.text(left / WIDTH, 0.1 / height, STARVED, SMALL)
        return as_picture(figure, "accuracy", alt)


def _write_beside(axes: Axes, x: float, rank: float, text: str, **font: Any) -> None:
    """Write level with a row, `x` being a share of the axes' width."""
    axes.text(x, rank, text, transform=axes.get_yaxis_transform(), va="center_baseline", **font)


def _whiskers(axes: Axes, rank: int, entry: Entry, style: Style) -> None:
    """Draw a point and an interval for each seed, and write the numbers at the right."""
    rows = entry.rows
    levels = rank + (np.arange(len(rows)) - (len(rows) - 1) / 2) * min(0.22, 0.7 / len(rows))
    lows, middles, highs = (
        [100 * (getattr(row, field) or 0.0) for row in rows]
        for field in ("top1_low", "top1", "top1_high")
    )
    axes.hlines(levels, lows, highs, color=style.colour, lw=2.4, capstyle="round")
    axes.plot(middles, levels, style.marker, color=style.colour, ms=8.5, mec="white")
    counts = f"{rows[0].correct}/{rows[0].test_images}"
    if len(rows) > 1:
        counts, mean = f"mean of {len(rows)}", 100 * entry.top1
        axes.plot([mean, mean], [rank - 0.4, rank + 0.4], color=INK, lw=1.3, zorder=3)
    _write_beside(axes, 1.02, rank, f"{percent(entry.top1)} %", fontweight="bold", fontsize=11)
    width = axes.get_position().width * WIDTH
    _write_beside(axes, 1.02 + 0.72 / width, rank, counts, color=MUTED, fontsize=9.5)


def _chance_line(axes: Axes, share: float, *, until: float) -> None:
    x = 100 * share
    axes.plot([x, x], [-0.5, until], color=MUTED, lw=1.1, ls=DASHED, zorder=1)
    side = "left" if x < axes.get_xlim()[1] / 2 else "right"
    text = f"always the largest class: {percent(share)} %"
    note(axes, text, (x, 1), (0, 4), xycoords=ABOVE, ha=side, **SMALL)


def _upper_limit(comparison: Comparison) -> float:
    highs = [row.top1_high or 0.0 for entry in comparison.entries for row in entry.rows]
    return min(100.0, 100 * max([*highs, comparison.largest_class or 0.0, 0.1]) + 3)


def _tie_bars(axes: Axes, groups: Sequence[tuple[int, ...]], *, x: float, step: float) -> None:
    """Join the ranks of every group by a bar; `x` and `step` are shares of the axes' width."""
    across = axes.get_yaxis_transform()
    for index, group in enumerate(groups):
        places = [x + index * step] * len(group)
        axes.plot(places, group, "o-", transform=across, color=MUTED, ms=4, lw=1.6, clip_on=False)
    text, last = "bars join what cannot be told apart", x + (len(groups) - 1) * step
    note(axes, text, (last, 0), (4, -36), xycoords="axes fraction", ha="right", **SMALL)
