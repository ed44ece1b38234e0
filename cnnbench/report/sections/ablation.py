"""What is each ingredient of a paper worth under this budget, beside what the paper claims?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import zoo
from cnnbench.report.analysis.entries import difference_between
from cnnbench.report.sections.section import Section
from cnnbench.report.stats.tests import ALPHA, holm
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import MINUS, NOTHING, p_value
from zoo.cards import papers

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.schema.cell import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What an ingredient adds to top-1 accuracy, as shares: the base minus the network without it.

    `claimed` is the paper's own effect in points of top-1 error, or None where it states none.
    """

    label: str
    effect: float
    low: float
    high: float
    p_holm: float
    claimed: float | None
    claim: str
    source: str

    @property
    def established(self) -> bool:
        """Whether the effect is established at the 5 % level."""
        return self.p_holm < ALPHA


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


def effects(comparison: Comparison, base: str) -> list[Effect]:
    """Return the effect of leaving each ingredient out, the largest first.

    Each is tested against the base alone; Holm's correction covers these tests.
    """
    entries = {one.label: one for one in comparison.entries}
    whole = entries.pop(base, None)
    if whole is None:
        return []
    tests = {label: difference_between(whole, one) for label, one in entries.items()}
    corrected = holm([test.p for test in tests.values()])
    found = []
    for (label, test), p_holm in zip(tests.items(), corrected, strict=True):
        low, high = test.interval()
        claimed, claim, source = _claim(label.split()[0])
        found.append(
            Effect(
                label=label,
                effect=test.difference,
                low=low,
                high=high,
                p_holm=p_holm,
                claimed=claimed,
                claim=claim,
                source=source,
            )
        )
    return sorted(found, key=lambda one: -one.effect)


def _claim(model: str) -> tuple[float | None, str, str]:
    for statement in papers()["statements"]:
        if statement["id"] == f"{model}/effect":
            expected = statement["expected"]
            points = expected[0] if isinstance(expected, list) else expected
            return float(points), statement["text"], statement["source"]
    return None, "", ""


def ablation_table(found: list[Effect], base: str) -> Table:
    """Return a line an ingredient: its effect here, whether it is established, the claim."""
    lines = tuple(
        (
            one.label,
            _left_out(one.label, base),
            _points(one.effect),
            f"{_points(one.low)} to {_points(one.high)}",
            p_value(one.p_holm),
            "yes" if one.established else "no",
            NOTHING if one.claimed is None else f"{one.claimed:+.1f}",
            one.source or NOTHING,
        )
        for one in found
    )
    header = (
        f"{base} against",
        "leaves out",
        "effect, points",
        "95 % interval",
        "p",
        "established",
        "paper claims, points",
        "where",
    )
    return Table(header=header, align="llrrrlrl", rows=lines)


def _left_out(label: str, base: str) -> str:
    model, *settings = label.split(" ", 1)
    return " ".join([ingredients(base).get(model, NOTHING), *settings])


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", MINUS)


def ablation_sentences(found: list[Effect], base: str) -> list[str]:
    """Say which ingredients help or hurt for certain under this budget."""
    said = []
    for one in found:
        if one.established:
            verb = "more" if one.effect > 0 else "fewer"
            points = f"{abs(100 * one.effect):.1f}"
            said.append(
                f"{base} gets {points} points {verb} than {one.label} ({p_value(one.p_holm)})."
            )
    rest = [one.label for one in found if not one.established]
    if rest:
        said.append(f"No effect is established against {', '.join(rest)}.")
    return said


def ablation_section(plan: Plan, comparison: Comparison) -> list[Section]:
    """Return the section on a paper's ingredients, if the plan leaves them out one by one."""
    base = base_of(plan)
    found = effects(comparison, base) if base else []
    if not base or not found:
        return []
    return [
        Section(
            title=f"What each ingredient of {base} is worth here",
            points=ablation_sentences(found, base),
            table=ablation_table(found, base),
            note=_ABLATION_NOTE,
        )
    ]


_ABLATION_NOTE = (
    "An effect is the accuracy with the ingredient minus the accuracy without it, under this "
    "budget and on these images; the paper's is the fall of its top-1 error on ImageNet after full "
    "training, so the two columns need not agree. Holm's correction covers the lines of the table."
)
