"""What did changing one setting do: the final accuracy and losses against the swept value?"""

from collections.abc import Sequence

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.rows import grouped
from cnnbench.report.analysis.sweeps import SweepPoint, sweep_points, swept
from cnnbench.report.figures.style import styles_of
from cnnbench.report.figures.sweep import sweep_picture
from cnnbench.report.sections import Paragraph, Points, RunReport, Section
from cnnbench.report.text.wording import join_and, percent

_WORDS = {"lr": "learning rate", "batch size": "batch size", "budget": "budget"}
_NOTE = (
    "Each point is the end of a training of its own. The highest score is picked after seeing the "
    "test images, so it flatters its value a little; to choose a setting, use other images."
)


def section(report: RunReport, *, key: str) -> Section | None:
    """Show the scores against the values of one setting, if the plan sweeps it."""
    if key not in swept(report.plan):
        return None
    points = sweep_points(report.plan, report.rows, report.comparison, key)
    sentences = sweep_sentences(points, key, report.comparison)
    picture = None
    if any(point.top1 is not None for point in points):
        styles = styles_of({point.line: point.model for point in points})
        picture = sweep_picture(points, styles, key, alt=" ".join(sentences))
    blocks = [picture, Points(sentences) if sentences else None, Paragraph(_NOTE, note=True)]
    return Section(title=f"Sweep of the {_WORDS[key]}", blocks=blocks)


def sweep_sentences(points: Sequence[SweepPoint], key: str, comparison: Comparison) -> list[str]:
    """Say for every line where the highest score is and which other values are worse."""
    separated = {(pair.better, pair.worse) for pair in comparison.pairs if pair.separated}
    return [
        sentence
        for line, members in grouped(points, lambda point: point.line).items()
        if len(members) > 1
        for sentence in _line_sentences(line, members, key, separated)
    ]


def _line_sentences(
    line: str, points: Sequence[SweepPoint], key: str, separated: set[tuple[str, str]]
) -> list[str]:
    scored = [point for point in points if point.top1 is not None]
    sentences = []
    if scored:
        best = max(scored, key=lambda point: point.top1 or 0.0)
        equal = [point for point in scored if point.top1 == best.top1]
        others = [point for point in scored if point not in equal]
        worse = [p.text for p in others if (best.label, p.label) in separated]
        tied = [p.text for p in others if (best.label, p.label) not in separated]
        where = join_and([point.text for point in equal])
        alike = " alike" if len(equal) > 1 else ""
        parts = [f"{line}: the highest score is at {key} {where}{alike}, {percent(best.top1)} %"]
        parts += [f"{join_and(worse)} {'is' if len(worse) == 1 else 'are'} worse"] if worse else []
        parts += [f"{join_and(tied)} cannot be told apart from it"] if tied else []
        sentences.append("; ".join(parts) + ".")
    return sentences + [f"{line} at {key} {p.text} {p.reason}." for p in points if p.reason]
