"""What did each network reach over all its seeds, and how sure is that mean?"""

from cnnbench.report.analysis.comparison import Comparison
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.sections import Grid, Paragraph, RunReport, Section
from cnnbench.report.stats.intervals import over_images, over_seeds
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, marked, percent, plural, span


def section(report: RunReport) -> Section | None:
    """Show the mean of each network over its seeds, if a network has several."""
    table = seeds_table(report.comparison)
    if table is None:
        return None
    note = " ".join(seeds_sentences(report.comparison))
    return Section(title="Over the seeds", blocks=[Grid(table), Paragraph(note, note=True)])


def seeds_table(comparison: Comparison) -> Table | None:
    """Return a line a network with its mean over seeds, or None where none has several."""
    lettered = [pair for rung in comparison.rungs for pair in rung.lettered]
    if not any(entry.several_seeds for entry, _ in lettered):
        return None
    header: tuple[str, ...] = ("model", "seeds", "mean top-1 %", "lowest to highest")
    header += ("95 % interval", "bootstrap", "another seed, these images")
    header += ("these networks, other images", "tie")
    lines = tuple((*_line(entry), letters) for entry, letters in lettered)
    return Table(header=header, align="lrrrrrrrl", rows=lines)


def _line(entry: Entry) -> tuple[str, ...]:
    shares = [correct / total for correct, total in entry.counts]
    n_seeds, planned = len(shares), entry.planned_seeds
    seeds = str(n_seeds) if n_seeds == planned else f"{n_seeds} of {planned}"
    name = marked(entry.label, entry.is_starved)
    line = (name, seeds, percent(entry.top1), span(min(shares), max(shares)))
    is_correct = entry.is_correct
    if is_correct is None:
        return (*line, *[NOTHING] * 4)
    return (
        *line,
        span(*entry.interval),
        span(*(entry.bootstrap or (None, None))),
        span(*(over_seeds(is_correct) or (None, None))),
        span(*over_images(is_correct)),
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
        f"{entry.label} has {len(entry.answers)} of {plural(entry.planned_seeds, 'seed')}"
        for rung in comparison.rungs
        for entry in rung.entries
        if len(entry.answers) < entry.planned_seeds
    ]
    if short:
        sentences.append(
            "A mean is over the seeds that finished, which flatters a network whose other seeds "
            f"failed: {'; '.join(short)}."
        )
    return sentences
