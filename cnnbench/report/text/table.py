"""What is a table before it is written, and how does it look in Markdown?"""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.report.text.escape import escape_markdown


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of plain text, escaped only when it is written; `align` has l or r a column.

    `cells` names the cell that each row tells of, where it tells of one, for links between tables.
    """

    header: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
    cells: tuple[str, ...] = ()


# -- Markdown -------------------------------------------------------------------------------------


def as_markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown; every cell is escaped."""
    marks = ["---:" if side == "r" else ":---" for side in table.align]
    lines = [list(map(escape_markdown, table.header)), marks]
    lines += [[escape_markdown(cell) for cell in line] for line in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
