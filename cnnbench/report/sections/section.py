"""Which further sections does a run give its report: seeds, a ladder, a sweep, a target?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnbench.report.figures.style import Picture
    from cnnbench.report.text.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One section of a page as plain text: a picture, points, a table and a note, where present."""

    title: str
    points: Sequence[str] = ()
    picture: Picture | None = None
    table: Table | None = None
    note: str = ""
