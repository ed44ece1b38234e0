"""How does the table of a report get into a paper, with every name as plain text?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cnnbench.report.text.escape import visible

if TYPE_CHECKING:
    from cnnbench.report.text.table import Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "-": "{-}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "\u2212": r"\textminus{}",
    "\u2013": "--",
}
_NEEDS_CARE = re.compile("|".join(map(re.escape, _SPECIAL)))


def escape_latex(text: str) -> str:
    r"""Return text that LaTeX sets as it is: no command, formula, comment or column.

    Dashes and quotes are kept from joining into others; letters outside Latin need XeLaTeX or
    LuaLaTeX, `\textquotesingle` and its like the package textcomp.

    >>> escape_latex("50 % of $x_1$")
    '50 \\% of \\$x\\_1\\$'
    """
    return _NEEDS_CARE.sub(lambda found: _SPECIAL[found[0]], visible(text))


def as_latex(table: Table) -> str:
    r"""Return a table for `\input`; its document needs the package booktabs."""
    lines = [
        "% Needs \\usepackage{booktabs,textcomp}; written by cnnbench.",
        f"\\begin{{tabular}}{{{table.align}}}",
        "\\toprule",
        _line(table.header),
        "\\midrule",
        *(_line(row) for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return " & ".join(map(escape_latex, cells)) + " \\\\"
