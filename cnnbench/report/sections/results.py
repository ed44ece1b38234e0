"""Run folder to rows, rows to tables: unfinished and failed cells are rows too, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cnnbench.report.analysis.rows import _name, has_several_seeds, ranked, status_text, unmeasured
from cnnbench.report.text.table import Table, as_markdown
from cnnbench.report.text.wording import (
    MINUS,
    NOTHING,
    amount,
    decimals,
    percent,
    scaled,
    significant,
    span,
)
from cnnbench.schema.result import Row

if TYPE_CHECKING:
    pass


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
    several_seeds = has_several_seeds(table)
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


def clock_table(table: Sequence[Row], *, names: Mapping[str, str] | None = None) -> Table:
    """Return where each cell's seconds went and how far it was off its budget, in plan order.

    `data wait` is part of `train`; `other` is in no bucket, such as starting Python.
    """
    several_seeds = has_several_seeds(table)
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


def markdown_table(
    table: Sequence[Row],
    *,
    names: Mapping[str, str] | None = None,
    letters: Mapping[str, str] | None = None,
) -> str:
    """Return the table of a report in GitHub's Markdown, best first."""
    return as_markdown(result_table(table, names=names, letters=letters))
