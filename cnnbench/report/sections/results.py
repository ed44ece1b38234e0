"""What did every cell reach: the table of results, with unfinished cells and their reasons?"""

import math
from collections.abc import Sequence

from cnnbench.report.analysis.rows import grouped, has_several_seeds, ranked, status_text
from cnnbench.report.sections import Grid, Paragraph, RunReport, Section
from cnnbench.report.text.table import Column, Table, table_of
from cnnbench.report.text.wording import (
    EVALUATION_LOSS,
    NOTHING,
    RUNNING_LOSS,
    STARVED,
    decimals,
    epochs_seen,
    marked,
    percent,
    rounded_up,
    scaled,
    significant,
    span,
)
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Plan
from cnnbench.schema.foresight import STARVED_EPOCHS
from cnnbench.schema.names import labels
from cnnbench.schema.result import TRAINING_SAMPLE, Row

__all__ = ["starved_note"]

TIES = 'Networks that share a letter under "tie" cannot be told apart.'
_NOTE = (
    f"{TIES} The interval is Wilson's, over the test images. "
    "results.csv and results.json have every number."
)
_MOST_TIMES = 1000  # of a budget; nobody would wait for more
_MEMORISING = (
    f"(eval): the last weights in evaluation mode on up to {TRAINING_SAMPLE} training images, the "
    "same for every network. One that is right on those and wrong on test images has memorised. "
    f"The {RUNNING_LOSS}, with augmentation and dropout, is in the figures and in results.csv: it "
    "says how training went, not which network learned more."
)
_SELECTED = (
    "Best evaluation along the way, selected after the fact and therefore too good; the ranking "
    "does not use it:"
)


def section(report: RunReport) -> Section:
    """Show the table of all cells, and the best evaluations that were not the last."""
    table, selected = report_table(report), selected_table(report.plan, report.rows)
    files = ("results.csv", "results.json")
    memorised = any(row.train_eval_top1 is not None for row in report.rows)
    return Section(
        title="Results",
        anchor="results",
        menu="Results",
        blocks=[
            Grid(table, filtered=True, linked=True),
            Paragraph(starved_note(report.rows), note=True) if starved_note(report.rows) else None,
            Paragraph(_NOTE, note=True, files=files) if report.comparison.letter else None,
            Paragraph(_MEMORISING, note=True, files=files[:1]) if memorised else None,
            Paragraph(_SELECTED, note=True) if selected else None,
            Grid(selected, "Best evaluations, selected") if selected else None,
        ],
    )


def starved_note(rows: Sequence[Row]) -> str:
    """Say what the mark of starved rows means and what would feed them; empty if there are none.

    On a ladder the lower rungs starve by design, so a network counts with the most that it saw.
    """
    if not any(row.starved for row in rows):
        return ""
    finished = [row for row in rows if row.starved is not None]
    by_model = grouped(finished, lambda row: row.name).values()
    least = min(max(row.epochs or 0.0 for row in of_model) for of_model in by_model)
    if least >= STARVED_EPOCHS:
        return STARVED
    times = STARVED_EPOCHS / max(least, STARVED_EPOCHS / _MOST_TIMES)
    more = f"{times:.1f}" if times < 10 else rounded_up(math.ceil(times))
    largest = "largest " if len({row.budget.limit for row in rows}) > 1 else ""
    counted = all(row.budget.currency in (Currency.EPOCHS, Currency.IMAGES) for row in rows)
    smaller = "" if counted else ", or smaller images,"  # which cost less of the others
    return f"{STARVED} About {more} times the {largest}budget{smaller} would feed every network."


def report_table(report: RunReport) -> Table:
    """Return the table of results, best first, or as planned where no rank is given.

    The columns for seeds, letters, the training sample and status appear where they say something.
    """
    rows, names, letters = report.rows, report.names, report.comparison.letter
    unfinished = any(row.status != "done" for row in rows)
    memorised = any(row.train_eval_top1 is not None for row in rows)
    seed: Column[Row] = ("seed", "r", lambda row: str(row.seed))
    tie: Column[Row] = ("tie", "l", lambda row: letters.get(row.cell, NOTHING))
    status: Column[Row] = ("status", "l", status_text)
    columns: list[Column[Row]] = [
        ("model", "l", lambda row: marked(names[row.cell], row.starved)),
        *([seed] if has_several_seeds(rows) else []),
        *_ACCURACY,
        *([tie] if letters else []),
        *_MEASURED,
        *(_MEMORISED if memorised else _RUNNING),
        *_COSTS,
        *([status] if unfinished else []),
    ]
    order = rows if report.comparison.machines.are_withheld else ranked(rows, names)
    return table_of(order, columns, cells=tuple(row.cell for row in order))


_ACCURACY: tuple[Column[Row], ...] = (
    ("top-1 %", "r", lambda row: percent(row.top1)),
    ("95 % interval", "r", lambda row: span(row.top1_low, row.top1_high)),
    ("right", "r", lambda row: f"{row.correct}/{row.test_images}" if row.test_images else NOTHING),
)
_MEASURED: tuple[Column[Row], ...] = (
    ("top-5 %", "r", lambda row: percent(row.top5)),
    ("test loss", "r", lambda row: decimals(row.test_loss, 3)),
)
_MEMORISED: tuple[Column[Row], ...] = (
    (EVALUATION_LOSS, "r", lambda row: decimals(row.train_eval_loss, 3)),
    ("train top-1 % (eval)", "r", lambda row: percent(row.train_eval_top1)),
)
_RUNNING: tuple[Column[Row], ...] = (  # of a run before the training sample was looked at
    (RUNNING_LOSS, "r", lambda row: decimals(row.train_loss, 3)),
)
_COSTS: tuple[Column[Row], ...] = (
    ("params (M)", "r", lambda row: scaled(row.params, 1e6)),
    ("MACs (G)", "r", lambda row: scaled(row.macs, 1e9)),
    ("epochs", "r", lambda row: epochs_seen(row.epochs)),
    ("images/s", "r", lambda row: significant(row.images_per_second)),
    ("memory (GiB)", "r", lambda row: _gib(row.peak_memory_bytes)),
)


def _gib(n_bytes: int | None) -> str:
    return decimals(None if n_bytes is None else n_bytes / 2**30, 2)


def selected_table(plan: Plan, rows: Sequence[Row]) -> Table | None:
    """Return the rows whose best evaluation was not the last, or None if there are none."""
    names, split = labels(plan), plan.dataset.curve_split
    # Evaluations are 1 / evaluations of the budget apart, and the last one may be a step early.
    last = {cell.id: 1 - 0.5 / cell.evaluations for cell in plan.cells}
    selected = [
        row
        for row in rows
        if row.best_top1 is not None and (row.best_progress or 1.0) < last[row.cell]
    ]
    columns: list[Column[Row]] = [
        ("model", "l", lambda row: names[row.cell]),
        ("seed", "r", lambda row: str(row.seed)),
        (f"best on {split} %, selected", "r", lambda row: percent(row.best_top1)),
        ("at share of budget", "r", lambda row: f"{percent(row.best_progress, digits=0)} %"),
        (f"last on {plan.dataset.headline_split} %", "r", lambda row: percent(row.top1)),
    ]
    return table_of(selected, columns) if selected else None
