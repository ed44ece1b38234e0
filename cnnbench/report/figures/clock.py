"""Where did the wall-clock of every cell go?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.report.analysis.rows import has_several_seeds, unmeasured
from cnnbench.report.figures.style import (
    ABOVE,
    DASHED,
    INK,
    SMALL,
    WIDTH,
    Picture,
    add_panel,
    as_picture,
    house_figure,
    label_width,
    name_rows,
    note,
)
from cnnbench.report.text.escape import shorten
from cnnbench.schema.budget import Currency
from cnnbench.schema.result import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BUCKETS", "clock_picture"]

# What seconds were spent on, with its colour on a light and on a dark page. Charged time stands
# out, time that is only published is paler.
BUCKETS: tuple[tuple[str, str, str, Callable[[Row], float]], ...] = (
    ("training (charged)", "#2f4b6b", "#7fa8d6", lambda r: r.seconds.train - r.seconds.data_wait),
    ("waiting for data (charged)", "#8aa9c9", "#48698c", lambda row: row.seconds.data_wait),
    ("evaluation", "#e3c58b", "#a88542", lambda row: row.seconds.eval),
    ("checkpoints", "#c9d6a3", "#7f8f4c", lambda row: row.seconds.checkpoint),
    ("warm-up", "#e6b3a3", "#a8675a", lambda row: row.seconds.warmup),
    ("building", "#cdbfe0", "#7a68a0", lambda row: row.seconds.build),
    ("logging", "#b2dbd5", "#4f8f87", lambda row: row.seconds.logging),
    ("not measured", "#e4e7eb", "#5d6670", unmeasured),
)
_MOST_BARS = 24  # cells; of more, each contender has one bar with the means of its cells


def clock_picture(rows: Sequence[Row], names: Mapping[str, str], *, alt: str) -> Picture | None:
    """Draw the seconds of every cell by what they were spent on, or None if none is known.

    Of many cells the means of each contender are drawn.
    """
    timed = [row for row in rows if row.seconds.total > 0]
    if not timed:
        return None
    bars = _bars_of(timed, names)
    labels = [label for label, _ in bars]
    limits = {row.budget.limit for row in timed if row.budget.currency is Currency.SECONDS}
    height, left = 1.3 + 0.38 * len(bars), 0.3 + label_width(labels, size=10.5, limit=48)
    with house_figure(height) as figure:
        width = WIDTH - left - 0.85
        axes = add_panel(figure, left=left, bottom=0.55, width=width, height=height - 1.25)
        _draw_bars(axes, [cells for _, cells in bars])
        for limit in limits:
            axes.axvline(limit, color=INK, linewidth=1.1, linestyle=DASHED)
            note(axes, "budget", (limit, 1), (0, 3), xycoords=ABOVE, ha="center", **SMALL)
        name_rows(axes, labels, size=10.5)
        axes.set_xlabel("wall-clock seconds")
        place = ((left - 0.12) / WIDTH, 1.0)
        figure.legend(
            loc="upper left", bbox_to_anchor=place, ncols=4, handlelength=1.2, columnspacing=1.4
        )
        return as_picture(figure, "clock", alt)


def _bars_of(rows: Sequence[Row], names: Mapping[str, str]) -> list[tuple[str, list[Row]]]:
    """Return the label and the cells of every bar.

    Cells are grouped by whole names: two long ones may look alike when they are shortened.
    """
    bars: dict[tuple[str, str], list[Row]] = {}
    several = has_several_seeds(rows) and len(rows) <= _MOST_BARS
    for row in rows:
        seed = f", seed {row.seed}" if several else ""
        bars.setdefault((names[row.cell], seed), []).append(row)
    return [
        (shorten(name) + seed + (f", mean of {len(cells)}" if len(cells) > 1 else ""), cells)
        for (name, seed), cells in bars.items()
    ]


def _draw_bars(axes: Axes, bars: Sequence[Sequence[Row]]) -> None:
    start = np.zeros(len(bars))
    for title, colour, _, seconds in BUCKETS:
        widths = [fmean(max(0.0, seconds(row)) for row in cells) for cells in bars]
        axes.barh(
            range(len(bars)),
            widths,
            left=start,
            height=0.62,
            color=colour,
            edgecolor="white",
            linewidth=0.5,
            label=title,
        )
        start += widths
    totals = [fmean(row.seconds.total for row in cells) for cells in bars]
    for level, total in enumerate(totals):
        note(axes, f"{total:,.0f} s", (total, level), (5, 0), va="center", fontsize=9.5)
    axes.set_xlim(0, 1.01 * max(totals))
