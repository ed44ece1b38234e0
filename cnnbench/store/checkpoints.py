"""Which saved state can be trusted, and how is a new one kept without losing the last?"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from cnnbench.store.files import StoreError, write_whole

VERSION = 1
KEPT = 2


class _Hashing:
    """A file that hashes what passes through it, so that a gigabyte is not read twice."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def save(folder: Path, state: dict[str, Any], *, steps: int) -> None:
    """Write a checkpoint, then its sidecar with the hash, then drop the oldest.

    A checkpoint counts only once its sidecar is there.

    Raises:
        StoreError: if the disk refuses; the earlier checkpoints are untouched.
    """
    import torch

    path = folder / f"step-{steps:09d}.pt"
    digest = ""

    def fill(file: IO[bytes]) -> None:
        nonlocal digest
        hashing = _Hashing(file)
        torch.save(state, cast(IO[bytes], hashing))
        digest = hashing.sha256.hexdigest()

    write_whole(path, fill)
    sidecar = {"version": VERSION, "steps": steps, "sha256": digest, "torch": torch.__version__}
    write_whole(path.with_suffix(".json"), lambda file: file.write(json.dumps(sidecar).encode()))
    for old in sorted(folder.glob("step-*.pt"))[:-KEPT]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink(missing_ok=True)


def load(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Return (steps, state) of the newest sound checkpoint, or None if there never was one.

    The hash is checked before a byte is unpickled; a damaged checkpoint is passed over with a
    warning.

    Raises:
        StoreError: if checkpoints exist and none is sound: starting again at zero in silence
            would hide the loss.
    """
    import torch

    found = False
    for path, sidecar in _newest_first(folder):
        found = True
        if sidecar is not None and _sha256(path) == sidecar["sha256"]:
            state = torch.load(path, map_location="cpu", weights_only=True)
            return int(sidecar["steps"]), state
        warnings.warn(f"{path} is damaged; falling back to the one before it", stacklevel=2)
    if found:
        raise StoreError(
            f"no checkpoint in {folder} is sound; delete that folder to train the cell from zero"
        )
    return None


def _newest_first(folder: Path) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        sidecar_path = path.with_suffix(".json")
        if not sidecar_path.exists():
            continue  # killed between the two writes: it never counted
        try:
            sidecar = json.loads(sidecar_path.read_bytes())
        except ValueError:
            sidecar = None
        yield path, sidecar if isinstance(sidecar, dict) and "sha256" in sidecar else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
