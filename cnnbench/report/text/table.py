"""What is a table before it is written, and how does it look in Markdown and in LaTeX?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cnnbench.report.text.escape import escape_latex, escape_markdown

__all__ = ["Table", "as_markdown", "table_of"]

Item = TypeVar("Item")
Column = tuple[str, str, Callable[[Item], str]]  # its title, l or r, and what it shows of a line


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of plain text, escaped only when it is written; `align` has l or r a column.

    `cells` has for each row the cell that it tells of, for links between tables; it is empty where
    the rows are not of cells.
    """

    header: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
    cells: tuple[str, ...] = ()


def table_of(
    items: Sequence[Item], columns: Sequence[Column[Item]], *, cells: tuple[str, ...] = ()
) -> Table:
    """Return a table with a line an item."""
    return Table(
        header=tuple(title for title, _, _ in columns),
        align="".join(side for _, side, _ in columns),
        rows=tuple(tuple(text_of(item) for _, _, text_of in columns) for item in items),
        cells=cells,
    )


def as_markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown; every cell is escaped."""
    sides = ["---:" if side == "r" else ":---" for side in table.align]
    lines = [list(map(escape_markdown, table.header)), sides]
    lines += [list(map(escape_markdown, row)) for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_latex(table: Table) -> str:
    r"""Return a table for `\input`; its document needs the packages booktabs and textcomp."""
    lines = [
        "% Needs \\usepackage{booktabs,textcomp}; written by cnnbench.",
        f"\\begin{{tabular}}{{{table.align}}}",
        "\\toprule",
        _latex_line(table.header),
        "\\midrule",
        *(_latex_line(row) for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(map(escape_latex, cells)) + " \\\\"
