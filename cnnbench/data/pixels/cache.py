"""Where are the decoded images kept, so that each is decoded once and read by every run?

An entry is a `.npy` array of uint8 and a `.json` beside it that says what it is. Both are written
whole: to a temporary file, synced, then renamed, the `.json` last. Its key covers all that decides
the pixels, so an entry is never stale; a lock lets one process build while others wait.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import PIL
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from cnnbench.data.dataset import Dataset, Split, SplitName, fingerprint_of
from cnnbench.data.pixels.decode import DECODE_VERSION
from cnnbench.data.pixels.ingest import Progress, write_images
from cnnbench.data.pixels.near_duplicates import LOOKS_VERSION, Look, looks_of

CACHE_VERSION = 1
_LOOK_FIELDS = ("verdict", "reason", "notes", "dhash", "thumbnail", "pixels")
_SPARE_BYTES = 64 * 2**20  # left free for the run's own files


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Decoded:
    """A decoded split: `images` uint8 `(N, size, size, 3)` read-only, `labels` int64 `(N,)`.

    `sha256` is over the whole array file: equal on two machines when every pixel is.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    sha256: str


def cache_folder() -> Path:
    """Return the cache's folder: `$CNNBENCH_CACHE`, or the platform's place for caches."""
    chosen = os.environ.get("CNNBENCH_CACHE")
    return Path(chosen) if chosen else user_cache_path("cnnbench")


def decoded(
    dataset: Dataset,
    split_name: SplitName,
    size: int,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Decoded:
    """Return a split's images as squares of `size` pixels, from the cache or decoded now.

    `folder` replaces `cache_folder()`. Raises DataError for unreadable images, all in one, and
    OSError when the cache cannot be written; neither leaves a file behind.
    """
    split = dataset.splits[split_name]
    home = (folder or cache_folder()) / "decoded"
    path = home / f"{cache_key(split, size)}.npy"
    shape = (len(split), size, size, 3)
    entry = _load(path, shape)
    if entry is None:
        try:
            entry = _build(split, size, path, shape, progress)
        except OSError as error:
            raise OSError(
                error.errno,
                f"the image cache cannot be written ({error.strerror or error}); "
                "set CNNBENCH_CACHE to a folder with room",
                str(home),
            ) from error
    images, sha256 = entry
    return Decoded(images=images, labels=split.labels, names=split.names, sha256=sha256)


def cache_key(split: Split, size: int) -> str:
    """Return the name of a split's entry, a sha256 over everything that decides its pixels."""
    return fingerprint_of([CACHE_VERSION, split.fingerprint, size, DECODE_VERSION, PIL.__version__])


Entry = tuple[npt.NDArray[np.uint8], str]


def _build(
    split: Split, size: int, path: Path, shape: tuple[int, ...], progress: Progress | None
) -> Entry:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        entry = _load(path, shape)  # another process may have built it while this one waited
        if entry is not None:
            return entry
        _require_room(path.parent, shape)
        part = path.with_suffix(".part")  # what a killed process left of it is overwritten
        try:
            write_images(split.source, len(split), size, part, progress=progress)
            _sync(part)
            facts = _facts(part, shape)
            path.with_suffix(".json").unlink(missing_ok=True)
            part.replace(path)
            _write_json(path.with_suffix(".json"), facts)
        finally:
            part.unlink(missing_ok=True)
        return np.load(path, mmap_mode="r"), facts["sha256"]


def _load(path: Path, shape: tuple[int, ...]) -> Entry | None:
    """Return a complete entry; None when there is none, or when its bytes are not as written."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        unchanged = path.stat().st_mtime_ns == facts["mtime_ns"]
        if facts["shape"] != list(shape) or path.stat().st_size != facts["bytes"]:
            return None
        # Hashing gigabytes at every start would be slow: only a file that was touched is hashed.
        if not unchanged and _sha256(path) != facts["sha256"]:
            return None
        return np.load(path, mmap_mode="r"), facts["sha256"]
    except (OSError, ValueError, KeyError, TypeError):  # absent or damaged: built again
        return None


def _facts(path: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    stat = path.stat()
    return {
        "version": CACHE_VERSION,
        "shape": list(shape),
        "bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "sha256": _sha256(path),
    }


def _require_room(folder: Path, shape: tuple[int, ...]) -> None:
    needed = int(np.prod(shape, dtype=np.int64)) + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(ENOSPC, f"{needed >> 20} MiB needed, {free >> 20} MiB free", str(folder))


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    _sync(part)
    part.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_looks(root: Path, names: Sequence[str], digests: Sequence[str]) -> list[Look]:
    """Return the looks of files below `root`, decoding them only when their contents are new.

    `digests` are the files' sha256, in the order of `names`.
    """
    order = sorted(range(len(names)), key=lambda i: (digests[i], Path(names[i]).suffix.lower()))
    identity = [[digests[i], Path(names[i]).suffix.lower()] for i in order]
    key = fingerprint_of([LOOKS_VERSION, DECODE_VERSION, PIL.__version__, identity])
    path = cache_folder() / "looks" / f"{key}.npz"
    looks = _read_looks(path)
    if looks is None:
        looks = looks_of(root, [names[i] for i in order])
        _write_looks(path, looks)
    by_place = dict(zip(order, looks, strict=True))
    return [by_place[i] for i in range(len(names))]


def _read_looks(path: Path) -> list[Look] | None:
    try:
        with np.load(path) as stored:
            rows = zip(*(stored[name].tolist() for name in _LOOK_FIELDS), strict=True)
            return [
                Look(
                    verdict=verdict,
                    reason=reason,
                    notes=tuple(filter(None, notes.split(","))),
                    dhash=dhash,
                    thumbnail=bytes.fromhex(thumbnail),
                    pixels=pixels,
                )
                for verdict, reason, notes, dhash, thumbnail, pixels in rows
            ]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # absent or damaged: looked anew
        return None


def _write_looks(path: Path, looks: Sequence[Look]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(
            file,
            verdict=np.array([look.verdict for look in looks], dtype=np.str_),
            reason=np.array([look.reason for look in looks], dtype=np.str_),
            notes=np.array([",".join(look.notes) for look in looks], dtype=np.str_),
            dhash=np.array([look.dhash for look in looks], dtype=np.uint64),
            thumbnail=np.array([look.thumbnail.hex() for look in looks], dtype=np.str_),
            pixels=np.array([look.pixels for look in looks], dtype=np.str_),
        )
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


# -- emptying the cache while other runs may use it -----------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """What was removed; `busy` entries are being built by another process and were left."""

    folder: str
    removed: int
    removed_bytes: int
    busy: int


def clean_cache(folder: Path | None = None) -> Cleaned:
    """Remove every decoded split and every remembered look from the cache.

    A run that reads an entry meanwhile keeps its pages on systems where an open file may be
    removed; where it may not, the entry counts as busy. What is not the cache's own is left.
    """
    home = folder or cache_folder()
    removed = removed_bytes = busy = 0
    for path in sorted((home / "looks").glob("*.npz")):
        removed_bytes += path.stat().st_size
        removed += 1
        path.unlink(missing_ok=True)
    entries = {path.with_suffix("") for path in (home / "decoded").glob("*.*")}
    for entry in sorted(entries):
        try:
            count, size = _remove(entry)
        except (Timeout, PermissionError):
            busy += 1
            continue
        removed, removed_bytes = removed + count, removed_bytes + size
    return Cleaned(folder=str(home), removed=removed, removed_bytes=removed_bytes, busy=busy)


def _remove(entry: Path) -> tuple[int, int]:
    """Remove an entry's files, the `.json` first: without it nobody takes the array for whole."""
    count = size = 0
    lock = entry.with_suffix(".lock")
    with FileLock(lock, timeout=0):
        for suffix in (".json", ".json.part", ".npy", ".part"):
            path = entry.with_suffix(suffix)
            if path.exists():
                count, size = count + 1, size + path.stat().st_size
                path.unlink()
    return count, size
