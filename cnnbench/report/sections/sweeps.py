"""What did changing one setting do: the final accuracy and losses against the swept value?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnbench.report.analysis.sweeps import SweepPoint, sweep_points, swept
from cnnbench.report.figures.style import styles_of
from cnnbench.report.figures.sweep import sweep_picture
from cnnbench.report.sections.section import Section
from cnnbench.report.text.wording import names, percent

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.schema.cell import Plan
    from cnnbench.schema.result import Row


def sweep_sections(plan: Plan, table: Sequence[Row], comparison: Comparison) -> list[Section]:
    """Return a section for each setting that the plan sweeps."""
    found = []
    for key in swept(plan):
        points = sweep_points(plan, table, comparison, key)
        said = sweep_sentences(points, key, comparison)
        picture = None
        if any(point.top1 is not None for point in points):
            styles = styles_of([point.line for point in points])
            picture = sweep_picture(points, styles, key, alt=" ".join(said))
        found.append(
            Section(
                title=f"Sweep of the {_WORDS[key]}", points=said, picture=picture, note=_SWEEP_NOTE
            )
        )
    return found


_WORDS = {"lr": "learning rate", "batch size": "batch size", "budget": "budget"}
_SWEEP_NOTE = (
    "Each point is the end of a training of its own. The highest score is picked after seeing the "
    "test images, so it flatters its value a little; to choose a setting, use other images."
)


# -- in words --------------------------------------------------------------------------------------


def sweep_sentences(points: Sequence[SweepPoint], key: str, comparison: Comparison) -> list[str]:
    """Say for every line where the highest score is and which other values are worse."""
    separated = {(pair.better, pair.worse) for pair in comparison.pairs if pair.separated}
    lines: dict[str, list[SweepPoint]] = {}
    for point in points:
        lines.setdefault(point.line, []).append(point)
    return [
        sentence
        for line, found in lines.items()
        if len(found) > 1
        for sentence in _line_sentences(line, found, key, separated)
    ]


def _line_sentences(
    line: str, points: Sequence[SweepPoint], key: str, separated: set[tuple[str, str]]
) -> list[str]:
    scored = [point for point in points if point.top1 is not None]
    said = []
    if scored:
        best = max(scored, key=lambda point: point.top1 or 0.0)
        others = [point for point in scored if point is not best]
        worse = [p.text for p in others if (best.label, p.label) in separated]
        tied = [p.text for p in others if (best.label, p.label) not in separated]
        score = f"{line}: the highest score is at {key} {best.text}, {percent(best.top1)} %"
        parts = [f"{names(worse)} {_is(worse)} worse"] if worse else []
        parts += [f"{names(tied)} cannot be told apart from it"] if tied else []
        said.append("; ".join([score, *parts]) + ".")
    said += [f"{line} at {key} {point.text} {point.reason}." for point in points if point.reason]
    return said


def _is(items: Sequence[str]) -> str:
    return "is" if len(items) == 1 else "are"
