"""How right is every network at the end, how sure is that, and which cannot be told apart?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.report.figures.style import INK, MUTED, WIDTH, Look, Picture, draw, label_width
from cnnbench.report.text.escape import shorten
from cnnbench.report.text.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.report.analysis.entries import Entry


def accuracy_picture(
    comparison: Comparison,
    unfinished: Sequence[tuple[str, str]],
    look: Mapping[str, Look],
    *,
    alt: str,
) -> Picture:
    """Draw every contender's final accuracy with its interval, best on top.

    `unfinished` has (label, reason) of the cells without a result; they are lines too. Bars at
    the right join contenders that cannot be told apart.
    """
    return draw("accuracy", alt, lambda: _accuracy(comparison, unfinished, look))


def _accuracy(
    comparison: Comparison, unfinished: Sequence[tuple[str, str]], look: Mapping[str, Look]
) -> Figure:
    from matplotlib.figure import Figure

    labels = [one.label for one in comparison.entries] + [label for label, _ in unfinished]
    count = max(1, len(labels))
    tied = [group for group in comparison.groups if len(group) > 1]
    height, left = 1.05 + 0.46 * count, 0.3 + label_width(labels, size=11)
    right = 1.8 + (0.2 + 0.16 * len(tied) if tied else 0.0)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes(
        (left / WIDTH, 0.6 / height, (WIDTH - left - right) / WIDTH, (height - 0.95) / height)
    )
    for rank, entry in enumerate(comparison.entries):
        _whisker(axes, rank, entry, look[entry.label])
    for rank, (_, reason) in enumerate(unfinished, start=len(comparison.entries)):
        _beside(axes, 0.01, rank, shorten(reason, 64), color=MUTED, style="italic")
    axes.set_yticks(range(len(labels)), [shorten(label) for label in labels], fontsize=11)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_xlim(0, _accuracy_limit(comparison))
    _chance_line(axes, comparison.largest_class, until=len(comparison.entries) - 0.5)
    _tie_bars(axes, tied, x=1 + 1.75 / (WIDTH - left - right))
    axes.set_xlabel("test images named right (%), with 95 % interval", loc="left")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    return figure


def _beside(axes: Axes, x: float, rank: float, text: str, **look: str | float) -> None:
    """Write level with a line, `x` being a share of the axes' width."""
    axes.text(x, rank, text, transform=axes.get_yaxis_transform(), va="center_baseline", **look)  # type: ignore[arg-type]


def _whisker(axes: Axes, rank: int, entry: Entry, look: Look) -> None:
    answers = list(entry.answers.values())
    offsets = (np.arange(len(answers)) - (len(answers) - 1) / 2) * min(0.22, 0.7 / len(answers))
    lows, middles, highs = (
        [100 * (getattr(one.row, field) or 0.0) for one in answers]
        for field in ("top1_low", "top1", "top1_high")
    )
    levels = rank + offsets
    axes.hlines(levels, lows, highs, color=look.colour, lw=2.4, capstyle="round")
    axes.plot(
        middles,
        levels,
        linestyle="none",
        marker=look.marker,
        markersize=8.5,
        color=look.colour,
        markeredgecolor="white",
    )
    if len(answers) > 1:
        mean = 100 * entry.top1
        axes.plot([mean, mean], [rank - 0.4, rank + 0.4], color=INK, lw=1.3, zorder=3)
    row = answers[0].row
    counts = f"{row.correct}/{row.test_images}" if len(answers) == 1 else f"mean of {len(answers)}"
    _beside(axes, 1.02, rank, f"{percent(entry.top1)} %", fontweight="bold", fontsize=11)
    width = axes.get_position().width * WIDTH
    _beside(axes, 1.02 + 0.72 / width, rank, counts, color=MUTED, fontsize=9.5)


def _chance_line(axes: Axes, share: float | None, *, until: float) -> None:
    if share is None:
        return
    at = 100 * share
    axes.plot([at, at], [-0.5, until], color=MUTED, lw=1.1, ls=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"always the largest class: {percent(share)} %",
        xy=(at, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 4),
        textcoords="offset points",
        color=MUTED,
        fontsize=9,
        ha="left" if at < axes.get_xlim()[1] / 2 else "right",
    )


def _accuracy_limit(comparison: Comparison) -> float:
    highs = [one.row.top1_high or 0.0 for c in comparison.entries for one in c.answers.values()]
    return min(100.0, 100 * max([*highs, comparison.largest_class or 0.0, 0.1]) + 3)


def _tie_bars(axes: Axes, groups: Sequence[tuple[int, ...]], *, x: float) -> None:
    step = 0.16 / (axes.get_position().width * WIDTH)
    for index, group in enumerate(groups):
        at = x + index * step
        axes.plot(
            [at] * len(group),
            group,
            transform=axes.get_yaxis_transform(),
            color=MUTED,
            marker="o",
            markersize=4,
            linewidth=1.6,
            clip_on=False,
        )
    if groups:
        axes.annotate(
            "bars join what cannot be told apart",
            xy=(x + (len(groups) - 1) * step, 0),
            xycoords="axes fraction",
            xytext=(4, -36),
            textcoords="offset points",
            color=MUTED,
            fontsize=9,
            ha="right",
        )
