"""How is it shown what a network sees in images: as a table, as JSON, as CSV?"""

import csv
import sys
from collections.abc import Sequence
from typing import Any

from cnnbench.cli.show.console import print_json, print_table
from cnnbench.inference.network import Prediction
from cnnbench.report.analysis.choice import Choice
from cnnbench.report.text.escape import csv_text
from cnnbench.report.text.wording import NOTHING, percent
from cnnbench.schema.kept import KeptNetwork


def show_predictions(
    predictions: Sequence[Prediction],
    choice: Choice,
    kept: KeptNetwork,
    *,
    top: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show the `top` classes of each file, or the reason why it has none."""
    if as_json:
        print_json(_document(predictions, choice, kept, top))
    elif as_csv:
        _print_csv(predictions, top=min(top, len(kept.classes)))
    else:
        _print_table(predictions, top)


def _document(
    predictions: Sequence[Prediction], choice: Choice, kept: KeptNetwork, top: int
) -> dict[str, Any]:
    return {
        "version": 1,
        "model": kept.model,
        "cell": kept.cell,
        "why": choice.why,
        "top1": kept.top1,
        "top1_low": kept.top1_low,
        "top1_high": kept.top1_high,
        "predictions": [
            {
                "file": str(each.path),
                "top": [{"class": name, "probability": chance} for name, chance in each.top(top)],
                "reason": each.reason,
            }
            for each in predictions
        ],
    }


def _print_csv(predictions: Sequence[Prediction], *, top: int) -> None:
    """Print a line a file; no name in it runs as a spreadsheet's formula."""
    numbers = ["", *(f"_{place}" for place in range(2, top + 1))]
    columns = [f"{word}{number}" for number in numbers for word in ("class", "probability")]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", *columns, "reason"])
    for each in predictions:
        cells = [cell for name, chance in each.top(top) for cell in (csv_text(name), chance)]
        cells += [""] * (len(columns) - len(cells))
        writer.writerow([csv_text(str(each.path)), *cells, csv_text(each.reason)])


def _print_table(predictions: Sequence[Prediction], top: int) -> None:
    lines = []
    for each in predictions:
        best = [(name, percent(chance)) for name, chance in each.top(top)] or [(NOTHING, NOTHING)]
        then = ", ".join(" ".join(other) for other in best[1:])
        lines.append((str(each.path), *best[0], each.reason or then))
    print_table(("file", "class", "%", "then"), lines, "llrl")
