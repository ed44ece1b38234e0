"""Which images did each model get right, where a table has their answers?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.planning.request import PlanError
from cnnbench.report.analysis.audit import Claim

__all__ = ["claims_of_predictions", "claims_of_run", "is_prediction_table", "predictions_of"]

_IMAGE = {"image", "file", "path", "id", "filename", "img"}
_LABEL = {"label", "class", "truth", "target", "y", "y_true", "true", "ground truth"}

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def is_prediction_table(header: Sequence[str]) -> bool:
    """Tell whether a table has a line an image: its columns are image, label and models."""
    titles = [title.strip().lower() for title in header[:2]]
    return len(header) > 2 and titles[0] in _IMAGE and titles[1] in _LABEL


def predictions_of(document: Any, table: str) -> Table | None:
    """Return a JSON document's `labels` and `predictions` as a table; None if it has none.

    Raises:
        PlanError: if they are not as many.
    """
    if not isinstance(document, Mapping) or not {"labels", "predictions"} <= document.keys():
        return None
    labels, predictions = document["labels"], document["predictions"]
    if not isinstance(labels, list) or not isinstance(predictions, Mapping):
        raise PlanError(f"{table}: labels must be a list, predictions a list a model")
    for model, answers in predictions.items():
        if not isinstance(answers, list) or len(answers) != len(labels):
            seen = len(answers) if isinstance(answers, list) else type(answers).__name__
            raise PlanError(f"{table}: {len(labels)} labels, and {model} has {seen} answers")
    images = document.get("images", range(len(labels)))
    columns = [images, labels, *predictions.values()]
    rows = [list(map(str, row)) for row in zip(*columns, strict=False)]
    return ["image", "label", *map(str, predictions)], rows


def claims_of_predictions(table: Table) -> list[Claim]:
    """Return what each model got right of the images; PlanError if an answer is missing."""
    header, rows = table
    models, seen = [title.strip() for title in header[2:]], set[str]()
    if not rows:
        raise PlanError("there is no image in the table of predictions")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header) or not all(cell.strip() for cell in row):
            raise PlanError(f"line {number}: each image needs a label and an answer of each model")
        if row[0] in seen:
            raise PlanError(f"line {number}: the image {row[0]!r} is there twice")
        seen.add(row[0])
    answers = np.array([[cell.strip() for cell in row[1:]] for row in rows], dtype=np.str_)
    is_correct = answers[:, 1:] == answers[:, :1]
    return [_claim(model, is_correct[:, place][None]) for place, model in enumerate(models)]


def claims_of_run(folder: Path) -> list[Claim]:
    """Return the finished networks of a run folder; StoreError if it is none."""
    from cnnbench.report.analysis.entries import entries_of
    from cnnbench.report.analysis.rows import read_rows
    from cnnbench.store import RunFolder

    run = RunFolder(folder)
    plan = run.plan()
    claims = []
    for entry in entries_of(run, plan, read_rows(run)):
        if entry.is_correct is None:
            raise PlanError(f"{folder}: the answers of {entry.label} were not kept; train it anew")
        claims.append(_claim(entry.label, entry.is_correct))
    return claims


def _claim(name: str, is_correct: np.ndarray) -> Claim:
    """Return a claim of `(S, N)` answers; several seeds count as their mean."""
    correct = round(float(is_correct.mean()) * is_correct.shape[1])
    return Claim(
        name=name,
        n_images=is_correct.shape[1],
        lowest=correct,
        highest=correct,
        printed=f"{correct}/{is_correct.shape[1]}",
        seeds=len(is_correct),
        is_correct=is_correct,
    )
