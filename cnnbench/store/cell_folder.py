"""What does one cell leave on disk, and how is it read back?"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnbench.base.files import (
    REPORT_BYTES,
    DamagedError,
    append_line,
    disk_errors,
    pass_failpoint,
    read_document,
    require_room,
    sync_file,
    write_text,
    write_whole,
)
from cnnbench.base.words import escape_bytes
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Event, origins_of
from cnnbench.schema.kept import KeptNetwork
from cnnbench.schema.origin import origin_fields
from cnnbench.schema.result import VERSION, Result, planned, usage
from cnnbench.store import checkpoints, network
from cnnbench.store.checkpoints import Checkpoint
from cnnbench.store.claims import claimed, deaths_of, owner_of
from cnnbench.store.gallery import UNREADABLE, CellGallery, read_gallery, write_gallery
from cnnbench.store.log import EventTail, parse_events
from cnnbench.store.owners import Owner

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FINAL", "ORPHAN_WAIT_SECONDS", "CellFolder", "Predictions"]

FINAL = frozenset(("done", "diverged"))  # training again could add nothing
ORPHAN_WAIT_SECONDS = 30.0  # longer than a cell whose launcher was killed may go on
BEAT_EVERY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """A network's answers to the N images of the headline split, with the images' own names.

    `labels` is (N,), `logits` (N, C) in the order of the plan's classes.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    names: tuple[str, ...]


class CellFolder:
    """The folder of one cell: `cell.json`, `events.jsonl`, `result.json` and the rest."""

    def __init__(self, path: Path, cell: Cell) -> None:
        self.path = path
        self.cell = cell
        self._beaten = -BEAT_EVERY_SECONDS
        self._require_held: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def lock(self, *, wait_seconds: float = ORPHAN_WAIT_SECONDS) -> Iterator[None]:
        """Hold the cell for writing, on whatever machine; a process that saves is waited for.

        While it is held, every method that writes raises StoreError once the folder was removed or
        replaced, or taken over by another process.

        Raises:
            BusyError: if another process trains this cell.
        """
        with claimed(self.path, wait_seconds=wait_seconds, deep=True) as require_held:
            self._require_held = require_held
            try:
                yield
            finally:
                self._require_held = lambda: None

    def owner(self, *, exactly: bool = False) -> Owner | None:
        """Return the living process that trains this cell, None if nobody does; see `owner_of`."""
        return owner_of(self.path, exactly=exactly)

    def deaths(self) -> int:
        """Return how many processes died over this cell, one after the other, up to now."""
        return deaths_of(self.path)

    def beat(self) -> None:
        """Show that the work goes on; call it every step and batch, it writes once a second."""
        now = time.monotonic()
        if now - self._beaten >= BEAT_EVERY_SECONDS:
            self._beaten = now
            with contextlib.suppress(OSError):  # a full disk is for the next real write to name
                (self.path / ".heartbeat").touch()

    def heartbeat(self) -> int:
        """Return a number that changes with every beat; its value means nothing."""
        with contextlib.suppress(OSError):
            return (self.path / ".heartbeat").stat().st_mtime_ns
        return 0

    # -- events ----------------------------------------------------------------------------------

    def append(self, event: Event) -> None:
        """Add one event to the log."""
        self._require_held()
        append_line(self.path / "events.jsonl", event.model_dump_json())

    def events(self) -> list[Event]:
        """Return every whole event; a line torn by a kill is left out."""
        path = self.path / "events.jsonl"
        return parse_events(path.read_bytes()) if path.exists() else []

    def tail(self) -> EventTail:
        """Return a reader of the events as they come."""
        return EventTail(self.path / "events.jsonl")

    def rewind(self, log_bytes: int) -> None:
        """Cut the log to its length at a checkpoint, so that a resumed cell logs nothing twice."""
        self._require_held()
        path = self.path / "events.jsonl"
        log = path.read_bytes() if path.exists() else b""
        if len(log) != log_bytes:
            write_whole(path, lambda file: file.write(log[:log_bytes]))

    # -- result ----------------------------------------------------------------------------------

    def write_result(self, result: Result) -> None:
        """Write `result.json`. Only a final result ends the cell; others are tried again."""
        self._require_held()
        write_text(self.path / "result.json", result.model_dump_json(indent=1) + "\n")

    def result(self) -> Result:
        """Return the result, or what is known so far of a cell that has not ended.

        Raises:
            StoreError: if `result.json` is damaged or of another version.
        """
        path = self.path / "result.json"
        if not path.exists():
            return self._result_so_far()
        advice = "delete that file to train the cell again"
        return read_document(path, Result, version=VERSION, advice=advice)

    def result_mark(self) -> tuple[int, int] | None:
        """Return what changes with each writing of the result; None where there is none."""
        with contextlib.suppress(OSError):
            stat = (self.path / "result.json").stat()
            return stat.st_ino, stat.st_mtime_ns
        return None

    def is_final(self) -> bool:
        """Tell whether training again could add nothing: the cell is done or has diverged."""
        path = self.path / "result.json"
        return path.exists() and self.result().status in FINAL

    def retry(self) -> None:
        """Forget the result of a cell that is not final, so that it is trained again."""
        with disk_errors(self.path):
            (self.path / "result.json").unlink(missing_ok=True)

    def _result_so_far(self) -> Result:
        events = self.events()
        if not events:
            return planned(self.cell)
        alive = self.owner() is not None
        return planned(self.cell).model_copy(
            update={
                "status": "running" if alive else "killed",
                "reason": "" if alive else "stopped before its end; the same command continues it",
                **usage(self.cell, events[-1].spent),
                **origin_fields(origins_of(events)),
            }
        )

    # -- predictions and pictures ----------------------------------------------------------------

    def write_predictions(self, predictions: Predictions) -> None:
        """Write `predictions.npz`; pairs of models are compared image by image."""
        self._require_held()
        names = np.array([escape_bytes(name) for name in predictions.names], dtype=np.str_)
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
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return Predictions(
                    labels=stored["labels"],
                    logits=stored["logits"],
                    names=tuple(stored["names"].tolist()),
                )
        except UNREADABLE:
            raise DamagedError(
                f"{path} is damaged; delete the result.json beside it to train the cell again"
            ) from None

    def write_gallery(self, gallery: CellGallery) -> None:
        """Write `gallery.npz`, the pictures of what the network sees."""
        self._require_held()
        write_gallery(self.path / "gallery.npz", gallery)

    def gallery(self) -> CellGallery | None:
        """Return the pictures of a cell, or None where there are none that can be read."""
        return read_gallery(self.path / "gallery.npz")

    # -- the trained network -----------------------------------------------------------------------

    def write_network(self, state: Mapping[str, Tensor], kept: KeptNetwork) -> None:
        """Keep the trained network: its tensors by name, and what is known of it."""
        self._require_held()
        network.write_network(self.path, state, kept)

    def has_network(self) -> bool:
        """Tell whether a network is kept here."""
        return (self.path / network.FACTS).exists()

    def kept(self) -> KeptNetwork | None:
        """Return what is known of the kept network; None if there is none."""
        return network.read_kept(self.path)

    def weights(self, kept: KeptNetwork) -> dict[str, Tensor]:
        """Return the tensors of a kept network, checked by their hash; DamagedError otherwise."""
        return network.read_weights(self.path, kept)

    def forget_network(self) -> None:
        """Remove the kept network, if there is one."""
        network.forget_network(self.path)

    # -- checkpoints -----------------------------------------------------------------------------

    def save_checkpoint(self, state: dict[str, Any], *, steps: int) -> None:
        """Write a state that training can go on from; the two newest are kept.

        The log is made durable first, because a checkpoint stands for all events up to it.
        """
        self._require_held()
        log_bytes = sync_file(self.path / "events.jsonl")
        checkpoints.save(self.path / "checkpoint", state, steps=steps, log_bytes=log_bytes)

    def require_room(self, params: int, *, keeps: bool) -> None:
        """Check that the checkpoints of a network, a small report and what it `keeps` fit.

        Two checkpoints are kept and a third is written, of weights and momentum in float32.

        Raises:
            StoreError: if they do not.
        """
        needed, content = 3 * 2 * 4 * params + REPORT_BYTES, "checkpoints and report of this cell"
        if keeps:
            needed, content = needed + 4 * params, "checkpoints, report and network of this cell"
        advice = "free some space, choose another folder with --out"
        advice += " or keep no network with --keep none" if keeps else ""
        require_room(self.path, needed, content=content, advice=advice)

    def load_checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint whose hash is right; None if there never was any."""
        return checkpoints.load(self.path / "checkpoint")

    def forget_checkpoints(self) -> None:
        """Remove the checkpoints of a cell that has ended."""
        pass_failpoint("checkpoint", "forgetting")
        shutil.rmtree(self.path / "checkpoint", ignore_errors=True)
