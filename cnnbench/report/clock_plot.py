"""Where did the wall-clock of every cell go, as bars?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cnnbench.report.escape import shorten
from cnnbench.report.style import INK, MUTED, WIDTH, Picture, draw, label_width
from cnnbench.report.tables import unmeasured
from cnnbench.schema.budget import Currency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cnnbench.schema.result import Row

# Charged time is dark, time that is only published is pale.
BUCKETS: tuple[tuple[str, str, Callable[[Row], float]], ...] = (
    ("training (charged)", "#2f4b6b", lambda row: row.seconds.train - row.seconds.data_wait),
    ("waiting for data (charged)", "#8aa9c9", lambda row: row.seconds.data_wait),
    ("evaluation", "#e3c58b", lambda row: row.seconds.eval),
    ("checkpoints", "#c9d6a3", lambda row: row.seconds.checkpoint),
    ("warm-up", "#e6b3a3", lambda row: row.seconds.warmup),
    ("building", "#cdbfe0", lambda row: row.seconds.build),
    ("logging", "#b2dbd5", lambda row: row.seconds.logging),
    ("not measured", "#e4e7eb", unmeasured),
)


def clock_picture(table: Sequence[Row], names: Mapping[str, str], *, alt: str) -> Picture | None:
    """Draw the seconds of every cell by what they were spent on, or None if none is known."""
    timed = [row for row in table if row.seconds.total > 0]
    if not timed:
        return None
    return draw("clock", alt, lambda: _clock(timed, names))


def _clock(table: Sequence[Row], names: Mapping[str, str]) -> Figure:
    from matplotlib.figure import Figure

    several = len({row.seed for row in table}) > 1
    labels = [names[row.cell] + (f", seed {row.seed}" if several else "") for row in table]
    height, left, right = 1.3 + 0.38 * len(table), 0.3 + label_width(labels, size=10.5), 0.85
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes(
        (left / WIDTH, 0.55 / height, (WIDTH - left - right) / WIDTH, 1 - 1.25 / height)
    )
    _bars(axes, table)
    for level, row in enumerate(table):
        axes.annotate(
            f"{row.seconds.total:,.0f} s",
            xy=(row.seconds.total, level),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
        )
    _budget_line(axes, table)
    axes.set_yticks(range(len(table)), [shorten(label) for label in labels], fontsize=10.5)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlim(0, 1.01 * max(row.seconds.total for row in table))
    axes.set_xlabel("wall-clock seconds")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    figure.legend(
        loc="upper left",
        bbox_to_anchor=((left - 0.12) / WIDTH, 1.0),
        ncols=4,
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        columnspacing=1.4,
    )
    return figure


def _bars(axes: Axes, table: Sequence[Row]) -> None:
    start = [0.0] * len(table)
    for name, colour, seconds_of in BUCKETS:
        widths = [max(0.0, seconds_of(row)) for row in table]
        axes.barh(
            range(len(table)),
            widths,
            left=start,
            height=0.62,
            color=colour,
            edgecolor="white",
            linewidth=0.5,
            label=name,
        )
        start = [before + width for before, width in zip(start, widths, strict=True)]


def _budget_line(axes: Axes, table: Sequence[Row]) -> None:
    limits = {row.budget.limit for row in table if row.budget.currency is Currency.SECONDS}
    for limit in limits:
        axes.axvline(limit, color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
        axes.annotate(
            "budget",
            xy=(limit, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=MUTED,
        )
