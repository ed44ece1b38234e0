"""Which further sections does a run give its report: seeds, a ladder, a sweep, a target?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnbench.report.groups import group_sentences, group_table

if TYPE_CHECKING:
    from cnnbench.report.compare import Comparison
    from cnnbench.report.style import Picture
    from cnnbench.report.tables import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One section of a page as plain text: a picture, points, a table and a note, where present."""

    title: str
    points: Sequence[str] = ()
    picture: Picture | None = None
    table: Table | None = None
    note: str = ""


def seeds_section(comparison: Comparison) -> list[Section]:
    """Return the section on several seeds, if a network has them."""
    table = group_table(comparison)
    if table is None:
        return []
    note = " ".join(group_sentences(comparison))
    return [Section(title="Over the seeds", table=table, note=note)]
