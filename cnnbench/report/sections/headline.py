"""What does a run prove, in sentences that never name a winner that is not separated?"""

from collections.abc import Mapping, Sequence

from cnnbench.report.analysis.comparison import Comparison, compare
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.analysis.rows import read_rows, rows_words, seed_suffixes, status_text
from cnnbench.report.figures.accuracy import accuracy_picture
from cnnbench.report.figures.style import Picture
from cnnbench.report.sections import RunReport
from cnnbench.report.sections.ladder import established_crossings
from cnnbench.report.sections.starts import starts_sentences
from cnnbench.report.text.wording import epochs_seen, join_and, percent, plural, significant
from cnnbench.schema.budget import Currency
from cnnbench.schema.foresight import STARVED_EPOCHS
from cnnbench.schema.names import labels
from cnnbench.schema.result import Row
from cnnbench.store import RunFolder

__all__ = ["headline", "headline_picture", "headline_sentences"]

_UNEVEN = 1.5  # times the rate of the slowest seed
_MOST_NAMED = 6  # networks in a sentence; of more it says how many
_PENDING = ("killed", "hung", "running", "planned")  # the command of the run continues these
_MOST_TIES = 3  # more groups than that are read from the table
_UNFINISHED = {  # what one row did, and what several did
    "failed": ("failed", "failed"),
    "diverged": ("diverged", "diverged"),
    "oom": ("ran out of memory", "ran out of memory"),
    "killed": ("was stopped before its end", "were stopped before their end"),
    "hung": ("hung", "hung"),
    "running": ("is still running", "are still running"),
    "planned": ("has not started", "have not started"),
}


def headline(run: RunFolder) -> list[str]:
    """Return what a run shows in a few plain sentences, the most important first."""
    rows = read_rows(run)
    return headline_sentences(compare(run, rows), rows, labels(run.plan()))


def headline_picture(report: RunReport) -> Picture:
    """Draw the accuracy of every network; a cell without a result has its status."""
    rows = report.drawn
    suffix = seed_suffixes(rows)
    unfinished = [
        (report.names[row.cell] + suffix[row.cell], status_text(row))
        for row in rows
        if row.status != "done"
    ]
    alt = " ".join(headline_sentences(report.comparison, rows, report.names))
    return accuracy_picture(report.comparison, unfinished, report.styles, alt=alt)


def headline_sentences(
    comparison: Comparison, rows: Sequence[Row], names: Mapping[str, str]
) -> list[str]:
    """Return what a comparison shows in a few plain sentences, the most important first."""
    return [
        *_verdict(comparison, rows),
        *filter(None, [comparison.machines.caveat]),
        *starts_sentences(rows, names),
        *_chance(comparison),
        *_uneven(comparison),
        *_unfinished(rows, names),
    ]


def _verdict(comparison: Comparison, rows: Sequence[Row]) -> list[str]:
    """Rank the networks; those that saw too little are named first and are not ranked.

    Nothing is ranked where machines are unlike, unless it was asked for.
    """
    if comparison.machines.are_withheld:
        return [comparison.machines.withheld, comparison.machines.remedy]
    starved = comparison.starved
    if not starved:
        return [*_ranking(comparison, rows), *established_crossings(comparison)]
    fed = comparison.without(starved)
    if not fed.entries:  # the tests speak of these weights, so no more than the first sentence
        return [_too_early(starved, everyone=True), *_ranking(comparison, rows, early=True)[:1]]
    others = _ranking(fed, rows, among="Among the others ")
    return [_too_early(starved, everyone=False), *others, *established_crossings(fed)]


def _too_early(starved: Sequence[Entry], *, everyone: bool) -> str:
    """Say which entries saw too little, and how little that is."""
    epochs = [entry.epochs or 0.0 for entry in starved]
    few, many = epochs_seen(min(epochs)), epochs_seen(max(epochs))
    saw = f"{few if few == many else f'{few} to {many}'} epochs"
    least = f"where {STARVED_EPOCHS:g} are the least"
    labels = [entry.label for entry in starved]
    if not everyone:
        who = join_and(labels) if len(labels) <= _MOST_NAMED else f"{len(labels)} networks"
        return f"Too early to rank {who}, which saw {saw}, {least}."
    lines = {entry.line for entry in starved}
    if len(lines) == 1:
        return f"Too early to judge {lines.pop() or labels[0]}: it saw {saw}, {least}."
    return f"Too early to rank: {saw} each, {least}."


def _ranking(
    comparison: Comparison, rows: Sequence[Row], *, among: str = "", early: bool = False
) -> list[str]:
    """Rank the entries; `among` begins the first sentence, and `early` ranks may still change."""
    entries = comparison.entries
    if not entries:
        return [f"None of {plural(len(rows), 'cell')} has finished, so nothing can be said yet."]
    best = entries[0]
    if len(entries) == 1:
        no_other = "Nothing else saw enough" if among else "There is nothing"
        return [f"{best.label}: {_measured(best)}. {no_other} to compare it with."]
    tied = [group for group in comparison.ties if len(group) > 1]
    open_ended = early or any(row.status in _PENDING for row in rows)
    there = f"{among}there" if among else "There"
    yet = " yet" if open_ended else ""
    if not any(0 in group for group in tied):
        is_best = _is_best(best, open_ended=open_ended)
        others = _ties(comparison, tied) if tied else _order(comparison)
        return [f"{among}{best.label} {is_best}: {_measured(best)}.", *others]
    if tied == [tuple(range(len(entries)))]:
        return [
            f"{there} is no winner{yet}: {_tie(comparison, tied[0])}.",
            _highest_score(entries),
        ]
    first = [group for group in tied if 0 in group]
    rest = [group for group in tied if 0 not in group]
    return [
        f"{there} is no single winner{yet}: {_top_tie(comparison, first)}.",
        *_established(comparison),
        *_ties(comparison, rest),
    ]


def _is_best(best: Entry, *, open_ended: bool) -> str:
    """Return what may be said of the first entry, which flatters itself if its own seeds failed."""
    if open_ended:
        return "is ahead so far"
    return "is ahead" if len(best.answers) < best.planned_seeds else "is best"


def _highest_score(entries: Sequence[Entry]) -> str:
    best = entries[0]
    equal = [entry.label for entry in entries if entry.top1 == best.top1]
    if len(equal) == 1:
        return f"The highest score is {best.label}'s: {_measured(best)}."
    return f"The highest score is that of {join_and(equal)} alike: {_measured(best)}."


def _ties(comparison: Comparison, groups: Sequence[tuple[int, ...]]) -> list[str]:
    if len(groups) > _MOST_TIES:
        separated = sum(pair.separated for pair in comparison.pairs)
        total = plural(len(comparison.pairs), "pair")
        return [
            f"Of {total} {separated} can be told apart; letters in the table show which cannot."
        ]
    return [f"{_tie(comparison, group)}." for group in groups]


def _order(comparison: Comparison) -> list[str]:
    order = " > ".join(entry.label for entry in comparison.entries)
    return [f"Every pair can be told apart: {order}."] if len(comparison.entries) > 2 else []


def _tie(comparison: Comparison, group: tuple[int, ...]) -> str:
    labels = join_and([comparison.entries[rank].label for rank in group])
    return f"{labels} cannot be told apart with {_test_images(comparison, group)}"


def _top_tie(comparison: Comparison, groups: Sequence[tuple[int, ...]]) -> str:
    if len(groups) == 1:
        return _tie(comparison, groups[0])
    ranks = sorted({rank for group in groups for rank in group})
    best, *others = (comparison.entries[rank].label for rank in ranks)
    n_images = _test_images(comparison, ranks)
    return f"{best} cannot be told apart from {join_and(others)} with {n_images}"


def _test_images(comparison: Comparison, ranks: Sequence[int]) -> str:
    return plural(min(comparison.entries[rank].test_images for rank in ranks), "test image")


def _established(comparison: Comparison) -> list[str]:
    """Say which of the others are worse than every member of the leader's groups."""
    tops = {rank for group in comparison.ties if 0 in group for rank in group}
    separated = {(pair.better, pair.worse) for pair in comparison.pairs if pair.separated}
    leaders = [entry.label for rank, entry in enumerate(comparison.entries) if rank in tops]
    beaten = [
        entry.label
        for rank, entry in enumerate(comparison.entries)
        if rank not in tops and all((leader, entry.label) in separated for leader in leaders)
    ]
    verb = "are both" if len(leaders) == 2 else "are all"
    return [f"{join_and(leaders)} {verb} better than {join_and(beaten)}."] if beaten else []


def _measured(entry: Entry) -> str:
    rows, (low, high) = entry.rows, map(percent, entry.interval)
    lacking, planned = len(rows) < entry.planned_seeds, plural(entry.planned_seeds, "seed")
    if len(rows) == 1:
        counts = f"{rows[0].correct} of {rows[0].test_images}"
        seeds = f"; 1 of {planned}" if lacking else ""
        return f"{percent(rows[0].top1)} % right ({counts}, 95 % interval {low} to {high} %{seeds})"
    shares = [row.top1 or 0.0 for row in rows]
    seeds = f"{len(rows)} of {planned}" if lacking else planned
    mean = f"{percent(entry.top1)} % right on average over {seeds}"
    between = f"{percent(min(shares))} to {percent(max(shares))} %"
    if entry.is_correct is None:
        return f"{mean} ({between})"
    return f"{mean} ({between}; 95 % interval for another seed on other images {low} to {high} %)"


def _chance(comparison: Comparison) -> list[str]:
    chance = comparison.largest_class
    low = [e for e in comparison.entries if chance is not None and e.interval[0] <= chance]
    if not low:
        return []
    scores = join_and([f"{entry.label} ({percent(entry.top1)} %)" for entry in low])
    return [
        f"{scores} cannot be told from chance: always naming the largest class would be right "
        f"for {percent(chance)} % of the test images."
    ]


def _uneven(comparison: Comparison) -> list[str]:
    """Say so if a machine gave the seeds of a network very different work for the same seconds."""
    if comparison.machines.unlike:  # that is said, and it is not one machine
        return []
    uneven = []
    for entry in (entry for rung in comparison.rungs for entry in rung.entries):
        rows = entry.rows
        speeds = [row.images_per_second for row in rows if row.images_per_second]
        in_seconds = all(row.budget.currency is Currency.SECONDS for row in rows)
        if speeds and in_seconds and max(speeds) > _UNEVEN * min(speeds):
            slowest, fastest = significant(min(speeds)), significant(max(speeds))
            uneven.append(f"{entry.label} ({slowest} to {fastest})")
    if not uneven:
        return []
    return [
        f"The machine was uneven: seeds of one network trained at very different images/s, so "
        f"their spread is not the seeds' alone: {join_and(uneven)}."
    ]


def _unfinished(rows: Sequence[Row], names: Mapping[str, str]) -> list[str]:
    sentences = []
    for status, (one, several) in _UNFINISHED.items():
        of_status = [row for row in rows if row.status == status]
        if of_status:
            verb = one if len(of_status) == 1 else several
            sentences.append(f"{rows_words(of_status, rows, names)} {verb}.")
    return sentences
