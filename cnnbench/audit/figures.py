"""Which counts can a printed figure mean? 88.28, 0.8828, 113/128, 98.4 ± 0.3, 88,28 %."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cnnbench.planning.request import PlanError
from cnnbench.report.analysis.audit import Claim

__all__ = ["Figure", "Kind", "claim_of", "kind_of", "read_figure"]

Kind = Literal["percent", "share", "count"]

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?"
_FIGURE = re.compile(
    rf"(?P<value>{_NUMBER})\s*(?P<percent>%?)"
    rf"(?:\s*/\s*(?P<total>[0-9]+))?"
    rf"(?:\s*(?:±|\+/-|\+-|\(\s*±?)\s*(?P<deviation>{_NUMBER})\s*%?\s*\)?)?"
)
_MARKUP = re.compile(r"[*_`~]|<[^>]*>|\\textbf|[{}$]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number as it was printed, with its `decimals`, and what stands behind it."""

    text: str
    value: float
    decimals: int
    has_percent: bool
    total: int | None
    deviation: float | None


def read_figure(text: str, where: str) -> Figure:
    """Read one printed figure; PlanError, with `where` in front, if it is none."""
    bare = _MARKUP.sub("", text).strip()
    match = _FIGURE.fullmatch(bare)
    if match is None:
        raise PlanError(f"{where}: {text!r} is no accuracy; write 88.28, 0.8828 or 113/128")
    number = match["value"].replace(",", ".")
    value, deviation = float(number), match["deviation"]
    if not math.isfinite(value):
        raise PlanError(f"{where}: {text!r} is too large a number")
    decimals = len(number.partition(".")[2]) if "e" not in number.lower() else 17
    return Figure(
        text=bare,
        value=value,
        decimals=decimals,
        has_percent=bool(match["percent"]),
        total=int(match["total"]) if match["total"] else None,
        deviation=float(deviation.replace(",", ".")) if deviation else None,
    )


def kind_of(figures: Sequence[Figure], *, are_counts: bool) -> Kind:
    """Return what the figures of one column are: shares where none is above one, else per cent."""
    if are_counts:
        return "count"
    has_percent = any(figure.has_percent for figure in figures)
    return "percent" if has_percent or any(figure.value > 1 for figure in figures) else "share"


def claim_of(
    name: str, figure: Figure, kind: Kind, n_images: int | None, *, seeds: int, where: str
) -> Claim:
    """Return what a figure claims of a model.

    Raises:
        PlanError: if it is above what is possible, or nothing says of how many images it is.
    """
    total = n_images if figure.total is None else figure.total
    if total is None:
        raise PlanError(f"{where}: of how many test images is {figure.text}? Give -n")
    if total < 1:
        raise PlanError(f"{where}: a test of {total} images says nothing")
    if figure.total is not None or kind == "count":
        if figure.value != int(figure.value) or figure.value > total:
            raise PlanError(f"{where}: {figure.text} is no count of {total} images")
        lowest = highest = int(figure.value)
        possible = True
    else:
        whole = 100.0 if kind == "percent" else 1.0
        if figure.value > whole:
            raise PlanError(f"{where}: {figure.text} is above {whole:g}")
        lowest, highest, possible = _counts_of(figure, whole, total * seeds)
        lowest, highest = lowest // seeds, -(-highest // seeds)
    scale = {"percent": 100.0, "share": 1.0, "count": float(total)}[kind]
    return Claim(
        name=name,
        n_images=total,
        lowest=lowest,
        highest=highest,
        printed=figure.text,
        seeds=seeds,
        deviation=None if figure.deviation is None else figure.deviation / scale,
        is_possible=possible,
    )


def _counts_of(figure: Figure, whole: float, total: int) -> tuple[int, int, bool]:
    """Return the lowest and highest count that was printed so: rounded, or cut; else around it."""
    step, tiny = 10.0**-figure.decimals, 1e-9
    for low, high in ((-step / 2, step / 2), (0.0, step - 2 * tiny)):
        lowest = math.ceil((figure.value + low) / whole * total - tiny)
        highest = math.floor((figure.value + high) / whole * total + tiny)
        if lowest <= highest:
            return max(lowest, 0), min(highest, total), True
    exact = figure.value / whole * total
    return math.floor(exact), min(math.ceil(exact), total), False
