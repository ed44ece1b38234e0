"""What is each ingredient of a paper worth under this budget, beside what the paper claims?"""

from collections.abc import Sequence
from dataclasses import dataclass

import zoo
from cnnbench.report.analysis.comparison import Comparison, Pair
from cnnbench.report.sections import Grid, Paragraph, Points, RunReport, Section
from cnnbench.report.stats.intervals import Interval
from cnnbench.report.text.table import Column, Table, table_of
from cnnbench.report.text.wording import NOTHING, holm_p, p_value, signed_points
from cnnbench.schema.cell import Plan
from zoo.cards import papers

_NOTE = (
    "An effect is the accuracy with the ingredient minus the accuracy without it, under this "
    "budget and on these images; the paper's is the fall of its top-1 error on ImageNet after full "
    "training, so the two columns need not agree. Tests and intervals are those of the run's "
    "pairs, with one correction for all of them."
)


def section(report: RunReport) -> Section | None:
    """Show what ingredients are worth, if the plan leaves those of a paper out one by one."""
    base = base_of(report.plan)
    measured = effects(report.comparison, base) if base else []
    if not base or not measured:
        return None
    points, table = Points(ablation_sentences(measured, base)), ablation_table(measured, base)
    return Section(
        title=f"What each ingredient of {base} is worth here",
        blocks=[points, Grid(table), Paragraph(_NOTE, note=True)],
    )


def base_of(plan: Plan) -> str | None:
    """Return the network that the plan's others leave an ingredient out of, or None."""
    models = list(dict.fromkeys(cell.model for cell in plan.cells))
    if len(models) < 2 or len({cell.budget for cell in plan.cells}) > 1:
        return None
    return models[0] if set(models[1:]) <= ingredients(models[0]).keys() else None


def ingredients(base: str) -> dict[str, str]:
    """Return by the name of a variant what it leaves out; empty for a network without variants."""
    try:
        return zoo.ablations(base)
    except LookupError:  # another library's network, or a name of another version
        return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What an ingredient adds: the base's accuracy minus that of the network without, as shares.

    `claimed` is the paper's own effect in points of top-1 error, or None where it states none.
    """

    label: str
    difference: float
    interval: Interval
    p_holm: float
    established: bool
    claimed: float | None
    source: str


def effects(comparison: Comparison, base: str) -> list[Effect]:
    """Return the effect of leaving each ingredient out, the largest first."""
    against_base = [pair for pair in comparison.pairs if base in (pair.better, pair.worse)]
    measured = [_effect(pair, base) for pair in against_base]
    return sorted(measured, key=lambda effect: -effect.difference)


def _effect(pair: Pair, base: str) -> Effect:
    """Return what was decided of a pair, seen from the base."""
    base_is_better = pair.better == base
    label, sign = (pair.worse, 1) if base_is_better else (pair.better, -1)
    low, high = pair.decision.interval
    claimed, source = _claim(label.split()[0])
    return Effect(
        label=label,
        difference=sign * pair.test.difference,
        interval=(low, high) if base_is_better else (-high, -low),
        p_holm=pair.decision.p_holm,
        established=pair.separated,
        claimed=claimed,
        source=source,
    )


def _claim(model: str) -> tuple[float | None, str]:
    """Return the points of top-1 error that a paper claims for an ingredient, and where."""
    for statement in papers()["statements"]:
        if statement["id"] == f"{model}/effect":
            expected = statement["expected"]
            points = expected[0] if isinstance(expected, list) else expected
            return float(points), statement["source"]
    return None, ""


def ablation_table(measured: Sequence[Effect], base: str) -> Table:
    """Return a line an ingredient: its effect here, whether it is established, the claim."""
    columns: list[Column[Effect]] = [
        (f"{base} against", "l", lambda effect: effect.label),
        ("leaves out", "l", lambda effect: _left_out(effect.label, base)),
        ("effect, points", "r", lambda effect: signed_points(effect.difference)),
        ("95 % interval", "r", lambda effect: " to ".join(map(signed_points, effect.interval))),
        ("Holm's p", "r", lambda effect: p_value(effect.p_holm)),
        ("established", "l", lambda effect: "yes" if effect.established else "no"),
        ("paper claims, points", "r", lambda effect: _claimed(effect.claimed)),
        ("where", "l", lambda effect: effect.source or NOTHING),
    ]
    return table_of(measured, columns)


def _left_out(label: str, base: str) -> str:
    model, *settings = label.split(" ", 1)
    return " ".join([ingredients(base).get(model, NOTHING), *settings])


def _claimed(points: float | None) -> str:
    return NOTHING if points is None else f"{points:+.1f}"


def ablation_sentences(measured: Sequence[Effect], base: str) -> list[str]:
    """Say which ingredients help or hurt for certain under this budget."""
    sentences = []
    for effect in (effect for effect in measured if effect.established):
        verb = "more" if effect.difference > 0 else "fewer"
        points, p = f"{abs(100 * effect.difference):.1f}", holm_p(effect.p_holm)
        sentences.append(f"{base} gets {points} points {verb} than {effect.label} ({p}).")
    rest = [effect.label for effect in measured if not effect.established]
    if rest:
        sentences.append(f"No effect is established against {', '.join(rest)}.")
    return sentences
