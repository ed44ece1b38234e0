"""What does a run prove, in sentences that never name a winner that is not separated?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnbench.report.analysis.comparison import Comparison, compare
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.ladder import established_crossings
from cnnbench.report.stats.intervals import over_both
from cnnbench.report.text.wording import names, percent, plural, significant
from cnnbench.schema.budget import Currency

if TYPE_CHECKING:
    from cnnbench.schema.result import Row
    from cnnbench.store import RunFolder

_UNEVEN = 1.5  # times the rate of the slowest seed
_MOST_TIES = 3  # more groups than that are read from the table


def headline(run: RunFolder) -> list[str]:
    """Return what a run found in a few plain sentences, the most important first."""
    table = read_rows(run)
    return finding(compare(run, table), table)


def finding(comparison: Comparison, table: Sequence[Row]) -> list[str]:
    """Return what a comparison found in a few plain sentences, the most important first."""
    return [
        *_ranking(comparison, table),
        *established_crossings(comparison),
        *_chance(comparison),
        *_uneven(comparison),
        *_unfinished(table),
    ]


def _ranking(comparison: Comparison, table: Sequence[Row]) -> list[str]:
    entries = comparison.entries
    if not entries:
        return [f"None of {plural(len(table), 'cell')} has finished, so nothing can be said yet."]
    best = entries[0]
    if len(entries) == 1:
        return [f"{best.label}: {_measured(best)}. There is nothing to compare it with."]
    tied = [group for group in comparison.groups if len(group) > 1]
    if not any(0 in group for group in tied):
        others = _ties(comparison, tied) if tied else _order(comparison)
        return [f"{best.label} is best: {_measured(best)}.", *others]
    if tied == [tuple(range(len(entries)))]:
        return [
            f"There is no winner: {_one_tie(comparison, tied[0])}.",
            f"The highest score is {best.label}'s: {_measured(best)}.",
        ]
    first = [group for group in tied if 0 in group]
    rest = [group for group in tied if 0 not in group]
    return [
        f"There is no single winner: {_top_tie(comparison, first)}.",
        *_established(comparison),
        *_ties(comparison, rest),
    ]


def _ties(comparison: Comparison, groups: Sequence[tuple[int, ...]]) -> list[str]:
    if len(groups) > _MOST_TIES:
        found = sum(pair.separated for pair in comparison.pairs)
        total = plural(len(comparison.pairs), "pair")
        return [f"Of {total} {found} can be told apart; letters in the table show which cannot."]
    return [f"{_one_tie(comparison, group)}." for group in groups]


def _order(comparison: Comparison) -> list[str]:
    if len(comparison.entries) < 3:
        return []
    order = " > ".join(entry.label for entry in comparison.entries)
    return [f"Every pair can be told apart: {order}."]


def _one_tie(comparison: Comparison, group: tuple[int, ...]) -> str:
    labels = names([comparison.entries[rank].label for rank in group])
    images = plural(_images(comparison, group), "test image")
    return f"{labels} cannot be told apart with {images}"


def _images(comparison: Comparison, ranks: Sequence[int]) -> int:
    members = [comparison.entries[rank] for rank in ranks]
    return min(one.row.test_images or 0 for m in members for one in m.answers.values())


def _top_tie(comparison: Comparison, groups: Sequence[tuple[int, ...]]) -> str:
    if len(groups) == 1:
        return _one_tie(comparison, groups[0])
    tied = sorted({rank for group in groups for rank in group} - {0})
    best, *others = (comparison.entries[rank].label for rank in (0, *tied))
    images = plural(_images(comparison, (0, *tied)), "test image")
    return f"{best} cannot be told apart from {names(others)} with {images}"


def _established(comparison: Comparison) -> list[str]:
    """Say which of the others are worse than every member of the leader's groups."""
    tops = {rank for group in comparison.groups if 0 in group for rank in group}
    separated = {(pair.better, pair.worse) for pair in comparison.pairs if pair.separated}
    leaders = [c.label for rank, c in enumerate(comparison.entries) if rank in tops]
    beaten = [
        entry.label
        for rank, entry in enumerate(comparison.entries)
        if rank not in tops and all((leader, entry.label) in separated for leader in leaders)
    ]
    if not beaten:
        return []
    verb = "are both" if len(leaders) == 2 else "are all"
    return [f"{names(leaders)} {verb} better than {names(beaten)}."]


def _measured(entry: Entry) -> str:
    answers = list(entry.answers.values())
    if len(answers) == 1:
        row = answers[0].row
        return (
            f"{percent(row.top1)} % right ({row.correct} of {row.test_images}, "
            f"95 % interval {percent(row.top1_low)} to {percent(row.top1_high)} %)"
        )
    shares = [one.row.top1 or 0.0 for one in answers]
    found = f"{percent(entry.top1)} % right on average over {len(answers)} seeds"
    between = f"{percent(min(shares))} to {percent(max(shares))} %"
    right = entry.right
    if right is None:
        return f"{found} ({between})"
    low, high = over_both(right)
    return (
        f"{found} ({between}; 95 % interval for another seed on other images "
        f"{percent(low)} to {percent(high)} %)"
    )


def _chance(comparison: Comparison) -> list[str]:
    if comparison.largest_class is None:
        return []
    low = [one for one in comparison.entries if not comparison.above_chance(one)]
    if not low:
        return []
    share = percent(comparison.largest_class)
    scores = names([f"{one.label} ({percent(one.top1)} %)" for one in low])
    return [
        f"{scores} cannot be told from chance: always naming the largest class would be right "
        f"for {share} % of the test images."
    ]


def _uneven(comparison: Comparison) -> list[str]:
    """Say so if a machine gave the seeds of a network very different work for the same seconds."""
    found = []
    for entry in (one for rung in comparison.rungs for one in rung.entries):
        rows = [one.row for one in entry.answers.values()]
        rates = [row.images_per_second for row in rows if row.images_per_second]
        in_seconds = all(row.budget.currency is Currency.SECONDS for row in rows)
        if rates and in_seconds and max(rates) > _UNEVEN * min(rates):
            found.append(f"{entry.label} ({significant(min(rates))} to {significant(max(rates))})")
    if not found:
        return []
    return [
        f"The machine was uneven: seeds of one network trained at very different images/s, so "
        f"their spread is not the seeds' alone: {names(found)}."
    ]


def _unfinished(table: Sequence[Row]) -> list[str]:
    words = {
        "failed": "failed",
        "diverged": "diverged",
        "oom": "ran out of memory",
        "killed": "was stopped before its end",
        "hung": "hung",
        "running": "is still running",
        "planned": "has not started",
    }
    found = []
    for status, text in words.items():
        labels = [row.model for row in table if row.status == status]
        if len(labels) == 1:
            found.append(f"{labels[0]} {text}.")
        elif labels:
            some = text.replace("was ", "were ").replace("is ", "are ").replace("has ", "have ")
            found.append(f"{plural(len(labels), 'cell')} {some} ({names(_distinct(labels))}).")
    return found


def _distinct(labels: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(labels))
