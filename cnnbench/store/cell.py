"""What does one cell leave on disk, and how is it read back?"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from cnnbench.schema.cell import Cell
from cnnbench.schema.events import EVENT, Event
from cnnbench.schema.result import VERSION, BudgetUsed, Result, planned
from cnnbench.store import checkpoints
from cnnbench.store.files import StoreError, append_line, is_locked, locked, write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What a network said about every image of the headline split.

    `labels` is (N,) int64, `logits` (N, C) float32 in the order of the plan's classes.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    names: tuple[str, ...]


class CellFolder:
    """The folder of one cell: `cell.json`, `events.jsonl`, `result.json` and the rest."""

    def __init__(self, path: Path, cell: Cell) -> None:
        self.path = path
        self.cell = cell

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the cell for writing.

        Raises:
            BusyError: if another process trains this cell.
        """
        with locked(self.path):
            yield

    # -- events ---------------------------------------------------------------------------------

    def append(self, event: Event) -> None:
        """Add one event to the log."""
        append_line(self.path / "events.jsonl", event.model_dump_json())

    def events(self) -> list[Event]:
        """Return every whole event; a line torn by a kill is left out."""
        path = self.path / "events.jsonl"
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        found = []
        for line in lines:
            with contextlib.suppress(ValidationError):
                found.append(EVENT.validate_json(line))
        return found

    def rewind(self, steps: int) -> None:
        """Drop the events later than a checkpoint, so that a resumed run says nothing twice."""
        kept = [event for event in self.events() if event.spent.steps <= steps]
        text = "".join(event.model_dump_json() + "\n" for event in kept)
        write_whole(self.path / "events.jsonl", lambda file: file.write(text.encode()))

    # -- results --------------------------------------------------------------------------------

    def write_result(self, result: Result) -> None:
        """Write `result.json`; from here on the cell counts as ended."""
        text = result.model_dump_json(indent=1) + "\n"
        write_whole(self.path / "result.json", lambda file: file.write(text.encode()))

    def result(self) -> Result:
        """Return what came out, or what is known so far of a cell that has not ended.

        Raises:
            StoreError: if `result.json` is damaged or of a newer version.
        """
        path = self.path / "result.json"
        if not path.exists():
            return self._unfinished()
        try:
            result = Result.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            raise StoreError(
                f"{path} is damaged or of another version: {first['loc']} {first['msg']}; "
                "delete that file to train the cell again"
            ) from None
        if result.version > VERSION:
            raise StoreError(f"{path} is of version {result.version}; update cnnbench to read it")
        return result

    def is_final(self) -> bool:
        """Tell whether training again could add nothing: the cell is done or has diverged."""
        path = self.path / "result.json"
        return path.exists() and self.result().status in {"done", "diverged"}

    def _unfinished(self) -> Result:
        events = self.events()
        if not events:
            return planned(self.cell)
        alive = is_locked(self.path)
        spent = events[-1].spent
        return planned(self.cell).model_copy(
            update={
                "status": "running" if alive else "killed",
                "reason": "" if alive else "stopped before its end; the same command continues it",
                "epochs": spent.epochs,
                "images_seen": spent.images,
                "steps": spent.steps,
                "budget": BudgetUsed(
                    currency=self.cell.budget.currency,
                    limit=self.cell.budget.limit,
                    used=spent.of(self.cell.budget.currency),
                ),
            }
        )

    # -- predictions ----------------------------------------------------------------------------

    def write_predictions(self, predictions: Predictions) -> None:
        """Write `predictions.npz`, which pairs of models are compared by."""
        names = np.array(predictions.names, dtype=np.str_)
        write_whole(
            self.path / "predictions.npz",
            lambda file: np.savez_compressed(
                file, labels=predictions.labels, logits=predictions.logits, names=names
            ),
        )

    def predictions(self) -> Predictions | None:
        """Return the predictions of a cell that is done, else None."""
        path = self.path / "predictions.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            names: Sequence[str] = stored["names"].tolist()
            return Predictions(labels=stored["labels"], logits=stored["logits"], names=tuple(names))

    # -- checkpoints ----------------------------------------------------------------------------

    def save_checkpoint(self, state: dict[str, Any], *, steps: int) -> None:
        """Keep a state that training can go on from; the two newest are kept."""
        checkpoints.save(self.path / "checkpoint", state, steps=steps)

    def load_checkpoint(self) -> tuple[int, dict[str, Any]] | None:
        """Return the newest checkpoint whose hash is right, as (steps, state)."""
        return checkpoints.load(self.path / "checkpoint")

    def forget_checkpoints(self) -> None:
        """Remove the checkpoints of a cell that has ended."""
        shutil.rmtree(self.path / "checkpoint", ignore_errors=True)
