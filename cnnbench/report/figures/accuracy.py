"""How right is every network at the end, how sure is that, and which cannot be told apart?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.figures.canvas import add_panel, in_both_widths, name_rows, note
from cnnbench.report.figures.labels import label_width
from cnnbench.report.figures.style import (
    ABOVE,
    DASHED,
    INK,
    MUTED,
    ON_PAPER,
    SMALL,
    WIDTH,
    Picture,
    Style,
)
from cnnbench.report.text.escape import shorten
from cnnbench.report.text.wording import STARVED, UNRANKED, marked, percent, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_TIES = "bars join what cannot be told apart"


def accuracy_picture(
    comparison: Comparison,
    unfinished: Sequence[tuple[str, str]],
    styles: Mapping[str, Style],
    *,
    alt: str,
) -> Picture:
    """Draw every network's final accuracy with its interval, best on top where they are ranked.

    `unfinished` has (label, reason) of the cells without a result; they are rows too. Bars at
    the right join networks that cannot be told apart. On a narrow page names stand over the rows.
    """
    shown = _Shown(comparison, unfinished, styles)
    n_rows, n_notes = max(1, len(shown.names)), len(shown.notes)
    n_more = n_notes + bool(shown.tied)

    def draw(figure: Figure, narrow: bool) -> None:
        (_draw_narrow if narrow else _draw_wide)(figure, shown)

    wide, narrow = 0.46 * n_rows + 0.22 * n_notes, 0.62 * n_rows + 0.22 * n_more
    return in_both_widths("accuracy", alt, draw, wide=1.05 + wide, narrow=1.05 + narrow)


class _Shown:
    """What both pictures show, and the notes that stand below."""

    def __init__(
        self,
        comparison: Comparison,
        unfinished: Sequence[tuple[str, str]],
        styles: Mapping[str, Style],
    ) -> None:
        self.comparison, self.styles, self.entries = comparison, styles, comparison.entries
        self.names = [marked(shorten(e.label, 26), e.is_starved) for e in self.entries]
        self.names += [shorten(label) for label, _ in unfinished]
        self.reasons = dict(enumerate((reason for _, reason in unfinished), len(self.entries)))
        self.tied = [group for group in comparison.ties if len(group) > 1]
        self.withheld = comparison.machines.are_withheld
        self.notes = [STARVED] if any(entry.is_starved for entry in self.entries) else []
        self.notes += [UNRANKED] if self.withheld else []

    def score(self, entry: Entry) -> str:
        """Return the accuracy of an entry; where machines are unlike, no mean over its seeds."""
        shares = [row.top1 or 0.0 for row in entry.rows]
        if self.withheld and min(shares) < max(shares):
            return f"{span(min(shares), max(shares))} %"
        return f"{percent(entry.top1)} %"


def _draw_wide(figure: Figure, shown: _Shown) -> None:
    left = 0.3 + label_width(shown.names, size=11, limit=28)
    axes = _add_axes(figure, shown, left=left, right=1.8, notes=shown.notes)
    name_rows(axes, shown.names, size=11)
    width = WIDTH * axes.get_position().width
    for rank, entry in enumerate(shown.entries):
        score, rows = shown.score(entry), entry.rows
        counts = f"{rows[0].correct}/{rows[0].test_images}"
        if len(rows) > 1:
            counts = "" if shown.withheld else f"mean of {len(rows)}"
        mean = 0.0 if shown.withheld else 0.4
        _draw_seeds(axes, rank, entry, shown.styles[entry.label], mean_height=mean)
        _write_beside(axes, 1.02, rank, score, fontweight="bold", fontsize=11)
        _write_beside(axes, 1.02 + 0.72 / width, rank, counts, color=MUTED, fontsize=9.5)
    for rank, reason in shown.reasons.items():
        _write_beside(axes, 0.01, rank, shorten(reason, 64), color=MUTED, style="italic")
    if shown.tied:
        last = (1 + (1.75 + 0.16 * (len(shown.tied) - 1)) / width, 0)
        note(axes, _TIES, last, (4, -36), xycoords="axes fraction", ha="right", **SMALL)


def _draw_narrow(figure: Figure, shown: _Shown) -> None:
    notes = [*shown.notes, *([_TIES] if shown.tied else [])]
    axes = _add_axes(figure, shown, left=0.15, right=0.2, notes=notes)
    name_rows(axes, [""] * len(shown.names), size=11)
    for rank, name in enumerate(shown.names):
        _write_beside(axes, 0.0, rank - 0.34, name, fontsize=11)
    for rank, entry in enumerate(shown.entries):
        score = shown.score(entry)
        mean = 0.0 if shown.withheld else 0.3
        _draw_seeds(axes, rank + 0.14, entry, shown.styles[entry.label], mean_height=mean)
        _write_beside(axes, 1.0, rank - 0.34, score, ha="right", fontweight="bold", fontsize=11)
    for rank, reason in shown.reasons.items():
        _write_beside(axes, 0.0, rank, shorten(reason, 44), color=MUTED, style="italic")


def _add_axes(
    figure: Figure, shown: _Shown, *, left: float, right: float, notes: Sequence[str]
) -> Axes:
    """Add axes between two margins in inches, with what stands around them."""
    across = figure.get_figwidth() - left - right
    across -= 0.2 + 0.16 * len(shown.tied) if shown.tied else 0.0
    foot = 0.22 * len(notes)
    height = figure.get_figheight() - 0.95 - foot
    axes = add_panel(figure, left=left, bottom=0.6 + foot, width=across, height=height)
    axes.set_xlim(0, _upper_limit(shown.comparison))
    axes.set_xlabel("test images named right (%), with 95 % interval", loc="left")
    if shown.comparison.largest_class is not None:
        _chance_line(axes, shown.comparison.largest_class, until=len(shown.entries) - 0.5)
    _tie_bars(axes, shown.tied, x=1 + (right - 0.05) / across, step=0.16 / across)
    for index, text in enumerate(reversed(notes)):
        place = (left / figure.get_figwidth(), (0.1 + 0.22 * index) / figure.get_figheight())
        figure.text(*place, text, SMALL)
    return axes


def _write_beside(axes: Axes, x: float, rank: float, text: str, **font: Any) -> None:
    """Write level with a row, `x` being a share of the axes' width; lines do not cross it."""
    across = axes.get_yaxis_transform()
    axes.text(x, rank, text, transform=across, va="center_baseline", **ON_PAPER, **font)


def _draw_seeds(
    axes: Axes, level: float, entry: Entry, style: Style, *, mean_height: float
) -> None:
    """Draw a point and an interval for each seed, and a bar at the mean of several; none at 0."""
    rows = entry.rows
    levels = level + (np.arange(len(rows)) - (len(rows) - 1) / 2) * min(0.22, 0.7 / len(rows))
    lows, middles, highs = (
        [100 * (getattr(row, field) or 0.0) for row in rows]
        for field in ("top1_low", "top1", "top1_high")
    )
    axes.hlines(levels, lows, highs, color=style.colour, lw=2.4, capstyle="round")
    axes.plot(middles, levels, style.marker, color=style.colour, ms=8.5, mec="white")
    if len(rows) > 1 and mean_height:
        mean = 100 * entry.top1
        axes.plot(
            [mean, mean], [level - mean_height, level + mean_height], color=INK, lw=1.3, zorder=3
        )


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
