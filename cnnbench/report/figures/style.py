"""What do all pictures share: colours, type, labels that do not overlap, and bytes that repeat?"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_DASHES: Final[tuple[tuple[float, tuple[float, ...]], ...]] = (
    (0, ()),
    (0, (5, 2)),
    (0, (1.2, 1.2)),
    (0, (6, 2, 1.2, 2)),
)
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
    "lines.linewidth": 2.0,
    "lines.markersize": 5.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "cnnbench",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How one contender looks in every picture: a colour, and a marker and dash as second cue."""

    colour: str
    marker: str
    dash: tuple[float, tuple[float, ...]]

    @property
    def variable(self) -> str:
        """The name of the page's CSS variable that holds this colour for light and for dark."""
        return f"--line-{COLOURS.index(self.colour)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A finished picture; `alt` states the finding for whoever cannot see it."""

    name: str
    alt: str
    svg: str
    png: bytes


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """Give every contender its look, in plan order, so that it is the same in every picture."""
    distinct = list(dict.fromkeys(labels))
    return {
        label: Look(
            colour=COLOURS[index % len(COLOURS)],
            marker=_MARKERS[index % len(_MARKERS)],
            dash=_DASHES[(index // len(COLOURS)) % len(_DASHES)],
        )
        for index, label in enumerate(distinct)
    }


def draw(name: str, alt: str, fill: Callable[[], Figure]) -> Picture:
    """Let `fill` build a figure in the house's style and return it as SVG and PNG.

    The same input gives the same bytes. matplotlib's global settings are as before afterwards.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    svg, png = io.BytesIO(), io.BytesIO()
    with mpl.rc_context(_RC), warnings.catch_warnings():  # type: ignore[arg-type]
        # A name may use a script that the bundled font lacks; the SVG still shows it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = fill()
        FigureCanvasAgg(figure)
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "cnnbench"})
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Picture(name=name, alt=alt, svg=svg.getvalue().decode(), png=png.getvalue())


def spread(
    wanted: npt.ArrayLike, *, gap: float, low: float, high: float
) -> npt.NDArray[np.float64]:
    """Move positions as little as possible so that neighbours are at least `gap` apart.

    The order stays, and all end in [low, high]; where they cannot fit, the gap shrinks. This is
    isotonic regression on the positions less their share of the gaps.

    >>> spread([1.0, 1.0], gap=1.0, low=0.0, high=9.0)
    array([0.5, 1.5])
    """
    positions = np.asarray(wanted, dtype=np.float64)
    count = len(positions)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    steps = gap * np.arange(count)
    order = np.argsort(positions, kind="stable")
    fitted = _isotonic(positions[order] - steps)
    placed = np.empty(count)
    placed[order] = np.clip(fitted, low, max(low, high - gap * (count - 1))) + steps
    return placed


def _isotonic(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the nearest sequence that never falls, by pooling neighbours that do."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = float(value), 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean = (mean * size + before * count) / (size + count)
            size += count
        blocks.append((mean, size))
    return np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])


def label_width(labels: Sequence[str], *, size: float = 10.0, limit: int = 28) -> float:
    """Return about how many inches the widest label takes at a font size in points."""
    widest = max((len(shorten(label, limit)) for label in labels), default=0)
    return widest * size * 0.61 / 72


@dataclass(frozen=True, kw_only=True, slots=True)
class LineEnd:
    """The last point of a line, in data coordinates, and the name to write beside it."""

    label: str
    look: Look
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
            x, y = points[index]
            shown = ((beside[index] + 7.0) / width, level / height)
            moved = column or abs(level - y) > 0.4 * size
            point = (x / width, y / height)
            _end_label(axes, ends[index], point, shown, size=size, moved=moved)


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


def _end_label(
    axes: Axes,
    end: LineEnd,
    point: tuple[float, float],
    shown: tuple[float, float],
    *,
    size: float,
    moved: bool,
) -> None:
    leader = {"arrowstyle": "-", "color": end.look.colour, "lw": 0.8, "shrinkB": 2}
    axes.annotate(
        shorten(end.label, LABEL_LIMIT),
        xy=point,
        xytext=shown,
        xycoords="axes fraction",
        textcoords="axes fraction",
        va="center_baseline",
        fontsize=size,
        annotation_clip=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
        arrowprops=leader if moved else None,
    )
