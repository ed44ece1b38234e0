"""How does accuracy grow with the budget, and where does one network overtake another?

Each rung of a ladder is a training of its own whose schedule ended on that budget, so the points of
a line are not one curve read at several places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cnnbench.report.analysis.ladder import Crossing, Point, crossings, points
from cnnbench.report.figures.style import styles_of
from cnnbench.report.figures.sweep import ladder_picture
from cnnbench.report.sections.pairs import standing
from cnnbench.report.sections.section import Section
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, p_value, percent, span
from cnnbench.schema.budget import Currency
from cnnbench.schema.names import line_names

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.schema.cell import Plan


# -- in words and as data -------------------------------------------------------------------------


def crossing_sentence(crossing: Crossing) -> str:
    """Say where one network overtakes another, or that it is not established."""
    where = f"between {crossing.before} and {crossing.after}"
    timed = crossing.after.currency is Currency.SECONDS
    if crossing.established:
        machine = " on this machine" if timed else ""
        return f"{crossing.ahead} overtakes {crossing.behind} {where}{machine}."
    return (
        f"{crossing.ahead} is seen to overtake {crossing.behind} {where}, but this is not "
        f"established on both sides: {p_value(crossing.p_before)} at {crossing.before}, "
        f"{p_value(crossing.p_after)} at {crossing.after}."
    )


def established_crossings(comparison: Comparison) -> list[str]:
    """Say the crossings that are established; empty where there is no ladder."""
    lines = {one.label: one.line for rung in comparison.rungs for one in rung.entries}
    found = crossings(comparison, lines) if comparison.smaller else []
    return [crossing_sentence(one) for one in found if one.established]


def ladder_sentences(comparison: Comparison, lines: Mapping[str, str]) -> list[str]:
    """Say every crossing, and for every rung which ranks are established."""
    found = [crossing_sentence(one) for one in crossings(comparison, lines)]
    if not found:
        found.append("No network is seen to overtake another on this ladder.")
    return found + [_rung_sentence(rung, lines) for rung in comparison.rungs]


def _rung_sentence(rung: Comparison, lines: Mapping[str, str]) -> str:
    if not rung.entries:
        return f"At {rung.budget} no cell has finished."
    order = standing(rung, lines)
    proven = sum(pair.separated for pair in rung.pairs)
    return f"At {rung.budget}: {order} ({proven} of {len(rung.pairs)} ranks established)."


def ladder_table(comparison: Comparison, lines: Mapping[str, str]) -> Table:
    """Return a line a network and a column a rung: accuracy, its interval, its ties."""
    found = {(point.line, str(point.budget)): point for point in points(comparison, lines)}
    budgets = [str(rung.budget) for rung in comparison.rungs]
    rows = tuple(
        (name, *(_entry(found.get((name, budget))) for budget in budgets))
        for name in dict.fromkeys(lines.values())
    )
    return Table(header=("model", *budgets), align="l" + "r" * len(budgets), rows=rows)


def _entry(point: Point | None) -> str:
    if point is None:
        return NOTHING
    return f"{percent(point.top1)} ({span(point.low, point.high)}) {point.tie}"


def ladder_section(plan: Plan, comparison: Comparison) -> list[Section]:
    """Return the section on a ladder of budgets, if the plan is one."""
    if not comparison.smaller:
        return []
    lines = line_names(plan)
    found, said = points(comparison, lines), ladder_sentences(comparison, lines)
    picture = None
    if found:
        chance, styles = comparison.largest_class, styles_of(list(lines.values()))
        picture = ladder_picture(found, styles, chance=chance, alt=" ".join(said))
    return [
        Section(
            title="Accuracy against budget",
            points=said,
            picture=picture,
            table=ladder_table(comparison, lines),
            note=_LADDER_NOTE,
        )
    ]


_LADDER_NOTE = (
    "Every rung is a training of its own, and its learning rate reached zero at that budget. "
    "Networks that share a letter within a column cannot be told apart under that budget; > is an "
    "established rank and ~ a tie. One correction covers the pairs of all rungs."
)
