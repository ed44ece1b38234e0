"""Which saved state can be trusted, and how is a new one kept without losing the last?"""

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import (
    DamagedError,
    StoreError,
    disk_errors,
    pass_failpoint,
    write_text,
    write_whole,
)

VERSION = 2
KEPT = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A sound state, with the length of the event log at its time.

    `notice` says which damaged checkpoints were passed over.
    """

    steps: int
    log_bytes: int
    state: dict[str, Any]
    notice: str = ""


class _Hashing:
    """A file that hashes what passes through it, so that a gigabyte is not read twice."""

    def __init__(self, file: IO[bytes], digest: "hashlib._Hash") -> None:
        self._file = file
        self._digest = digest
        self.refused: OSError | None = None

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self.refused = error
            raise

    def flush(self) -> None:
        self._file.flush()


def save(folder: Path, state: dict[str, Any], *, steps: int, log_bytes: int = 0) -> None:
    """Write a checkpoint, then its sidecar with the hash, then drop the oldest.

    A checkpoint counts only once its sidecar is there.

    Raises:
        StoreError: if the disk refuses; the earlier checkpoints are untouched.
    """
    import torch

    path = folder / f"step-{steps:09d}.pt"
    digest = hashlib.sha256()

    def fill(file: IO[bytes]) -> None:
        hashing = _Hashing(file, digest)
        try:
            torch.save(state, cast(IO[bytes], hashing))
        except RuntimeError:  # torch says "unexpected pos" where the disk said that it is full
            raise hashing.refused or RuntimeError(f"{path} cannot be serialised") from None

    write_whole(path, fill)
    sidecar = {
        "version": VERSION,
        "steps": steps,
        "log_bytes": log_bytes,
        "sha256": digest.hexdigest(),
        "torch": torch.__version__,
    }
    write_text(path.with_suffix(".json"), json.dumps({**sidecar, "seal": _seal(sidecar)}))
    _prune(folder, path)


def _prune(folder: Path, newest: Path) -> None:
    """Keep the newest checkpoint and the last good one before it.

    A later one was passed over as damaged, and one without a sidecar never counted: neither may
    take the place of a good checkpoint.
    """
    pass_failpoint(newest.name, "pruning")
    earlier = [p for p in sorted(folder.glob("step-*.pt")) if p < newest and _sidecar_of(p)]
    kept = {newest, *earlier[len(earlier) - (KEPT - 1) :]}
    with disk_errors(folder):
        for path in folder.glob("step-*"):
            if path.with_suffix(".pt") not in kept:
                path.unlink(missing_ok=True)


def load(folder: Path) -> Checkpoint | None:
    """Return the newest sound checkpoint, or None if there never was one.

    The hash is checked before a byte is unpickled; a damaged checkpoint is passed over with a
    warning, which the checkpoint's `notice` repeats.

    Raises:
        DamagedError: if checkpoints exist and none is sound: starting again at zero in silence
            would hide the loss.
        StoreError: if the newest is of another version of cnnbench.
    """
    notices: list[str] = []
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        if not path.with_suffix(".json").exists():
            continue  # a kill came between the two
        sidecar = _sidecar_of(path)
        state = _sound_state(path, sidecar) if sidecar else None
        if sidecar and state:
            return Checkpoint(
                steps=sidecar["steps"],
                log_bytes=sidecar["log_bytes"],
                state=state,
                notice="; ".join(notices),
            )
        notices.append(f"checkpoint {path.name} is damaged and was passed over")
        warnings.warn(f"{path} is damaged; falling back to the one before it", stacklevel=2)
    if notices:
        raise DamagedError(
            f"no checkpoint in {folder} is sound; delete that folder to train the cell from zero"
        )
    return None


def _sidecar_of(path: Path) -> dict[str, Any] | None:
    """Return the facts of a checkpoint; None if the sidecar is missing, damaged or another's.

    Raises:
        StoreError: if the sidecar is of another version.
    """
    try:
        sidecar = json.loads(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(sidecar, dict):
        return None
    version, seal = sidecar.get("version"), sidecar.pop("seal", None)
    oldest = version == 1 and seal is None  # the first version had no seal
    if seal != _seal(sidecar) and not oldest:
        return None
    if version != VERSION:
        raise StoreError(
            f"{path} is of version {version}, this cnnbench reads version {VERSION}; "
            "continue with the cnnbench that wrote it, or train anew with --fresh"
        )
    return sidecar if path.name == f"step-{sidecar['steps']:09d}.pt" else None


def _seal(sidecar: Mapping[str, object]) -> str:
    """Return a hash over the sidecar's own facts: a flipped digit of them is damage too."""
    return sha256_of(json.dumps(sidecar, sort_keys=True).encode())


def _sound_state(path: Path, sidecar: Mapping[str, Any]) -> dict[str, Any] | None:
    import torch

    if sha256_of(path) != sidecar["sha256"]:
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return None  # the hash is right, but this is no state: a hostile pickle, for instance
    return state
