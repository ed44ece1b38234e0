"""What do all figures share: colours, type, axes, labels that do not overlap, repeatable bytes?"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnbench.report.text.escape import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#24292f"
MUTED: Final = "#6e7781"
GRID: Final = "#d8dee4"
PAPER: Final = "#ffffff"
WIDTH: Final = 9.0  # inches: 864 pixels, about the width of a page on GitHub
LABEL_LIMIT: Final = 20  # characters of a name beside a line; the panels are small
# Okabe and Ito (2008), chosen so that colour-blind readers tell them apart; yellow is left out
# because it cannot be seen on white.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#595959")
# On a dark page the same hues are lighter, so that they are seen as well as on white.
DARK_COLOURS: Final = ("#56a8e0", "#ef8236", "#2fc48f", "#e29cc4", "#f0b429", "#8fd0f5", "#a5a5a5")
CURRENCIES: Final = {  # what stands at an axis
    "epochs": "epochs",
    "seconds": "charged seconds",
    "images": "training images",
    "flops": "training FLOPs",
    "joules": "joules",
}
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_DASHES: Final[tuple[tuple[float, tuple[float, ...]], ...]] = (
    (0, ()),
    (0, (5, 2)),
    (0, (1.2, 1.2)),
    (0, (6, 2, 1.2, 2)),
)
DASHED: Final = (0, (4, 3))  # budgets and chance
ABOVE: Final = ("data", "axes fraction")  # how a place over the top of the axes is given
SMALL: Final = {"color": MUTED, "fontsize": 9}
_RC: Final[dict[str, object]] = {
    "text.parse_math": False,
    "text.usetex": False,
    "text.color": INK,
    "font.family": "sans-serif",
    "font.size": 10.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 2.0,
    "lines.markersize": 5.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "cnnbench",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """How every figure draws one contender: a colour, and marker and dash as second cue."""

    colour: str
    marker: str
    dash: tuple[float, tuple[float, ...]]

    @property
    def line(self) -> dict[str, Any]:
        """The keywords of a matplotlib line with markers."""
        cues = {"color": self.colour, "marker": self.marker, "linestyle": self.dash}
        return cues | {"markeredgecolor": "white", "markeredgewidth": 0.7}


def styles_of(labels: Sequence[str]) -> dict[str, Style]:
    """Give every contender a style by its place in the plan, the same in every figure."""
    distinct = list(dict.fromkeys(labels))
    return {
        label: Style(
            colour=COLOURS[index % len(COLOURS)],
            marker=_MARKERS[index % len(_MARKERS)],
            dash=_DASHES[(index // len(COLOURS)) % len(_DASHES)],
        )
        for index, label in enumerate(distinct)
    }


# -- figures and axes -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A finished figure; `alt` states the finding for a reader who cannot see it."""

    name: str
    alt: str
    svg: str
    png: bytes


@contextmanager
def house_figure(height: float) -> Iterator[Figure]:
    """Yield an empty figure of the common width, with our style in force until the block ends.

    matplotlib's global settings are as before afterwards.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC), warnings.catch_warnings():  # type: ignore[arg-type]
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


def set_ticks(axes: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    """Put ticks on the horizontal axis at these values and nowhere else."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    axes.xaxis.set_minor_locator(NullLocator())


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


# -- labels ---------------------------------------------------------------------------------------


def spread(
    wanted: npt.ArrayLike, *, gap: float, low: float, high: float
) -> npt.NDArray[np.float64]:
    """Move positions as little as possible so that neighbours are at least `gap` apart.

    The order stays, and all end in [low, high]; where they cannot fit, the gap shrinks. This is
    isotonic regression on the positions less their share of the gaps.

    >>> spread([1.0, 1.0], gap=1.0, low=0.0, high=9.0)
    array([0.5, 1.5])
    """
    from scipy.optimize import isotonic_regression

    positions = np.asarray(wanted, dtype=np.float64)
    count = len(positions)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    steps = gap * np.arange(count)
    order = np.argsort(positions, kind="stable")
    fitted = isotonic_regression(positions[order] - steps).x
    placed = np.empty(count)
    placed[order] = np.clip(fitted, low, max(low, high - gap * (count - 1))) + steps
    return placed


def label_width(labels: Sequence[str], *, size: float = 10.0, limit: int = 28) -> float:
    """Return about how many inches the widest label takes at a font size in points."""
    widest = max((len(shorten(label, limit)) for label in labels), default=0)
    return widest * size * 0.61 / 72


class LineEnd(NamedTuple):
    """The last point of a line, in data coordinates, and the name to write beside it."""

    label: str
    style: Style
    x: float
    y: float


def label_ends(axes: Axes, ends: Sequence[LineEnd], *, column: bool = False) -> None:
    """Write each line's name beside its last point, clear of the other names.

    With `column` all names stand right of the axes, clear of the points too. A name that had to
    move is joined to its point by a thin line. The axes' place in the figure and their limits
    must be final.
    """
    if not ends:
        return
    box, figure = axes.get_position(), axes.get_figure(root=True)
    assert figure is not None  # axes that are drawn on are in a figure
    width, height = 72 * figure.get_size_inches() * (box.width, box.height)
    size = min(9.5, max(5.0, height / len(ends) / 1.25))
    to_axes = axes.transData + axes.transAxes.inverted()
    points = to_axes.transform([(end.x, end.y) for end in ends]) * (width, height)
    widths = [72 * label_width([end.label], size=size, limit=LABEL_LIMIT) for end in ends]
    beside = np.full(len(ends), width) if column else points[:, 0]
    for cluster in _overlapping(beside, widths):
        levels = spread(points[cluster, 1], gap=1.25 * size, low=0.0, high=height)
        for index, level in zip(cluster, levels, strict=True):
            end, (x, y) = ends[index], points[index]
            leader = {"arrowstyle": "-", "color": end.style.colour, "lw": 0.8, "shrinkB": 2}
            axes.annotate(
                shorten(end.label, LABEL_LIMIT),
                xy=(x / width, y / height),
                xytext=((beside[index] + 7.0) / width, level / height),
                xycoords="axes fraction",
                textcoords="axes fraction",
                va="center_baseline",
                fontsize=size,
                annotation_clip=False,
                bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
                arrowprops=leader if column or abs(level - y) > 0.4 * size else None,
            )


def _overlapping(
    starts: npt.NDArray[np.float64], widths: Sequence[float]
) -> list[npt.NDArray[np.intp]]:
    """Group labels whose horizontal extents touch, directly or through others."""
    groups: list[list[int]] = []
    reach = -np.inf
    for index in np.argsort(starts, kind="stable"):
        if starts[index] > reach:
            groups.append([])
        groups[-1].append(int(index))
        reach = max(reach, starts[index] + 7.0 + widths[index])
    return [np.array(group) for group in groups]
