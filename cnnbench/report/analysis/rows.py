"""From a run folder to one row a cell, as JSON and CSV.

The CSV is written by the standard library: importing pandas takes longer than the rest of a report
needs to start.
"""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from cnnbench.report.stats.intervals import wilson
from cnnbench.report.text.escape import csv_text
from cnnbench.report.text.wording import join_and, join_numbers, plural
from cnnbench.schema.foresight import STARVED_EPOCHS
from cnnbench.schema.origin import VERSIONED
from cnnbench.schema.result import Result, Row
from cnnbench.store import RunFolder

__all__ = ["BROKEN", "grouped", "has_several_seeds", "ranked", "read_rows", "seed_suffixes"]
__all__ += ["rows_words", "status_text", "unmeasured", "write_results"]

BROKEN = ("diverged", "failed", "oom", "hung")  # these statuses say that training went wrong
_VERSION = 1
_MOST_NAMED = 6  # networks, or seeds of one, in a sentence; of more it says how many rows

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


def read_rows(run: RunFolder) -> list[Row]:
    """Return one row a cell in the order of the plan, whatever became of the cell."""
    return [_row(run.result(cell)) for cell in run.plan().cells]


def _row(result: Result) -> Row:
    low = high = starved = None
    if result.correct is not None and result.test_images:
        low, high = wilson(result.correct, result.test_images)
    if result.status == "done" and result.epochs is not None:
        # Weights that were trained before saw enough already.
        starved = result.epochs < STARVED_EPOCHS and result.start is None
    if result.train == "head":  # what came so fast were features, and no images
        result = result.model_copy(update={"images_per_second": None})
    return Row(**result.model_dump(), top1_low=low, top1_high=high, starved=starved)


def ranked(rows: Sequence[Row], names: Mapping[str, str]) -> list[Row]:
    """Sort rows: the finished ones by accuracy, best first, then the others as planned.

    The seeds of one entry, as `names` calls it by the cell's id, stay together, and so do the
    networks under one budget of a ladder, the largest budget first.
    """
    ladder = len({row.budget.limit for row in rows}) > 1 < len({row.name for row in rows})
    done = [row for row in rows if row.status == "done"]
    means = {
        name: sum(row.top1 or 0.0 for row in of_name) / len(of_name)
        for name, of_name in grouped(done, lambda row: names[row.cell]).items()
    }

    def order(row: Row) -> tuple[float, float, str, int]:
        name = names[row.cell]
        return -row.budget.limit if ladder else 0.0, -means[name], name, row.seed

    return sorted(done, key=order) + [row for row in rows if row.status != "done"]


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return the items by a key, in the order in which the keys first appear."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


# -- what a row says -------------------------------------------------------------------------------


def has_several_seeds(rows: Sequence[Row]) -> bool:
    """Tell whether the rows are of more than one seed, so that each must name its own."""
    return len({row.seed for row in rows}) > 1


def seed_suffixes(rows: Sequence[Row]) -> dict[str, str]:
    """Return for each cell what to write after its name: its seed, if there are several."""
    several = has_several_seeds(rows)
    return {row.cell: f", seed {row.seed}" if several else "" for row in rows}


def rows_words(some: Sequence[Row], rows: Sequence[Row], names: Mapping[str, str]) -> str:
    """Name some of a run's rows by network, with their seeds where it has others as well."""
    n_rows = Counter(names[row.cell] for row in rows)
    networks = grouped({row.cell: row for row in some}.values(), lambda row: names[row.cell])
    if len(networks) > _MOST_NAMED:
        return plural(sum(map(len, networks.values())), "row")
    return join_and(
        [
            name if len(of_name) == n_rows[name] else _seeds_words(of_name, name)
            for name, of_name in networks.items()
        ]
    )


def _seeds_words(rows: Sequence[Row], name: str) -> str:
    if len(rows) > _MOST_NAMED:
        return f"{len(rows)} seeds of {name}"
    noun = "seed" if len(rows) == 1 else "seeds"
    return f"{name} {noun} {join_numbers([row.seed for row in rows])}"


def status_text(row: Row) -> str:
    """Return a row's status with its reason, if it has one."""
    return f"{row.status}: {row.reason}" if row.reason else row.status


def unmeasured(row: Row) -> float | None:
    """Return the seconds of the total that are in no bucket, such as starting Python."""
    s = row.seconds
    known = (s.train, s.eval, s.checkpoint, s.warmup, s.build, s.logging, s.gallery)
    return None if s.total is None else max(0.0, s.total - sum(part or 0.0 for part in known))


# -- results.json and results.csv ------------------------------------------------------------------


def write_results(run: RunFolder, rows: Sequence[Row], *, withheld: str = "") -> None:
    """Write `results.json`, which keeps every text as it is, and `results.csv`."""
    run.write_text("results.json", results_json(rows, withheld=withheld))
    run.write_text("results.csv", results_csv(rows))


def results_json(rows: Sequence[Row], *, withheld: str = "") -> str:
    """Return the rows as one JSON document; a number that is not finite is null.

    `withheld` says why they are not ranked, null where they are.
    """
    values = [_finite(row.model_dump(mode="json")) for row in rows]
    content = {"version": _VERSION, "withheld": withheld or None, "rows": values}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def results_csv(rows: Sequence[Row]) -> str:
    """Return the rows with one column a number; no text in it runs as a spreadsheet formula."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _columns(), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        flat = _flatten(_finite(row.model_dump(mode="json")))
        writer.writerow({k: csv_text(v) if isinstance(v, str) else v for k, v in flat.items()})
    return out.getvalue()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flatten(row: dict[str, Any]) -> dict[str, Any]:
    """Return a column for each number of a group; a list is JSON in its column."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{inner}": item for inner, item in value.items()}
        elif isinstance(value, list):
            flat[key] = json.dumps(value, ensure_ascii=False)
        elif key != "versions":  # not recorded: it has no column, its libraries have
            flat[key] = value
    return flat


def _columns() -> list[str]:
    columns = []
    for name, field in Row.model_fields.items():
        nested = getattr(field.annotation, "model_fields", ())
        inner_names = VERSIONED if name == "versions" else nested
        columns += [f"{name}_{inner}" for inner in inner_names] or [name]
    return columns
