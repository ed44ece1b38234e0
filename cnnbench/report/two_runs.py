"""Is run B better or worse than run A, network by network, or is there no evidence?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnbench.report.contenders import Contender, contenders_of, labels
from cnnbench.report.differences import Unlike, differences, sentence
from cnnbench.report.pairs import difference_between, gap_interval, on_same_images
from cnnbench.report.stats import ALPHA, holm
from cnnbench.report.tables import rows

if TYPE_CHECKING:
    from cnnbench.report.seeds import Difference
    from cnnbench.schema.cell import Plan
    from cnnbench.schema.result import Row
    from cnnbench.store import RunFolder

Verdict = Literal["better", "worse", "no evidence"]
BROKEN = ("failed", "diverged", "oom", "hung")


class CannotCompare(ValueError):
    """Two runs that were not made to be compared; the message says why and what to type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One network in both runs: B's accuracy minus A's as shares, with its 95 % interval.

    The numbers are None where one of the two has no finished row; `reason` then says why. `method`
    names the test.
    """

    label: str
    verdict: Verdict
    a_top1: float | None
    b_top1: float | None
    seeds: tuple[int, int]
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    method: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoRuns:
    """What differs between two runs, a verdict for each network in both, and who is in one only."""

    unlike: tuple[Unlike, ...]
    judged: tuple[Judged, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether any network is worse in B."""
        return any(one.verdict == "worse" for one in self.judged)


def compare_runs(
    a: RunFolder, b: RunFolder, *, across_machines: bool = False, across_data: bool = False
) -> TwoRuns:
    """Judge every network of run B against the one of the same name and settings label in run A.

    Raises:
        CannotCompare: if the data or the machine differ and that was not asked for, or no network
            is in both.
    """
    a_side, b_side = _Side.read(a), _Side.read(b)
    unlike = differences(a_side.plan, b_side.plan, a_side.rows, b_side.rows)
    _refuse(unlike, "data", "--across-data", allowed=across_data)
    _refuse(unlike, "machine", "--across-machines", allowed=across_machines)
    shared = [label for label in a_side.labels if label in b_side.labels]
    if not shared:
        raise CannotCompare(
            f"no network is in both runs: A has {', '.join(a_side.labels)}; "
            f"B has {', '.join(b_side.labels)}"
        )
    return TwoRuns(
        unlike=tuple(unlike),
        judged=tuple(_judge(shared, a_side, b_side)),
        only_a=tuple(label for label in a_side.labels if label not in shared),
        only_b=tuple(label for label in b_side.labels if label not in shared),
    )


def _refuse(unlike: Sequence[Unlike], kind: str, flag: str, *, allowed: bool) -> None:
    found = [sentence(one) for one in unlike if one.kind == kind]
    if found and not allowed:
        noun = "different machines" if kind == "machine" else "different data"
        raise CannotCompare(
            f"the runs were made on {noun}; {'; '.join(found)}. {flag} compares them all the same"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """One of the two runs, read once."""

    plan: Plan
    rows: Sequence[Row]
    labels: Sequence[str]
    contenders: Mapping[str, Contender]
    unfinished: Mapping[str, Row]

    @classmethod
    def read(cls, run: RunFolder) -> _Side:
        plan, table = run.plan(), rows(run)
        called = labels(plan)
        found, _ = contenders_of(run, plan, table)
        return cls(
            plan=plan,
            rows=table,
            labels=list(dict.fromkeys(called.values())),
            contenders={one.label: one for one in found},
            unfinished={called[row.cell]: row for row in table if row.status != "done"},
        )


def _judge(shared: Sequence[str], a: _Side, b: _Side) -> list[Judged]:
    both = [label for label in shared if label in a.contenders and label in b.contenders]
    tests = {x: difference_between(b.contenders[x], a.contenders[x]) for x in both}
    corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    return [
        _tested(label, tests[label], corrected[label], a, b)
        if label in tests
        else _untested(label, a, b)
        for label in shared
    ]


def _tested(label: str, test: Difference, p_holm: float, a: _Side, b: _Side) -> Judged:
    first, second = a.contenders[label], b.contenders[label]
    low, high = gap_interval(test)
    verdict: Verdict = "no evidence"
    if p_holm < ALPHA:
        verdict = "better" if test.difference > 0 else "worse"
    return Judged(
        label=label,
        verdict=verdict,
        a_top1=first.top1,
        b_top1=second.top1,
        seeds=(len(first.answers), len(second.answers)),
        difference=test.difference,
        low=low,
        high=high,
        p=test.p,
        p_holm=p_holm,
        method=_method(first, second),
        reason=_missing_seeds(label, a, b),
    )


def _method(first: Contender, second: Contender) -> str:
    one_seed = len(first.answers) == len(second.answers) == 1
    if not on_same_images(first, second):
        return "Fisher" if one_seed else "t over seeds, counts only"
    return "McNemar" if one_seed else "over seeds and images"


def _missing_seeds(label: str, a: _Side, b: _Side) -> str:
    said = [
        f"a seed of {name} did not finish ({side.unfinished[label].status})"
        for name, side in (("A", a), ("B", b))
        if label in side.unfinished
    ]
    return "; ".join(said)


def _untested(label: str, a: _Side, b: _Side) -> Judged:
    """Judge a network that one of the runs did not finish: failing now is worse."""
    first, second = a.contenders.get(label), b.contenders.get(label)
    verdict: Verdict = "no evidence"
    lost = b.unfinished.get(label)
    if first and lost and lost.status in BROKEN:
        verdict = "worse"
    before = a.unfinished.get(label)
    if second and before and before.status in BROKEN:
        verdict = "better"
    reasons = [
        f"{name} {row.status}" + (f": {row.reason}" if row.reason else "")
        for name, row in (("A", before), ("B", lost))
        if row
    ]
    return Judged(
        label=label,
        verdict=verdict,
        a_top1=first.top1 if first else None,
        b_top1=second.top1 if second else None,
        seeds=(len(first.answers) if first else 0, len(second.answers) if second else 0),
        reason="; ".join(reasons),
    )
