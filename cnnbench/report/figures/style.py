"""What do all figures share: their width, colours, type, and how each network is drawn?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

INK: Final = "#24292f"
MUTED: Final = "#6e7781"
GRID: Final = "#d8dee4"
PAPER: Final = "#ffffff"
NARROW: Final = 4.1  # inches, for the screen of a telephone
WIDTH: Final = 9.0  # inches: 864 pixels, about the width of a page on GitHub
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
Dash = tuple[float, tuple[float, ...]]  # where the pattern begins, and its lengths in points
_DASHES: Final[Sequence[Dash]] = ((0, ()), (0, (5, 2)), (0, (1.2, 1.2)), (0, (6, 2, 1.2, 2)))
DASHED: Final = (0, (4, 3))  # budgets and chance
ABOVE: Final = ("data", "axes fraction")  # how a place over the top of the axes is given
SMALL: Final[dict[str, Any]] = {"color": MUTED, "fontsize": 9}
ON_PAPER: Final[dict[str, Any]] = {  # words that no line is to cross
    "bbox": {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}
}
RC: Final[dict[str, object]] = {
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
    """How every figure draws a network: a colour, and marker and dash as second cue."""

    colour: str
    marker: str
    dash: Dash

    @property
    def line(self) -> dict[str, Any]:
        """The keywords of a matplotlib line with markers."""
        cues = {"color": self.colour, "marker": self.marker, "linestyle": self.dash}
        return cues | {"markeredgecolor": "white", "markeredgewidth": 0.7}


def styles_of(networks: Mapping[str, str]) -> dict[str, Style]:
    """Give every label of a plan a style; `networks` says, in plan order, of which network it is.

    A network has one colour in all figures of a page, whatever became of the others; its settings
    differ by the dash. Where all are of one network each has a colour of its own.
    """
    is_one = len(set(networks.values())) == 1
    members: dict[str, list[str]] = {}
    for label, network in networks.items():
        members.setdefault(label if is_one else network, []).append(label)
    return {
        label: Style(
            colour=COLOURS[hue % len(COLOURS)],
            marker=_MARKERS[(hue + variant // len(_DASHES)) % len(_MARKERS)],
            dash=_DASHES[(hue // len(COLOURS) + variant) % len(_DASHES)],
        )
        for hue, of_hue in enumerate(members.values())
        for variant, label in enumerate(of_hue)
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A finished figure; `alt` states the finding for a reader who cannot see it.

    `narrow` is the same as SVG for a narrow page, empty where there is none.
    """

    name: str
    alt: str
    svg: str
    png: bytes
    narrow: str = ""
