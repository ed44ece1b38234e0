"""Which settings does a plan sweep, and what came of each value?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.report.analysis.comparison import is_ladder
from cnnbench.report.analysis.ladder import interval
from cnnbench.schema.names import labels

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison, Entry
    from cnnbench.schema.cell import Cell, Plan
    from cnnbench.schema.result import Row


KEYS = ("lr", "batch size", "budget")
NOT_FINISHED = ("diverged", "failed", "oom", "hung")


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPoint:
    """One value of a swept setting: means over the seeds; `line` names all that stays the same.

    `top1`, `low` and `high` are None where no seed finished; `reason` then says why.
    """

    line: str
    label: str
    value: float
    text: str
    top1: float | None
    low: float | None
    high: float | None
    test_loss: float | None
    train_loss: float | None
    reason: str


def swept(plan: Plan) -> list[str]:
    """Return which settings a plan sweeps: they vary within a network and not by necessity.

    A learning rate that follows the batch size is not swept. The budgets of several networks are a
    ladder.
    """
    keys = [key for key in KEYS if not (key == "budget" and is_ladder(plan))]
    varying = [key for key in keys if _varies(plan, key)]
    if {"lr", "batch size"} <= set(varying) and _follows(plan):
        varying.remove("lr")
    return varying


def _varies(plan: Plan, key: str) -> bool:
    values: dict[str, set[float]] = {}
    for cell in plan.cells:
        values.setdefault(cell.model, set()).add(_value(cell, key))
    return any(len(found) > 1 for found in values.values())


def _follows(plan: Plan) -> bool:
    """Tell whether every network has one learning rate for each batch size."""
    rates: dict[tuple[str, int], set[float]] = {}
    for cell in plan.cells:
        rates.setdefault((cell.model, cell.recipe.batch_size), set()).add(cell.recipe.lr)
    return all(len(found) == 1 for found in rates.values())


def _value(cell: Cell, key: str) -> float:
    values = {
        "lr": cell.recipe.lr,
        "batch size": cell.recipe.batch_size,
        "budget": cell.budget.limit,
    }
    return values[key]


def _text(cell: Cell, key: str) -> str:
    return str(cell.budget) if key == "budget" else f"{_value(cell, key):g}"


def sweep_points(
    plan: Plan, table: Sequence[Row], comparison: Comparison, key: str
) -> list[SweepPoint]:
    """Return the points of one swept setting, by line and value."""
    apart = {key}
    if key == "batch size":  # what follows from it does not make another line
        apart |= {"micro batch"} | ({"lr"} - set(swept(plan)))
    full, lines = labels(plan), labels(plan, ignore=apart)
    entries = {one.label: one for one in comparison.entries}
    rows: dict[str, list[Row]] = {}
    for row in table:
        rows.setdefault(full[row.cell], []).append(row)
    cells = {full[cell.id]: cell for cell in plan.cells}
    found = [
        _point(lines[cell.id], label, cell, key, entries.get(label), rows.get(label, []))
        for label, cell in cells.items()
    ]
    order = list(dict.fromkeys(lines.values()))
    return sorted(found, key=lambda point: (order.index(point.line), point.value))


def _point(
    line: str,
    label: str,
    cell: Cell,
    key: str,
    entry: Entry | None,
    rows: Sequence[Row],
) -> SweepPoint:
    low, high = interval(entry) if entry else (None, None)
    ended = next((row for row in rows if row.status in NOT_FINISHED), None)
    reason = f"{ended.status}: {ended.reason}" if ended else ""
    return SweepPoint(
        line=line,
        label=label,
        value=_value(cell, key),
        text=_text(cell, key),
        top1=entry.top1 if entry else None,
        low=low,
        high=high,
        test_loss=_mean([row.test_loss for row in rows if row.status == "done"]),
        train_loss=_mean([row.train_loss for row in rows if row.status == "done"]),
        reason=reason,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def lines_of(points: Sequence[SweepPoint]) -> Mapping[str, list[SweepPoint]]:
    """Return the finished points by line."""
    lines: dict[str, list[SweepPoint]] = {}
    for point in points:
        if point.top1 is not None:
            lines.setdefault(point.line, []).append(point)
    return lines
