"""How is a figure begun, given its axes, and written with the same bytes every time?"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnnbench.report.figures.style import DASHED, MUTED, NARROW, RC, WIDTH, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def house_figure(height: float, *, width: float = WIDTH) -> Iterator[Figure]:
    """Yield an empty figure of this size in inches, with our style in force until the block ends.

    matplotlib's global settings are as before afterwards.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(RC), warnings.catch_warnings():  # type: ignore[arg-type]
        # A name may use a script that the bundled font lacks; the SVG still shows it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield Figure(figsize=(width, height))


def as_picture(figure: Figure, name: str, alt: str) -> Picture:
    """Return a figure as SVG and PNG, inside its `house_figure` block; same input, same bytes."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Picture(name=name, alt=alt, svg=as_svg(figure), png=png.getvalue())


def in_both_widths(
    name: str, alt: str, draw: Callable[[Figure, bool], None], *, wide: float, narrow: float
) -> Picture:
    """Return a picture that is drawn for a page and again for a narrow one.

    `wide` and `narrow` are its heights in inches; `draw` is told which of the two it draws.
    """
    with house_figure(wide) as figure:
        draw(figure, False)
        picture = as_picture(figure, name, alt)
    with house_figure(narrow, width=NARROW) as figure:
        draw(figure, True)
        return replace(picture, narrow=as_svg(figure))


def as_svg(figure: Figure) -> str:
    """Return a figure as SVG, inside its `house_figure` block; same input, same bytes."""
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "cnnbench"})
    return svg.getvalue().decode()


def add_panel(figure: Figure, *, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes whose place in the figure is given in inches."""
    across, whole = figure.get_figwidth(), figure.get_figheight()
    return figure.add_axes((left / across, bottom / whole, width / across, height / whole))


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
