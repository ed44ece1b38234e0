"""How are a table's models and what it claims of them found, in whatever form it comes?"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnbench.audit.figures import Figure, claim_of, kind_of, read_figure
from cnnbench.audit.predictions import claims_of_predictions, is_prediction_table, predictions_of
from cnnbench.planning.request import PlanError
from cnnbench.report.analysis.audit import Claim

__all__ = ["read_claims"]

MOST_BYTES = 64 * 2**20
_MODEL = {"model", "network", "net", "name", "method", "architecture", "classifier", "algorithm"}
_ACCURACY = {"accuracy", "acc", "top1", "top-1", "top 1", "score", "test accuracy", "result"}
_COUNT = {"correct", "right", "hits", "correct answers"}
_TOTAL = {"n", "total", "images", "test images", "test_images", "support", "samples"}
_DEVIATION = {"std", "sd", "deviation", "standard deviation", "±", "stdev"}
_SEEDS = {"seeds", "runs", "trials", "repeats"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A line of a table: a model with its figure; `total`, `deviation` and `seeds` if it says."""

    name: str
    figure: Figure
    total: int | None
    deviation: Figure | None
    seeds: int | None
    where: str


def read_claims(table: str, *, n_images: int | None, seeds: int) -> list[Claim]:
    """Read `AlexNet=88.28,VGG=86.72`, a run folder, or a CSV, Markdown or JSON file.

    `n_images` and `seeds` hold where the table does not say it itself.

    Raises:
        PlanError: if it is no such table, with the line and what was seen there.
    """
    path = Path(table)
    if "=" in table and not _exists(path):
        lines, are_counts = _typed(table), False
    elif not _exists(path):
        raise PlanError(f"{table}: no such file; or type NAME=ACCURACY,NAME=ACCURACY")
    elif path.is_dir():
        from cnnbench.audit.predictions import claims_of_run

        return _required(claims_of_run(path), table)
    else:
        text = _text_of(path)
        if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "["):
            document = _document(text, table)
            if (predictions := predictions_of(document, table)) is not None:
                return _required(claims_of_predictions(predictions), table)
            header, rows = _rows_of(document, table)
        else:
            header, rows = _grid(text, table)
        if is_prediction_table(header):
            return _required(claims_of_predictions((header, rows)), table)
        lines, are_counts = _lines(header, rows, table)
    return _required(_claims(lines, are_counts, n_images=n_images, seeds=seeds), table)


def _required(claims: list[Claim], table: str) -> list[Claim]:
    names = [claim.name for claim in claims]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise PlanError(f"{table}: {doubled!r} is there twice; give each model a name of its own")
    if len(claims) < 2:
        raise PlanError(f"{table}: {len(claims)} model(s); there is nothing to compare")
    return claims


def _claims(
    lines: Sequence[_Line], are_counts: bool, *, n_images: int | None, seeds: int
) -> list[Claim]:
    kind = kind_of([line.figure for line in lines], are_counts=are_counts)
    claims = []
    for line in lines:
        figure = line.figure
        if line.deviation is not None:
            figure = Figure(
                text=f"{figure.text} ± {line.deviation.text}",
                value=figure.value,
                decimals=figure.decimals,
                has_percent=figure.has_percent,
                total=figure.total,
                deviation=line.deviation.value,
            )
        claims.append(
            claim_of(
                line.name,
                figure,
                kind,
                line.total or n_images,
                seeds=line.seeds or seeds,
                where=line.where,
            )
        )
    return claims


# -- what is typed, and what lies in files ---------------------------------------------------------


def _typed(text: str) -> list[_Line]:
    lines = []
    for part in re.split(r",(?=[^,=]*=)|;", text):
        name, _, figure = part.rpartition("=")
        where = f"{part.strip()!r}"
        if not name.strip():
            raise PlanError(f"{where} is not NAME=ACCURACY, like AlexNet=88.28")
        read = read_figure(figure, where)
        lines.append(_line(name, read, where=where))
    return lines


def _line(name: str, figure: Figure, *, where: str, **more: Any) -> _Line:
    facts = {"total": None, "deviation": None, "seeds": None, **more}
    return _Line(name=name.strip(), figure=figure, where=where, **facts)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PlanError(f"{path} has over {MOST_BYTES // 2**20} MiB; that is no table")
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise PlanError(f"{path} is no text in UTF-8") from None
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror or error}") from None


def _grid(text: str, table: str) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the first Markdown table in a text, or of a CSV."""
    marked = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    if len(marked) >= 2 and set(marked[1]) <= set("|-: "):
        cells = [_markdown_cells(line) for line in marked]
        return cells[0], cells[2:]
    sample = text[:10_000]
    delimiter = max(",;\t", key=sample.split("\n", 1)[0].count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise PlanError(f"{table}: {error}") from None
    if len(rows) < 2:
        raise PlanError(f"{table}: a table needs a line of titles and a line for each model")
    return [cell.strip() for cell in rows[0]], rows[1:]


def _markdown_cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def _document(text: str, table: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{table} is no JSON: {error}") from None


def _rows_of(document: Any, table: str) -> tuple[list[str], list[list[str]]]:
    """Return a JSON document's models as a table: a mapping, a list of objects, our own rows."""
    if isinstance(document, Mapping):
        for key in ("rows", "models", "results"):
            if isinstance(document.get(key), list):
                return _rows_of(document[key], table)
        if document and all(isinstance(value, int | float | str) for value in document.values()):
            return ["model", "accuracy"], [[str(k), str(v)] for k, v in document.items()]
    if isinstance(document, list) and document and all(isinstance(r, Mapping) for r in document):
        titles = list(dict.fromkeys(str(key) for row in document for key in row))
        cells = [[str(row.get(title, "")) for title in titles] for row in document]
        return titles, cells
    raise PlanError(f'{table}: no models in this JSON; write {{"AlexNet": 88.28, ...}}')


# -- columns ---------------------------------------------------------------------------------------


def _lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], table: str
) -> tuple[list[_Line], bool]:
    titles = [_plain(title) for title in header]
    name_at = next((i for i, title in enumerate(titles) if title in _MODEL), 0)
    count_at, accuracy_at = _place(titles, _COUNT), _place(titles, _ACCURACY)
    value_at = count_at if count_at is not None else accuracy_at
    if value_at is None and len(titles) == 2:
        value_at = 1 - name_at
    if value_at is None:
        raise PlanError(
            f"{table}: no column of accuracies among {', '.join(map(repr, header)) or 'none'}; "
            "call it accuracy, or correct where it counts right answers"
        )
    places = {
        "total": _place(titles, _TOTAL),
        "deviation": _place(titles, _DEVIATION),
        "seeds": _place(titles, _SEEDS),
    }
    lines = list(_read_rows(rows, table, name_at, value_at, places))
    return lines, count_at is not None


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9±_ -]", "", title.lower()).strip().replace("_", " ")


def _place(titles: Sequence[str], names: set[str]) -> int | None:
    return next((i for i, title in enumerate(titles) if title in names), None)


def _read_rows(
    rows: Sequence[Sequence[str]],
    table: str,
    name_at: int,
    value_at: int,
    places: Mapping[str, int | None],
) -> Iterator[_Line]:
    for number, row in enumerate(rows, start=2):
        where = f"{table}, line {number}"
        if len(row) <= max(name_at, value_at):
            raise PlanError(f"{where}: {len(row)} columns; the model and its accuracy are missing")
        more: dict[str, Any] = {}
        for key, place in places.items():
            text = row[place].strip() if place is not None and place < len(row) else ""
            if text and text.lower() not in {"none", "null", "-", "\u2013"}:
                figure = read_figure(text, where)
                more[key] = figure if key == "deviation" else _whole(figure, where)
        yield _line(row[name_at], read_figure(row[value_at], where), where=where, **more)


def _whole(figure: Figure, where: str) -> int:
    if figure.value != int(figure.value) or figure.value < 1:
        raise PlanError(f"{where}: {figure.text} is no number of images or seeds")
    return int(figure.value)
