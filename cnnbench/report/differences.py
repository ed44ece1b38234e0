"""In what do two runs differ: settings, machine, data, versions?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnbench.report.contenders import labels, settings_of
from cnnbench.report.wording import NOTHING, names, plural

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell, Plan
    from cnnbench.schema.result import Row

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


def sentence(unlike: Unlike) -> str:
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
