"""Is a network better or worse in run B than in run A: by its accuracy, and by what failed?

Two things decide. The accuracies of the finished seeds are tested against each other, and the share
of the planned seeds that failed is compared. Worse by one of them is worse. A seed that is not
finished has not failed: it proves nothing, and the command of its run continues it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from cnnbench.report.analysis.entries import Entry, difference_between
from cnnbench.report.analysis.rows import status_text
from cnnbench.report.stats.differences import Decision, Difference, decide
from cnnbench.report.text.wording import amount, epochs_seen, join_and, plural
from cnnbench.schema.foresight import STARVED_EPOCHS
from cnnbench.schema.result import Row

__all__ = ["NetworkRun", "NetworkVerdict", "Verdict", "judge"]

Verdict = Literal["better", "worse", "no evidence"]

FAILED = ("failed", "diverged", "oom")  # training came to an end of its own
_UNLIKE_SPEED = 1.1  # times as many images for the same seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRun:
    """One network in one run: a row for each planned seed, and its entry if any is finished."""

    rows: Sequence[Row]
    entry: Entry | None

    @property
    def failed(self) -> list[Row]:
        """The rows of the seeds that failed."""
        return [row for row in self.rows if row.status in FAILED]

    @property
    def unfinished(self) -> list[Row]:
        """The rows that the same command would continue."""
        return [row for row in self.rows if row.status != "done" and row.status not in FAILED]

    @property
    def n_finished(self) -> int:
        """How many seeds have an accuracy."""
        return len(self.entry.answers) if self.entry else 0

    @property
    def epochs(self) -> float | None:
        """How many epochs a finished seed saw, in the mean; None if that is unknown."""
        return self.entry.epochs if self.entry else None

    @property
    def images_seen(self) -> int | None:
        """How many training images a finished seed saw, in the mean; None if that is unknown."""
        rows = self.entry.rows if self.entry else []
        counted = [row.images_seen for row in rows if row.images_seen is not None]
        return round(float(np.mean(counted))) if counted else None


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkVerdict:
    """One network in both runs: B's accuracy minus A's as shares, with its interval.

    Pairs of numbers are A's and B's. The tests' numbers are None where one of the two has no
    finished seed. `method` names the test, and `reason` says what else a reader of the verdict
    must know: what failed, what is not finished, what the machine may have done.
    """

    label: str
    verdict: Verdict
    a_top1: float | None
    b_top1: float | None
    seeds: tuple[int, int]
    failed: tuple[int, int]
    unfinished: tuple[int, int]
    images_seen: tuple[int | None, int | None]
    epochs: tuple[float | None, float | None] = (None, None)
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    method: str = ""
    reason: str = ""


def judge(
    a: Mapping[str, NetworkRun], b: Mapping[str, NetworkRun], shared: Sequence[str]
) -> list[NetworkVerdict]:
    """Judge every network that both runs have, with one correction for all that are tested."""
    tests = {
        label: difference_between(b_entry, a_entry)
        for label in shared
        if (a_entry := a[label].entry) and (b_entry := b[label].entry)
    }
    decisions = dict(zip(tests, decide(list(tests.values())), strict=True))
    return [_judged(label, a[label], b[label], decisions.get(label)) for label in shared]


def _judged(label: str, a: NetworkRun, b: NetworkRun, decision: Decision | None) -> NetworkVerdict:
    low, high = decision.interval if decision else (None, None)
    return NetworkVerdict(
        label=label,
        verdict=_verdict(a, b, decision),
        a_top1=a.entry.top1 if a.entry else None,
        b_top1=b.entry.top1 if b.entry else None,
        seeds=(a.n_finished, b.n_finished),
        failed=(len(a.failed), len(b.failed)),
        unfinished=(len(a.unfinished), len(b.unfinished)),
        images_seen=(a.images_seen, b.images_seen),
        epochs=(a.epochs, b.epochs),
        difference=decision.test.difference if decision else None,
        low=low,
        high=high,
        p=decision.test.p if decision else None,
        p_holm=decision.p_holm if decision else None,
        method=_method(decision.test) if decision else "",
        reason="; ".join([*_starved(a, b), *_failures(a, b), *_continuing(a, b), *_speed(a, b)]),
    )


def _verdict(a: NetworkRun, b: NetworkRun, decision: Decision | None) -> Verdict:
    """Return worse if the accuracy or the failures say so, then better, else no evidence."""
    found: set[Verdict] = set()
    if decision and decision.separated:
        found.add("better" if decision.test.difference > 0 else "worse")
    a_failed, b_failed = _shares_failed(a, b)
    if b_failed > a_failed:
        found.add("worse")
    if b_failed + Fraction(len(b.unfinished), len(b.rows)) < a_failed:  # those could still fail
        found.add("better")
    return "worse" if "worse" in found else "better" if found else "no evidence"


def _shares_failed(*sides: NetworkRun) -> tuple[Fraction, ...]:
    """Return the share of the planned seeds that failed; the runs may have planned unlike many."""
    return tuple(Fraction(len(side.failed), len(side.rows)) for side in sides)


def _method(test: Difference) -> str:
    if not test.paired:
        return "Fisher and t over seeds" if test.several_seeds else "Fisher"
    return "over seeds and images" if test.several_seeds else "McNemar"


# -- what stands beside a verdict ------------------------------------------------------------------


def _starved(a: NetworkRun, b: NetworkRun) -> list[str]:
    """Say so if a finished seed saw too little in either run for its score to mean much."""
    saw = [
        f"{epochs_seen(side.epochs)} epochs in {name}"
        for name, side in (("A", a), ("B", b))
        if side.entry and side.entry.is_starved
    ]
    least = f"where {STARVED_EPOCHS:g} are the least"
    return [f"too early to judge: it saw {join_and(saw)}, {least}"] if saw else []


def _failures(a: NetworkRun, b: NetworkRun) -> list[str]:
    a_failed, b_failed = _shares_failed(a, b)
    if not a_failed and not b_failed:
        return []
    less_or_as = "less often in B than" if b_failed < a_failed else "as often in B as"
    how = "more often in B than" if b_failed > a_failed else less_or_as
    each = [
        f"{len(side.failed)} of {plural(len(side.rows), 'seed')} in {name}{_reasons(side.failed)}"
        for name, side in (("A", a), ("B", b))
    ]
    return [f"fails {how} in A: {join_and(each)}"]


def _reasons(rows: Sequence[Row]) -> str:
    return f" ({'; '.join(dict.fromkeys(map(status_text, rows)))})" if rows else ""


def _continuing(a: NetworkRun, b: NetworkRun) -> list[str]:
    return [
        f"{len(side.unfinished)} of {plural(len(side.rows), 'seed')} not finished in {name}"
        f" ({', '.join(dict.fromkeys(row.status for row in side.unfinished))}): the command of "
        "that run continues it"
        for name, side in (("A", a), ("B", b))
        if side.unfinished
    ]


def _speed(a: NetworkRun, b: NetworkRun) -> list[str]:
    """Say so if the same seconds or joules bought clearly different numbers of images."""
    budgets = {(row.budget.currency, row.budget.limit) for side in (a, b) for row in side.rows}
    currency, limit = next(iter(budgets))
    seen = (a.images_seen, b.images_seen)
    if len(budgets) > 1 or not currency.is_metered or not all(seen):
        return []
    fewer, more = sorted(images for images in seen if images)
    if more < _UNLIKE_SPEED * fewer:
        return []
    return [
        f"the same {amount(currency, limit)} bought {seen[0]:,} images in A and {seen[1]:,} in B, "
        f"{more / fewer:.1f} times as many: the difference may be the machine's speed and not the "
        f"network's; --budget {fewer}img on both leaves the speed out"
    ]
