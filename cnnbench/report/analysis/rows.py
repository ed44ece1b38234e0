"""From a run folder to one row a cell, as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbench.report.stats.intervals import wilson
from cnnbench.report.stats.seeds import over_both, over_images, over_seeds, spread_of
from cnnbench.report.text.escape import csv_text
from cnnbench.schema.result import Result, Row

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison, Entry
    from cnnbench.report.analysis.pairs import Pair
    from cnnbench.store import RunFolder


# -- as data --------------------------------------------------------------------------------------


def comparison_data(comparison: Comparison) -> list[dict[str, Any]]:
    """Return every group and pair of every rung as plain values for `comparison.json`."""
    return [
        {
            "budget": None if rung.budget is None else str(rung.budget),
            "groups": [_group_data(one) for one in rung.entries],
            "pairs": [_pair_data(pair) for pair in rung.pairs],
            "ties": [[rung.entries[rank].label for rank in group] for group in rung.groups],
        }
        for rung in comparison.rungs
    ]


def _group_data(one: Entry) -> dict[str, Any]:
    right = one.right
    found: dict[str, Any] = {
        "label": one.label,
        "cells": [answers.row.cell for answers in one.answers.values()],
        "seeds": list(one.answers),
        "seeds_asked": one.asked,
        "top1_by_seed": [correct / total for correct, total in one.counts],
        "top1_mean": one.top1,
        "top1_deviation": None,
        "test_images": one.test_images,
    }
    if len(one.answers) > 1:
        found["top1_deviation"] = float(np.std(found["top1_by_seed"], ddof=1))
    if right is not None:
        spread = spread_of(right)
        found |= {
            "interval": over_both(right),
            "interval_seeds": over_seeds(right),
            "interval_images": over_images(right),
            "interval_bootstrap": one.bootstrap,
            "variance_images": spread.images,
            "variance_seeds": spread.seeds,
            "variance_residual": spread.residual,
        }
    return found


def _pair_data(pair: Pair) -> dict[str, Any]:
    keys = ("better", "worse", "difference", "low", "high", "discordant", "p_networks", "p")
    found: dict[str, Any] = {key: getattr(pair, key) for key in keys}
    found |= {"p_holm": pair.p_holm, "separated": pair.separated, "images": pair.images}
    return found | {"seeds": pair.seeds, "needed_images": pair.needed, "paired": pair.paired}


VERSION = 1


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


def status_text(row: Row) -> str:
    """Return a row's status with its reason, if it has one."""
    return f"{row.status}: {row.reason}" if row.reason else row.status


def unmeasured(row: Row) -> float:
    """Return the seconds of the total that are in no bucket, such as starting Python."""
    s = row.seconds
    return max(0.0, s.total - s.train - s.eval - s.checkpoint - s.warmup - s.build - s.logging)
