"""How does accuracy grow with the budget, and where does one network overtake another?

Each rung of a ladder is a training of its own whose schedule ended on that budget, so the points of
a line are not one curve read at several places.
"""

from collections.abc import Mapping

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.ladder import Crossing, Point, crossings, points
from cnnbench.report.figures.style import styles_of
from cnnbench.report.figures.sweep import ladder_picture
from cnnbench.report.sections import Grid, Paragraph, Points, RunReport, Section
from cnnbench.report.sections.pairs import standing
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, STARVED, holm_p, marked, percent, span
from cnnbench.schema.budget import Currency
from cnnbench.schema.names import line_names

_NOTE = (
    "Every rung is a training of its own, and its learning rate reached zero at that budget. "
    "Networks that share a letter within a column cannot be told apart under that budget; > is an "
    "established rank and ~ a tie. One correction covers the pairs of all rungs."
)


def section(report: RunReport) -> Section | None:
    """Show accuracy against budget, if the plan is a ladder of budgets."""
    comparison = report.comparison
    if not comparison.smaller:
        return None
    lines = line_names(report.plan)
    measured, sentences = points(comparison, lines), ladder_sentences(comparison, lines)
    picture = None
    if measured:
        networks = {lines[report.names[cell.id]]: cell.model for cell in report.plan.cells}
        chance, styles = comparison.largest_class, styles_of(networks)
        picture = ladder_picture(measured, styles, chance=chance, alt=" ".join(sentences))
    starved = f" {STARVED}" if any(point.starved for point in measured) else ""
    table, note = Grid(ladder_table(comparison, lines)), Paragraph(_NOTE + starved, note=True)
    blocks = [picture, Points(sentences), table, note]
    return Section(title="Accuracy against budget", blocks=blocks)


def ladder_sentences(comparison: Comparison, lines: Mapping[str, str]) -> list[str]:
    """Say every crossing, and for every rung which ranks are established."""
    sentences = [crossing_sentence(crossing) for crossing in crossings(comparison, lines)]
    if not sentences:
        sentences.append("No network is seen to overtake another on this ladder.")
    return sentences + [_rung_sentence(rung, lines) for rung in comparison.rungs]


def established_crossings(comparison: Comparison) -> list[str]:
    """Say the crossings that are established; empty where there is no ladder."""
    lines = {entry.label: entry.line for rung in comparison.rungs for entry in rung.entries}
    return [crossing_sentence(c) for c in crossings(comparison, lines) if c.established]


def crossing_sentence(crossing: Crossing) -> str:
    """Say where one network overtakes another, or that it is not established."""
    where = f"between {crossing.before} and {crossing.after}"
    if crossing.established:
        timed = crossing.after.currency is Currency.SECONDS
        machine = " on this machine" if timed else ""
        return f"{crossing.ahead} overtakes {crossing.behind} {where}{machine}."
    return (
        f"{crossing.ahead} is seen to overtake {crossing.behind} {where}, but this is not "
        f"established on both sides: {holm_p(crossing.p_before)} at {crossing.before}, "
        f"{holm_p(crossing.p_after)} at {crossing.after}."
    )


def _rung_sentence(rung: Comparison, lines: Mapping[str, str]) -> str:
    if not rung.entries:
        return f"At {rung.budget} no cell has finished."
    order = standing(rung, lines)
    proven = sum(pair.separated for pair in rung.pairs)
    return f"At {rung.budget}: {order} ({proven} of {len(rung.pairs)} ranks established)."


def ladder_table(comparison: Comparison, lines: Mapping[str, str]) -> Table:
    """Return a line a network and a column a rung: accuracy, its interval, its ties."""
    measured = {(point.line, str(point.budget)): point for point in points(comparison, lines)}
    budgets = [str(rung.budget) for rung in comparison.rungs]
    rows = tuple(
        (name, *(_point_text(measured.get((name, budget))) for budget in budgets))
        for name in dict.fromkeys(lines.values())
    )
    return Table(header=("model", *budgets), align="l" + "r" * len(budgets), rows=rows)


def _point_text(point: Point | None) -> str:
    if point is None:
        return NOTHING
    text = f"{percent(point.top1)} ({span(point.low, point.high)}) {point.tie}"
    return marked(text, point.starved)
