"""Which settings does a plan sweep, and what came of each value?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cnnbench.report.analysis.comparison import Comparison, is_ladder
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.analysis.rows import BROKEN, grouped
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.names import labels
from cnnbench.schema.result import Row

_VALUES: dict[str, Callable[[Cell], float]] = {
    "lr": lambda cell: cell.recipe.lr,
    "batch size": lambda cell: cell.recipe.batch_size,
    "budget": lambda cell: cell.budget.limit,
}
KEYS = tuple(_VALUES)


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPoint:
    """One value of a swept setting: means over the seeds; `line` names all that stays the same.

    `top1`, `low` and `high` are None where no seed finished; `reason` then says why.
    """

    line: str
    label: str
    model: str
    value: float
    text: str
    top1: float | None
    low: float | None
    high: float | None
    test_loss: float | None
    train_loss: float | None
    train_eval_loss: float | None
    reason: str


def swept(plan: Plan) -> list[str]:
    """Return which settings a plan sweeps: they vary within a network and not by necessity.

    A learning rate that follows the batch size is not swept. The budgets of several networks are a
    ladder.
    """
    keys = [key for key in KEYS if not (key == "budget" and is_ladder(plan))]
    models = grouped(plan.cells, lambda cell: cell.name).values()
    varying = [
        key for key in keys if any(len(set(map(_VALUES[key], cells))) > 1 for cells in models)
    ]
    if {"lr", "batch size"} <= set(varying) and _lr_follows_batch_size(plan):
        varying.remove("lr")
    return varying


def _lr_follows_batch_size(plan: Plan) -> bool:
    """Tell whether every network has one learning rate for each batch size."""
    batches = grouped(plan.cells, lambda cell: (cell.name, cell.recipe.batch_size))
    return all(len({cell.recipe.lr for cell in cells}) == 1 for cells in batches.values())


def sweep_points(
    plan: Plan, rows: Sequence[Row], comparison: Comparison, key: str
) -> list[SweepPoint]:
    """Return the points of one swept setting, by line and value."""
    ignored = {key}
    if key == "batch size":  # what follows from it does not make another line
        ignored |= {"micro batch"} | ({"lr"} - set(swept(plan)))
    full, lines = labels(plan), labels(plan, ignore=ignored)
    entries = {entry.label: entry for entry in comparison.entries}
    rows_of = grouped(rows, lambda row: full[row.cell])
    cells = {full[cell.id]: cell for cell in plan.cells}
    points = [
        _point(lines[cell.id], label, cell, key, entries.get(label), rows_of.get(label, []))
        for label, cell in cells.items()
    ]
    order = list(dict.fromkeys(lines.values()))
    return sorted(points, key=lambda point: (order.index(point.line), point.value))


def _point(
    line: str, label: str, cell: Cell, key: str, entry: Entry | None, rows: Sequence[Row]
) -> SweepPoint:
    value = _VALUES[key](cell)
    broken = next((row for row in rows if row.status in BROKEN), None)
    done = [row for row in rows if row.status == "done"]
    return SweepPoint(
        line=line,
        label=label,
        model=cell.model,
        value=value,
        text=str(cell.budget) if key == "budget" else f"{value:g}",
        top1=entry.top1 if entry else None,
        low=entry.interval[0] if entry else None,
        high=entry.interval[1] if entry else None,
        test_loss=_mean([row.test_loss for row in done]),
        train_loss=_mean([row.train_loss for row in done]),
        train_eval_loss=_mean([row.train_eval_loss for row in done]),
        reason=f"{broken.status}: {broken.reason}" if broken else "",
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
