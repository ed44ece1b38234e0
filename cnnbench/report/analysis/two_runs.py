"""Is run B better or worse than run A, network by network, or is there no evidence?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cnnbench.base.exits import Exit
from cnnbench.report.analysis.entries import entries_of
from cnnbench.report.analysis.machines import unlike_machines
from cnnbench.report.analysis.origins import facts_by_label
from cnnbench.report.analysis.rows import grouped, read_rows
from cnnbench.report.analysis.verdicts import NetworkRun, NetworkVerdict, judge
from cnnbench.report.text.wording import NOTHING, join_and, join_numbers, plural
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.names import Settings, changes, labels, settings_of
from cnnbench.schema.origin import VERSIONED
from cnnbench.schema.result import Row
from cnnbench.store import RunFolder

__all__ = ["CannotCompare", "RunDifference", "TwoRuns", "compare_runs", "difference_sentence"]

Kind = Literal["data", "machine", "setting", "version"]
_DATA_KEYS = {"dataset", "dataset options", "dataset fingerprint", "subset"}


class CannotCompare(ValueError):
    """Two runs that were not made to be compared; the message says why and what to type."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDifference:
    """One thing that is not the same in two runs; `models` says where, empty for everywhere."""

    kind: Kind
    what: str
    a: str
    b: str
    models: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoRuns:
    """What differs between two runs, a verdict for each network in both, and who is in one only.

    `versions_recorded` is false where a run is of a time when rows did not tell their versions.
    The fields are keys of the document that `compare --json` prints.
    """

    unlike: tuple[RunDifference, ...]
    judged: tuple[NetworkVerdict, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    versions_recorded: bool = True

    @property
    def worse(self) -> bool:
        """Whether any network is worse in B."""
        return any(network.verdict == "worse" for network in self.judged)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """One of the two runs, read once; cells and networks by label."""

    plan: Plan
    rows: Sequence[Row]
    cells: Mapping[str, Cell]
    networks: Mapping[str, NetworkRun]

    @classmethod
    def read(cls, run: RunFolder) -> _Side:
        plan, rows = run.plan(), read_rows(run)
        label_of = labels(plan)
        entries = {entry.label: entry for entry in entries_of(run, plan, rows)}
        rows_of = grouped(rows, lambda row: label_of[row.cell])
        return cls(
            plan=plan,
            rows=rows,
            cells={label_of[cell.id]: cell for cell in plan.cells},
            networks={
                label: NetworkRun(rows=of_label, entry=entries.get(label))
                for label, of_label in rows_of.items()
            },
        )


def compare_runs(
    a: RunFolder, b: RunFolder, *, across_machines: bool = False, across_data: bool = False
) -> TwoRuns:
    """Judge every network of run B against the network of the same label in run A.

    Raises:
        CannotCompare: if the data or the machine differ and that was not allowed, or no network
            is in both.
    """
    a_side, b_side = _Side.read(a), _Side.read(b)
    differences = _differences(a_side, b_side)
    if not across_data:
        _refuse(differences, "data", "different data", "--across-data")
    if not across_machines:
        _refuse(differences, "machine", "different machines", "--across-machines")
        for name, side in (("A", a_side), ("B", b_side)):
            _refuse_mixed(name, side)
    shared = [label for label in a_side.cells if label in b_side.cells]
    if not shared:
        raise CannotCompare(
            f"no network is in both runs: A has {', '.join(a_side.cells)}; "
            f"B has {', '.join(b_side.cells)}. A sweep or a ladder compares with a run that varies "
            "the same"
        )
    return TwoRuns(
        unlike=tuple(differences),
        judged=tuple(judge(a_side.networks, b_side.networks, shared)),
        only_a=tuple(label for label in a_side.cells if label not in shared),
        only_b=tuple(label for label in b_side.cells if label not in shared),
        versions_recorded=all(
            one.versions for side in (a_side, b_side) for row in side.rows for one in row.origins
        ),
    )


def _refuse(differences: Sequence[RunDifference], kind: Kind, noun: str, flag: str) -> None:
    sentences = [difference_sentence(change) for change in differences if change.kind == kind]
    if sentences:
        raise CannotCompare(
            f"the runs were made on {noun}; {'; '.join(sentences)}. "
            f"{flag} compares them all the same"
        )


def _refuse_mixed(name: str, side: _Side) -> None:
    """Refuse a run whose own rows are of machines on which its budget is unlike work."""
    if unlike := unlike_machines(side.rows, labels(side.plan)):
        raise CannotCompare(
            f"the rows of {name} were made on unlike machines: {'; '.join(unlike)}. "
            "--across-machines compares them all the same"
        )


# -- how two runs differ ---------------------------------------------------------------------------


def difference_sentence(difference: RunDifference) -> str:
    """Say one difference in words."""
    where = f" for {join_and(difference.models)}" if difference.models else ""
    what = f"{difference.kind}: {difference.what}"
    return f"{what} {difference.a} in A, {difference.b} in B{where}"


def _differences(a: _Side, b: _Side) -> list[RunDifference]:
    """Return all that differs between two runs, data and machine first."""
    settings = [
        {label: settings_of(cell, ignore=_DATA_KEYS) for label, cell in side.cells.items()}
        for side in (a, b)
    ]
    facts = [facts_by_label(side.rows, labels(side.plan)) for side in (a, b)]
    datasets = [side.plan.dataset for side in (a, b)]
    same_images = datasets[0].fingerprint == datasets[1].fingerprint  # whatever their folder's name
    return [
        *_changes("setting" if same_images else "data", *({"dataset": d.name} for d in datasets)),
        *_changes("data", _data(a.plan, b.plan), _data(b.plan, a.plan)),
        *_by_network("machine", *facts, only=("ran on", "gpu")),
        *_by_network("setting", *settings),
        *_changes("setting", {"seeds": _seeds(a.plan)}, {"seeds": _seeds(b.plan)}),
        *_by_network("setting", *facts, only=("threads",)),
        *_by_network("version", *facts, only=VERSIONED),
    ]


def _changes(kind: Kind, a: Mapping[str, str], b: Mapping[str, str]) -> list[RunDifference]:
    return [
        RunDifference(kind=kind, what=key, a=before, b=after)
        for key, before, after in changes(a, b, missing=NOTHING)
    ]


def _data(plan: Plan, other: Plan) -> dict[str, str]:
    """Describe a plan's data; of the classes only what tells them from the other plan's."""
    data, subsets = plan.dataset, {cell.subset for cell in plan.cells}
    classes = plural(len(data.classes), "class", "classes")
    if len(data.classes) == len(other.dataset.classes):
        classes += f": {join_and(data.classes[:3])} ..."
    return {
        "fingerprint": data.fingerprint[:16],
        "images": ", ".join(f"{count:,} {split}" for split, count in data.images.items()),
        "classes": classes,
        "test split": data.headline_split,
        "subset": join_and(sorted("all images" if n is None else str(n) for n in subsets)),
    }


def _by_network(
    kind: Kind,
    a: Mapping[str, Settings],
    b: Mapping[str, Settings],
    *,
    only: Collection[str] | None = None,
) -> list[RunDifference]:
    """Return what both sides know of networks of the same label and what differs there."""
    shared = [label for label in a if label in b]
    changed = [
        ((key, a[label][key], b[label][key]), label)
        for label in shared
        for key in a[label].keys() & b[label].keys()
        if a[label][key] != b[label][key] and (only is None or key in only)
    ]
    differences = []
    for (key, before, after), where in sorted(grouped(changed, lambda pair: pair[0]).items()):
        models = () if len(where) == len(shared) else tuple(sorted(label for _, label in where))
        differences.append(RunDifference(kind=kind, what=key, a=before, b=after, models=models))
    return differences


def _seeds(plan: Plan) -> str:
    return join_numbers(sorted({cell.seed for cell in plan.cells}))
