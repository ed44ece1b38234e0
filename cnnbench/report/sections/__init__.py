"""What is a section of a report, and what does every section read?

Each section is a function in a file of this folder. It takes a `RunReport` and returns a `Section`,
or None where the run has nothing to say in it. `write.py` puts the functions in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnbench.report.analysis.comparison import MOST_COMPARED, Comparison, compare
from cnnbench.report.analysis.curves import Curve, TimeToAccuracy, curves, times_to_accuracy
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.figures.style import Picture, Style, styles_of
from cnnbench.report.text.table import Table
from cnnbench.schema.cell import Plan
from cnnbench.schema.names import labels
from cnnbench.schema.result import Row, RunSeconds
from cnnbench.store import RunFolder

__all__ = ["Console", "Facts", "Grid", "MakeSection", "Paragraph", "Points"]
__all__ += ["RunReport", "Section"]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences; in HTML a note is smaller and grey.

    `files` are names of files in the run folder that the text links to, `code` are words for a
    shell in it.
    """

    text: str
    note: bool = False
    files: tuple[str, ...] = ()
    code: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Points:
    """Sentences as a list of points, numbered or not; a `Paragraph` has words for a shell."""

    lines: Sequence[str | Paragraph]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names, each with its value."""

    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Console:
    """Commands for a shell."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table and what a reader of the HTML page can do with it.

    `caption` says to a screen reader what it shows, where that is not its section's title. Readers
    can search its rows if it is `filtered`. Rows of other tables link to those of a `linked` table.
    """

    table: Table
    caption: str = ""
    filtered: bool = False
    linked: bool = False


Block = Paragraph | Points | Facts | Console | Grid | Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One section as plain text, which each page escapes in its own way.

    Links lead to its `anchor`, and `menu` is its name in the navigation, if it is listed there.
    `template` is the file that shows what only the HTML page has, from `content`.
    """

    title: str
    blocks: Sequence[Block | None]
    anchor: str = ""
    menu: str = ""
    template: str = ""
    content: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """All that the sections need of a run folder, read once.

    `names` says what each cell is called, by its id. `drawn` are the rows that fit into the
    pictures; `styles`, by name, and `curves` are theirs. `times` says when each cell first reached
    the `target`, and is empty where none was asked for. `seconds` are those of no cell, None where
    an older version did not measure them.
    """

    run: RunFolder
    plan: Plan
    rows: Sequence[Row]
    names: Mapping[str, str]
    comparison: Comparison
    drawn: Sequence[Row]
    styles: Mapping[str, Style]
    curves: Sequence[Curve]
    target: float | None
    times: Sequence[TimeToAccuracy]
    seconds: RunSeconds | None

    @classmethod
    def read(cls, run: RunFolder, *, target: float | None = None) -> RunReport:
        """Read a run folder; `target` is an accuracy, a share in (0, 1]."""
        plan, rows = run.plan(), read_rows(run)
        names, comparison = labels(plan), compare(run, rows)
        drawn = _drawn(rows, names, comparison)
        drawn_names = {row.cell: names[row.cell] for row in drawn}
        # The largest budget of a ladder first: its curves look like the ladder's own lines.
        cells = sorted(plan.cells, key=lambda cell: -cell.budget.limit)
        styles = styles_of({names[cell.id]: cell.model for cell in cells})
        return cls(
            run=run,
            plan=plan,
            rows=rows,
            names=names,
            comparison=comparison,
            drawn=drawn,
            styles={name: styles[name] for name in drawn_names.values()},
            curves=curves(run, drawn_names),
            target=target,
            times=[] if target is None else times_to_accuracy(run, names, target),
            seconds=run.seconds(),
        )

    @property
    def chance_on_curves(self) -> float | None:
        """The accuracy of always naming the largest class, if the curves are on the same images."""
        tested = {row.split for row in self.rows}
        on_same = bool(self.curves) and self.curves[0].split in tested
        return self.comparison.largest_class if on_same else None


def _drawn(rows: Sequence[Row], names: Mapping[str, str], comparison: Comparison) -> list[Row]:
    """Return the rows that fit into the pictures, in plan order: the best, then the unfinished."""
    compared = [entry.label for entry in comparison.entries]
    unfinished = [names[row.cell] for row in rows if row.status != "done"]
    kept = set(list(dict.fromkeys(compared + unfinished))[:MOST_COMPARED])
    return [row for row in rows if names[row.cell] in kept]


MakeSection = Callable[[RunReport], Section | None]
