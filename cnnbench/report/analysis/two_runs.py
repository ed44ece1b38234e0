"""Is run B better or worse than run A, network by network, or is there no evidence?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnbench.report.analysis.comparison import Entry, entries_of
from cnnbench.report.analysis.pairs import difference_between, on_same_images
from cnnbench.report.analysis.rows import rows
from cnnbench.report.stats.seeds import gap_interval
from cnnbench.report.stats.tests import ALPHA, holm
from cnnbench.report.text.wording import NOTHING, names, plural
from cnnbench.schema.names import labels, settings_of

if TYPE_CHECKING:
    from cnnbench.report.stats.seeds import Difference
    from cnnbench.schema.cell import Cell, Plan
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
    found = [difference_sentence(one) for one in unlike if one.kind == kind]
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
    entries: Mapping[str, Entry]
    unfinished: Mapping[str, Row]

    @classmethod
    def read(cls, run: RunFolder) -> _Side:
        plan, table = run.plan(), rows(run)
        called = labels(plan)
        found, _ = entries_of(run, plan, table)
        return cls(
            plan=plan,
            rows=table,
            labels=list(dict.fromkeys(called.values())),
            entries={one.label: one for one in found},
            unfinished={called[row.cell]: row for row in table if row.status != "done"},
        )


def _judge(shared: Sequence[str], a: _Side, b: _Side) -> list[Judged]:
    both = [label for label in shared if label in a.entries and label in b.entries]
    tests = {x: difference_between(b.entries[x], a.entries[x]) for x in both}
    corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    return [
        _tested(label, tests[label], corrected[label], a, b)
        if label in tests
        else _untested(label, a, b)
        for label in shared
    ]


def _tested(label: str, test: Difference, p_holm: float, a: _Side, b: _Side) -> Judged:
    first, second = a.entries[label], b.entries[label]
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


def _method(first: Entry, second: Entry) -> str:
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
    first, second = a.entries.get(label), b.entries.get(label)
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


# -- how two runs differ --------------------------------------------------------------------------

Kind = Literal["data", "machine", "setting", "version"]
_DATA_KEYS = {"dataset", "dataset options", "dataset fingerprint", "subset"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlike:
    """One thing that is not the same in two runs; `models` says where, empty for everywhere."""

    kind: Kind
    what: str
    a: str
    b: str
    models: tuple[str, ...] = ()


def differences(a: Plan, b: Plan, a_rows: Sequence[Row], b_rows: Sequence[Row]) -> list[Unlike]:
    """Return all that differs between two runs, data and machine first."""
    return [*_data(a, b), *_machine(a, b, a_rows, b_rows), *_settings(a, b), *_versions(a, b)]


def difference_sentence(unlike: Unlike) -> str:
    """Say one difference in words."""
    where = f" for {names(unlike.models)}" if unlike.models else ""
    return f"{unlike.kind}: {unlike.what} {unlike.a} in A, {unlike.b} in B{where}"


def _data(a: Plan, b: Plan) -> list[Unlike]:
    pairs = [
        ("dataset", a.dataset.name, b.dataset.name),
        ("fingerprint", a.dataset.fingerprint[:16], b.dataset.fingerprint[:16]),
        ("images", _images(a), _images(b)),
        ("classes", _classes(a, b), _classes(b, a)),
        ("test split", a.dataset.headline_split, b.dataset.headline_split),
        ("subset", _subset(a), _subset(b)),
    ]
    return [Unlike(kind="data", what=what, a=x, b=y) for what, x, y in pairs if x != y]


def _images(plan: Plan) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in plan.dataset.images.items())


def _classes(plan: Plan, other: Plan) -> str:
    count = plural(len(plan.dataset.classes), "class", "classes")
    if len(plan.dataset.classes) != len(other.dataset.classes):
        return count
    return f"{count}: {names(plan.dataset.classes[:3])} ..."


def _subset(plan: Plan) -> str:
    found = {"all images" if cell.subset is None else str(cell.subset) for cell in plan.cells}
    return names(sorted(found))


def _machine(a: Plan, b: Plan, a_rows: Sequence[Row], b_rows: Sequence[Row]) -> list[Unlike]:
    first, second = names(machines(a, a_rows)), names(machines(b, b_rows))
    if first == second or not first or not second:  # a run that has not started has no machine
        return []
    return [Unlike(kind="machine", what="ran on", a=first, b=second)]


def machines(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Return the machines that the finished cells of a run were trained on."""
    found = sorted({row.machine for row in rows if row.machine})
    line = plan.machine.get("line")
    return found or ([str(line)] if line else [])


def _settings(a: Plan, b: Plan) -> list[Unlike]:
    """Return the settings that differ between cells of the same name, with their networks."""
    first, second = _by_label(a), _by_label(b)
    found: dict[tuple[str, str, str], list[str]] = {}
    for label in first.keys() & second.keys():
        x, y = settings_of(first[label]), settings_of(second[label])
        for key in dict.fromkeys([*x, *y]):
            if key not in _DATA_KEYS and x.get(key) != y.get(key):
                change = (key, x.get(key, NOTHING), y.get(key, NOTHING))
                found.setdefault(change, []).append(label)
    shared = len(first.keys() & second.keys())
    return [
        Unlike(
            kind="setting",
            what=key,
            a=x,
            b=y,
            models=() if len(where) == shared else tuple(sorted(where)),
        )
        for (key, x, y), where in sorted(found.items())
    ] + _seeds(a, b)


def _seeds(a: Plan, b: Plan) -> list[Unlike]:
    x, y = (names([str(s) for s in sorted({c.seed for c in plan.cells})]) for plan in (a, b))
    return [Unlike(kind="setting", what="seeds", a=x, b=y)] if x != y else []


def _by_label(plan: Plan) -> Mapping[str, Cell]:
    called = labels(plan)
    return {called[cell.id]: cell for cell in plan.cells}


def _versions(a: Plan, b: Plan) -> list[Unlike]:
    found = [("cnnbench", a.cnnbench, b.cnnbench)]
    keys = dict.fromkeys([*a.machine, *b.machine])
    found += [
        (key.replace("_", " "), str(a.machine.get(key, NOTHING)), str(b.machine.get(key, NOTHING)))
        for key in keys
        if key != "line"
    ]
    return [Unlike(kind="version", what=what, a=x, b=y) for what, x, y in found if x != y]
