"""What did each network reach over all its seeds, and how sure is that mean?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnbench.report.sections.section import Section
from cnnbench.report.stats.intervals import over_both, over_images, over_seeds
from cnnbench.report.stats.tests import letters
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, percent, plural, span

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.report.analysis.entries import Entry


def group_table(comparison: Comparison) -> Table | None:
    """Return a line a network with its mean over seeds, or None where none has several."""
    lines = []
    for rung in comparison.rungs:
        marks = letters(len(rung.entries), rung.groups)
        lines += [_line(one, mark) for one, mark in zip(rung.entries, marks, strict=True)]
    if not any(o.several_seeds for rung in comparison.rungs for o in rung.entries):
        return None
    header = (
        "model",
        "seeds",
        "mean top-1 %",
        "lowest to highest",
        "95 % interval",
        "bootstrap",
        "another seed, these images",
        "these networks, other images",
        "tie",
    )
    return Table(header=header, align="lrrrrrrrl", rows=tuple(lines))


def _line(one: Entry, mark: str) -> tuple[str, ...]:
    shares = [correct / total for correct, total in one.counts]
    seeds = (
        str(len(shares))
        if len(shares) == one.planned_seeds
        else f"{len(shares)} of {one.planned_seeds}"
    )
    line = (one.label, seeds, percent(one.top1), span(min(shares), max(shares)))
    right = one.right
    if right is None:
        return (*line, *[NOTHING] * 4, mark)
    return (
        *line,
        span(*over_both(right)),
        span(*one.bootstrap) if one.bootstrap else NOTHING,
        span(*(over_seeds(right) or (None, None))),
        span(*over_images(right)),
        mark,
    )


def group_sentences(comparison: Comparison) -> list[str]:
    """Say what the intervals over seeds mean, and which seeds are missing from a mean."""
    said = [
        "The 95 % interval is for another seed on other images, and it decides. The bootstrap "
        "draws seeds and images anew and checks it; with few seeds it is rough. The next column "
        "keeps these test images and changes the seed (Student's t), the last keeps these trained "
        "networks and changes the images (Wilson's, with an effective number of images).",
    ]
    short = [
        f"{one.label} has {len(one.answers)} of {plural(one.planned_seeds, 'seed')}"
        for rung in comparison.rungs
        for one in rung.entries
        if len(one.answers) < one.planned_seeds
    ]
    if short:
        said.append(
            "A mean is over the seeds that finished, which flatters a network whose other seeds "
            f"failed: {'; '.join(short)}."
        )
    return said


def seeds_section(comparison: Comparison) -> list[Section]:
    """Return the section on several seeds, if a network has them."""
    table = group_table(comparison)
    if table is None:
        return []
    note = " ".join(group_sentences(comparison))
    return [Section(title="Over the seeds", table=table, note=note)]
