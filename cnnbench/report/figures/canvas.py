"""How is a figure begun, given its axes, and written with the same bytes every time?"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cnnbench.report.figures.style import DASHED, MUTED, RC, WIDTH, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def house_figure(height: float) -> Iterator[Figure]:
    """Yield an empty figure of the common width, with our style in force until the block ends.

    matplotlib's global settings are as before afterwards.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(RC), warnings.catch_warnings():  # type: ignore[arg-type]
        # A name may use a script that the bundled font lacks; the SVG still shows it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield Figure(figsize=(WIDTH, height))


def as_picture(figure: Figure, name: str, alt: str) -> Picture:
    """Return a figure as SVG and PNG, inside its `house_figure` block; same input, same bytes."""
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "cnnbench"})
    figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Picture(name=name, alt=alt, svg=svg.getvalue().decode(), png=png.getvalue())


def add_panel(figure: Figure, *, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes whose place in the figure is given in inches."""
    whole = figure.get_figheight()
    return figure.add_axes((left / WIDTH, bottom / whole, width / WIDTH, height / whole))


def name_rows(axes: Axes, labels: Sequence[str], *, size: float) -> None:
    """Write a name left of every row, the first on top; rows need no ticks, grid or spine."""
    axes.set_yticks(range(len(labels)), labels, fontsize=size)
    axes.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def limit_to_accuracies(axes: Axes, chance: float | None) -> None:
    """Let the axis of accuracies run from 0 to 100 % at most, with a dashed line at `chance`."""
    if chance is not None:
        axes.axhline(100 * chance, color=MUTED, linewidth=1.0, linestyle=DASHED, zorder=1)
    axes.set_ylim(bottom=0, top=min(100.0, axes.get_ylim()[1]))


def note(
    axes: Axes, text: str, at: tuple[float, float], shift: tuple[float, float], **font: Any
) -> None:
    """Write beside a point, `shift` points from it; `xycoords` may say how the point is given."""
    axes.annotate(text, at, shift, textcoords="offset points", **font)
