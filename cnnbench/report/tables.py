"""Run folder to rows, rows to tables: unfinished and failed cells are rows too, with the reason."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnbench.report.escape import csv_text, escape_markdown
from cnnbench.report.stats import wilson
from cnnbench.report.wording import (
    MINUS,
    NOTHING,
    amount,
    decimals,
    percent,
    scaled,
    significant,
    span,
)
from cnnbench.schema.result import Result, Row

if TYPE_CHECKING:
    from cnnbench.store import RunFolder

VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of plain text, escaped only when it is written; `align` has l or r a column.

    `cells` names the cell that each row tells of, where it tells of one, for links between tables.
    """

    header: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
    cells: tuple[str, ...] = ()


# -- rows -----------------------------------------------------------------------------------------


def rows(run: RunFolder) -> list[Row]:
    """Return one row a cell in the order of the plan, whatever became of the cell."""
    return [_row(run.result(cell)) for cell in run.plan().cells]


def _row(result: Result) -> Row:
    low = high = None
    if result.correct is not None and result.test_images:
        low, high = wilson(result.correct, result.test_images)
    return Row(**result.model_dump(), top1_low=low, top1_high=high)


def ranked(table: Sequence[Row], *, names: Mapping[str, str] | None = None) -> list[Row]:
    """Sort rows: the finished ones by accuracy, best first, then the others as planned.

    The seeds of one contender, as `names` calls it by the cell's id, stay together, and so do the
    networks under one budget of a ladder, the largest budget first.
    """
    ladder = len({row.budget.limit for row in table}) > 1 < len({row.model for row in table})
    scores: dict[str, list[float]] = {}
    for row in table:
        if row.status == "done":
            scores.setdefault(_name(row, names), []).append(row.top1 or 0.0)
    means = {name: sum(values) / len(values) for name, values in scores.items()}
    done = [row for row in table if row.status == "done"]
    done.sort(
        key=lambda row: (
            -row.budget.limit if ladder else 0.0,
            -means[_name(row, names)],
            _name(row, names),
            row.seed,
        )
    )
    return done + [row for row in table if row.status != "done"]


def _name(row: Row, names: Mapping[str, str] | None) -> str:
    return row.model if names is None else names[row.cell]


def write_results(run: RunFolder, table: Sequence[Row]) -> None:
    """Write `results.json`, which keeps every text as it is, and `results.csv`."""
    run.write_text("results.json", results_json(table))
    run.write_text("results.csv", results_csv(table))


def results_json(table: Sequence[Row]) -> str:
    """Return the rows as one JSON document; a number that is not finite is null."""
    content = {"version": VERSION, "rows": [_finite(row.model_dump(mode="json")) for row in table]}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def results_csv(table: Sequence[Row]) -> str:
    """Return the rows with one column a number; no text in it runs as a spreadsheet formula."""
    flat = [_flatten(_finite(row.model_dump(mode="json"))) for row in table]
    out = io.StringIO()
    columns = flat[0].keys() if flat else _flat_columns()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for line in flat:
        writer.writerow(csv_text(v) if isinstance(v, str) else v for v in line.values())
    return out.getvalue()


def _flatten(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _flat_columns() -> list[str]:
    nested = {"budget", "seconds"}
    columns = []
    for name, field in Row.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {}) if name in nested else {}
        columns += [f"{name}_{key}" for key in inner] or [name]
    return columns


# -- tables ---------------------------------------------------------------------------------------


def result_table(
    table: Sequence[Row],
    *,
    names: Mapping[str, str] | None = None,
    letters: Mapping[str, str] | None = None,
) -> Table:
    """Return the table of a report, best first.

    `names` says what to call a cell, `letters` which cells cannot be told apart; both are keyed
    by the cell's id. The columns for seeds, letters and status appear where they say something.
    """
    several_seeds = len({row.seed for row in table}) > 1
    unfinished = any(row.status != "done" for row in table)
    columns = [("model", "l")]
    columns += [("seed", "r")] if several_seeds else []
    columns += [(name, "r") for name in _RESULT_COLUMNS[:3]]
    columns += [("tie", "l")] if letters else []
    columns += [(name, "r") for name in _RESULT_COLUMNS[3:]]
    columns += [("status", "l")] if unfinished else []
    lines, order = [], ranked(table, names=names)
    for row in order:
        line = [_name(row, names)]
        line += [str(row.seed)] if several_seeds else []
        measured = _result_line(row)
        line += measured[:3]
        line += [letters.get(row.cell, NOTHING)] if letters else []
        line += measured[3:]
        line += [status_text(row)] if unfinished else []
        lines.append(tuple(line))
    header, align = zip(*columns, strict=True)
    cells = tuple(row.cell for row in order)
    return Table(header=header, align="".join(align), rows=tuple(lines), cells=cells)


_RESULT_COLUMNS = (
    "top-1 %",
    "95 % interval",
    "right",
    "top-5 %",
    "test loss",
    "train loss",
    "params (M)",
    "MACs (G)",
    "epochs",
    "images/s",
    "memory (GiB)",
)


def _result_line(row: Row) -> list[str]:
    counted = row.correct is not None and row.test_images is not None
    return [
        percent(row.top1),
        span(row.top1_low, row.top1_high),
        f"{row.correct}/{row.test_images}" if counted else NOTHING,
        percent(row.top5),
        decimals(row.test_loss, 3),
        decimals(row.train_loss, 3),
        scaled(row.params, 1e6),
        scaled(row.macs, 1e9),
        decimals(row.epochs, 1),
        significant(row.images_per_second),
        decimals(None if row.peak_memory_bytes is None else row.peak_memory_bytes / 2**30, 2),
    ]


def status_text(row: Row) -> str:
    """Return a row's status with its reason, if it has one."""
    return f"{row.status}: {row.reason}" if row.reason else row.status


def clock_table(table: Sequence[Row], *, names: Mapping[str, str] | None = None) -> Table:
    """Return where each cell's seconds went and how far it was off its budget, in plan order.

    `data wait` is part of `train`; `other` is in no bucket, such as starting Python.
    """
    several_seeds = len({row.seed for row in table}) > 1
    lines = []
    for row in table:
        name = _name(row, names)
        label = f"{name}, seed {row.seed}" if several_seeds else name
        lines.append((label, *_budget_line(row), *_clock_line(row)))
    header = ("model", "budget", "used", "off by", *_CLOCK_COLUMNS)
    align, cells = "l" + "r" * (len(header) - 1), tuple(row.cell for row in table)
    return Table(header=header, align=align, rows=tuple(lines), cells=cells)


_CLOCK_COLUMNS = (
    "train",
    "data wait",
    "eval",
    "checkpoint",
    "warm-up",
    "build",
    "logging",
    "other",
    "total",
)


def _budget_line(row: Row) -> tuple[str, str, str]:
    budget = row.budget
    limit = amount(budget.currency, budget.limit)
    if row.status != "done":
        return limit, amount(budget.currency, budget.used), NOTHING
    missed = 100 * (budget.used / budget.limit - 1)
    exact = "0 %" if budget.used == budget.limit else f"{missed:+.2f} %".replace("-", MINUS)
    return limit, amount(budget.currency, budget.used), exact


def _clock_line(row: Row) -> list[str]:
    if not row.seconds.total:
        return [NOTHING] * len(_CLOCK_COLUMNS)
    s = row.seconds
    parts = (s.train, s.data_wait, s.eval, s.checkpoint, s.warmup, s.build, s.logging)
    return [decimals(part, 1) for part in (*parts, unmeasured(row), s.total)]


def unmeasured(row: Row) -> float:
    """Return the seconds of the total that are in no bucket, such as starting Python."""
    s = row.seconds
    return max(0.0, s.total - s.train - s.eval - s.checkpoint - s.warmup - s.build - s.logging)


# -- Markdown -------------------------------------------------------------------------------------


def as_markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown; every cell is escaped."""
    marks = ["---:" if side == "r" else ":---" for side in table.align]
    lines = [list(map(escape_markdown, table.header)), marks]
    lines += [[escape_markdown(cell) for cell in line] for line in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_table(
    table: Sequence[Row],
    *,
    names: Mapping[str, str] | None = None,
    letters: Mapping[str, str] | None = None,
) -> str:
    """Return the table of a report in GitHub's Markdown, best first."""
    return as_markdown(result_table(table, names=names, letters=letters))
