"""How does a file reach the disk whole or not at all, and who may write?"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreError(Exception):
    """The disk or the run folder is at fault: full, read-only, damaged or of another version."""


class BusyError(StoreError):
    """Another process is writing to the folder."""


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError while writing `path` into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        advice = (
            "free some space and type the same command again"
            if error.errno in _FULL
            else "check the path and its permissions, or choose another folder with --out"
        )
        raise StoreError(f"cannot write {path}: {error.strerror or error}; {advice}") from error


def write_whole(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Let `fill` write a file that appears whole or not at all.

    A temporary file in the same folder is flushed, synced and renamed over `path`; then the
    folder is synced, so that the rename itself survives.

    Raises:
        StoreError: if the disk refuses; the old file is untouched, the temporary one gone.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the system lets folders be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def append_line(path: Path, line: str) -> None:
    """Append one line to a log; a line torn by an earlier death is closed off first."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(line.encode() + b"\n")


def sweep_temporaries(folder: Path) -> None:
    """Remove what a killed writer left behind; call it only while holding the folder's lock."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when its owner dies.

    Raises:
        BusyError: if another process holds it; the message names that process.
        StoreError: if the folder cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        owner = folder / "owner.json"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(f"{folder} is in use by {_owner(owner)}; wait for it") from None
    try:
        me = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%FT%T%z")}
        write_whole(owner, lambda file: file.write(json.dumps(me).encode()))
        sweep_temporaries(folder)
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Tell whether a living process holds the folder's lock."""
    if not (folder / ".lock").exists():
        return False
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
