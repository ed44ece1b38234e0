"""With which trained weights did the networks begin, and what does that mean for a ranking?"""

from collections.abc import Mapping, Sequence

from cnnbench.report.analysis.rows import grouped, rows_words
from cnnbench.report.sections import Grid, Paragraph, RunReport, Section
from cnnbench.report.text.table import table_of
from cnnbench.report.text.wording import NOTHING, join_and, percent
from cnnbench.schema.result import Row

__all__ = ["overlap_notices", "starts_sentences"]

_HEAD = (
    '"head" in a name: only the last layer was trained, on features that were computed once. The '
    "seconds that took are charged, and it counts as one epoch."
)


def section(report: RunReport) -> Section | None:
    """Show where the weights come from and how they fit, if any network began with some."""
    starts = {row.model: row.start for row in report.rows if row.start}
    if not starts:
        return None
    table = table_of(
        list(starts.items()),
        [
            ("model", "l", lambda item: item[0]),
            ("trained before on", "l", lambda item: item[1].earlier_training),
            ("pixels", "r", lambda item: str(item[1].image_size or NOTHING)),
            ("published top-1 %", "r", lambda item: percent(item[1].top1)),
            ("licence", "l", lambda item: item[1].licence or NOTHING),
            ("sha256", "l", lambda item: item[1].sha256[:16]),
            ("fit", "l", lambda item: "; ".join(item[1].fit) or "as it is"),
        ],
    )
    has_heads = any(row.train == "head" for row in report.rows)
    return Section(
        title="Where the weights began",
        anchor="starts",
        blocks=[Grid(table), Paragraph(_HEAD, note=True) if has_heads else None],
    )


def starts_sentences(rows: Sequence[Row], names: Mapping[str, str]) -> list[str]:
    """Say who began with weights trained on what, so that no ranking hides it; empty if nobody."""
    with_weights = [row for row in rows if row.start]
    if not with_weights:
        return []
    began = [
        f"{rows_words(of_origin, rows, names)} began with weights trained on {where}"
        for where, of_origin in grouped(
            with_weights, lambda row: row.start.earlier_training if row.start else ""
        ).items()
    ]
    scratch = [row for row in rows if not row.start]
    if scratch:
        began.append(f"{rows_words(scratch, rows, names)} began from scratch")
    unequal = ": the ranking is of starts as much as of networks" if len(began) > 1 else ""
    return [f"{'; '.join(began)}{unequal}."]


def overlap_notices(dataset: str, rows: Sequence[Row]) -> list[str]:
    """Say so where images of the dataset are known to be among those of an earlier training."""
    inside = [row for row in rows if row.start and dataset in row.start.overlaps]
    if not inside:
        return []
    models = join_and(list(dict.fromkeys(row.model for row in inside)))
    sets = join_and(list(dict.fromkeys(row.start.earlier_training for row in inside if row.start)))
    return [
        f"The images of {dataset} are among those that the weights of {models} were trained on "
        f"before, {sets}: their scores are too good."
    ]
