"""Where did the wall-clock of every cell go, as bars?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from cnnbench.report.analysis.rows import has_several_seeds, unmeasured
from cnnbench.report.figures.style import INK, MUTED, WIDTH, Picture, draw, label_width
from cnnbench.report.text.escape import shorten
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
_MOST_BARS = 24  # cells; of more, each contender has one bar with the means of its cells


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bar:
    """One line of the picture: its name, seconds a bucket in the order of `BUCKETS`, and all."""

    label: str
    buckets: tuple[float, ...]
    total: float


def clock_picture(table: Sequence[Row], names: Mapping[str, str], *, alt: str) -> Picture | None:
    """Draw the seconds of every cell by what they were spent on, or None if none is known.

    Of many cells the means of each contender are drawn.
    """
    timed = [row for row in table if row.seconds.total > 0]
    if not timed:
        return None
    limits = {row.budget.limit for row in timed if row.budget.currency is Currency.SECONDS}
    return draw("clock", alt, lambda: _clock(_bars_of(timed, names), limits))


def _bars_of(table: Sequence[Row], names: Mapping[str, str]) -> list[_Bar]:
    """Group rows by their whole names: two long ones may look alike when they are shortened."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    several = has_several_seeds(table) and len(table) <= _MOST_BARS
    for row in table:
        seed = f", seed {row.seed}" if several else ""
        grouped.setdefault((names[row.cell], seed), []).append(row)
    return [
        _Bar(
            label=shorten(name) + (seed if len(rows) == 1 else f"{seed}, mean of {len(rows)}"),
            buckets=tuple(fmean(max(0.0, of(row)) for row in rows) for _, _, of in BUCKETS),
            total=fmean(row.seconds.total for row in rows),
        )
        for (name, seed), rows in grouped.items()
    ]


def _clock(bars: Sequence[_Bar], limits: Collection[float]) -> Figure:
    from matplotlib.figure import Figure

    labels = [bar.label for bar in bars]
    height, right = 1.3 + 0.38 * len(bars), 0.85
    left = 0.3 + label_width(labels, size=10.5, limit=48)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes(
        (left / WIDTH, 0.55 / height, (WIDTH - left - right) / WIDTH, 1 - 1.25 / height)
    )
    _draw_bars(axes, bars)
    for level, bar in enumerate(bars):
        axes.annotate(
            f"{bar.total:,.0f} s",
            xy=(bar.total, level),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
        )
    _budget_lines(axes, limits)
    axes.set_yticks(range(len(bars)), labels, fontsize=10.5)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, 1.01 * max(bar.total for bar in bars))
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


def _draw_bars(axes: Axes, bars: Sequence[_Bar]) -> None:
    start = [0.0] * len(bars)
    for index, (name, colour, _) in enumerate(BUCKETS):
        widths = [bar.buckets[index] for bar in bars]
        axes.barh(
            range(len(bars)),
            widths,
            left=start,
            height=0.62,
            color=colour,
            edgecolor="white",
            linewidth=0.5,
            label=name,
        )
        start = [before + width for before, width in zip(start, widths, strict=True)]


def _budget_lines(axes: Axes, limits: Collection[float]) -> None:
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
