"""What did each network reach over all its seeds, and how sure is that mean?"""

from __future__ import annotations

from cnnbench.report.analysis.comparison import Comparison, Entry
from cnnbench.report.sections import Grid, Paragraph, RunReport, Section
from cnnbench.report.stats.intervals import letters
from cnnbench.report.stats.seeds import over_both, over_images, over_seeds
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, percent, plural, span

__all__ = ["seeds_section", "seeds_sentences", "seeds_table"]


def seeds_section(report: RunReport) -> Section | None:
    """Show the mean of each network over its seeds, if a network has several."""
    table = seeds_table(report.comparison)
    if table is None:
        return None
    title, note = "Over the seeds", " ".join(seeds_sentences(report.comparison))
    return Section(title=title, blocks=[Grid(table, title), Paragraph(note, note=True)])


def seeds_table(comparison: Comparison) -> Table | None:
    """Return a line a network with its mean over seeds, or None where none has several."""
    lines, several = [], False
    for rung in comparison.rungs:
        marks = letters(len(rung.entries), rung.groups)
        lines += [_line(entry, mark) for entry, mark in zip(rung.entries, marks, strict=True)]
        several |= any(len(entry.answers) > 1 for entry in rung.entries)
    if not several:
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


def _line(entry: Entry, mark: str) -> tuple[str, ...]:
    shares = [correct / total for correct, total in entry.counts]
    n_seeds, planned = len(shares), entry.asked
    seeds = str(n_seeds) if n_seeds == planned else f"{n_seeds} of {planned}"
    line = (entry.label, seeds, percent(entry.top1), span(min(shares), max(shares)))
    right = entry.right
    if right is None:
        return (*line, *[NOTHING] * 4, mark)
    return (
        *line,
        span(*over_both(right)),
        span(*entry.bootstrap) if entry.bootstrap else NOTHING,
        span(*(over_seeds(right) or (None, None))),
        span(*over_images(right)),
        mark,
    )


def seeds_sentences(comparison: Comparison) -> list[str]:
    """Say what the intervals over seeds mean, and which seeds are missing from a mean."""
    sentences = [
        "The 95 % interval is for another seed on other images, and it decides. The bootstrap "
        "draws seeds and images anew and checks it; with few seeds it is rough. The next column "
        "keeps these test images and changes the seed (Student's t), the last keeps these trained "
        "networks and changes the images (Wilson's, with an effective number of images).",
    ]
    short = [
        f"{entry.label} has {len(entry.answers)} of {plural(entry.asked, 'seed')}"
        for rung in comparison.rungs
        for entry in rung.entries
        if len(entry.answers) < entry.asked
    ]
    if short:
        sentences.append(
            "A mean is over the seeds that finished, which flatters a network whose other seeds "
            f"failed: {'; '.join(short)}."
        )
    return sentences
