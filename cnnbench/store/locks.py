"""Who may write to a folder, and who is writing to it now?"""

import contextlib
import errno
import fcntl
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cnnbench.base.files import BusyError, StoreError, disk_errors, sweep_temporaries, write_text

READER_SECONDS = 0.25  # `is_locked` holds the lock for a moment; a writer waits that out
OWNER_SECONDS = 2.0  # an owner writes its name right after it takes the lock
POLL_SECONDS = 0.05

_NO_LOCKS = frozenset((errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP))


@contextlib.contextmanager
def locked(
    folder: Path, *, wait_seconds: float = READER_SECONDS, deep: bool = False
) -> Iterator[Callable[[], None]]:
    """Hold the folder's lock, which the system releases when its owner dies.

    Temporary files that a killed writer left are removed, with `deep` from subfolders too. Yields a
    function that raises StoreError once the folder is no longer the one that was locked: who
    writes by path would fill a folder that belongs to somebody else, or to nobody.

    Raises:
        BusyError: if another process still holds it after `wait_seconds`; the message names
            that process.
        StoreError: if the folder cannot be written or its file system has no locks.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = _acquire(folder, wait_seconds)

    def require_held() -> None:
        if not _is_at(folder, handle):
            raise StoreError(
                f"{folder} was removed or emptied while a process worked in it; nothing more is "
                "written there, and the same command begins anew"
            )

    owner = folder / "owner.json"
    try:
        me = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%FT%T%z")}
        write_text(owner, json.dumps(me))
        sweep_temporaries(folder, deep=deep)
        yield require_held
    finally:
        if _is_at(folder, handle):
            with contextlib.suppress(OSError):
                owner.unlink(missing_ok=True)
        os.close(handle)


def _acquire(folder: Path, wait_seconds: float) -> int:
    """Return an open `.lock` of the folder that this process alone has locked."""
    deadline = time.monotonic() + wait_seconds
    while True:
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        is_ours = False
        try:
            # The last owner may have removed the file with its folder.
            is_ours = _take(handle, fcntl.LOCK_EX) and _is_at(folder, handle)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise StoreError(
                f"the file system of {folder} has no locks; choose another folder with --out"
            ) from None
        finally:
            if not is_ours:
                os.close(handle)
        if is_ours:
            return handle
        if time.monotonic() > deadline:
            raise busy(folder)
        time.sleep(POLL_SECONDS)


def _take(handle: int, how: int) -> bool:
    """Lock an open file without waiting; False if another process has it."""
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # some file systems say EACCES
        return False
    return True


def _is_at(folder: Path, handle: int) -> bool:
    """Tell whether an open `.lock` is still the one that others find in the folder."""
    try:
        return os.path.samestat((folder / ".lock").stat(), os.fstat(handle))
    except OSError:
        return False


def is_locked(folder: Path) -> bool:
    """Tell whether a living process holds the folder's lock; works in a read-only folder too."""
    try:
        handle = os.open(folder / ".lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared: two readers do not see each other, and a writer waits for longer than this.
        return not _take(handle, fcntl.LOCK_SH)
    except OSError:
        return False
    finally:
        os.close(handle)


def busy(folder: Path) -> BusyError:
    """Return the error for a folder that another process holds; it names that process."""
    return BusyError(f"{folder} is in use by {owner_of(folder)}; wait for it, or end it")


def owner_of(folder: Path) -> str:
    """Name who holds a folder; wait a moment, because it may only just have taken the lock."""
    deadline = time.monotonic() + OWNER_SECONDS
    while True:
        owner = _read_owner(folder / "owner.json")
        if owner and _is_alive(owner):
            return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
        if time.monotonic() > deadline:
            return "another process"
        time.sleep(POLL_SECONDS)


def _read_owner(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        owner = json.loads(path.read_text())
        if isinstance(owner, dict) and {"pid", "host", "since"} <= owner.keys():
            return owner
    return None


def _is_alive(owner: dict[str, Any]) -> bool:
    """Tell whether the named process can be the owner: a dead owner may have left its name."""
    if owner["host"] != platform.node():
        return True
    try:
        os.kill(int(owner["pid"]), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True  # it exists, and belongs to another user
    return True
