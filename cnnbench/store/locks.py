"""Who may write to a folder, and who is writing to it now?"""

import contextlib
import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cnnbench.base.files import BusyError, StoreError, disk_errors, sweep_temporaries, write_text

READER_SECONDS = 0.25  # `is_locked` holds the lock for a moment; a writer waits that out
OWNER_SECONDS = 2.0  # an owner writes its name right after it takes the lock


@contextlib.contextmanager
def locked(
    folder: Path, *, wait_seconds: float = READER_SECONDS, deep: bool = False
) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when its owner dies.

    Temporary files that a killed writer left are removed, with `deep` from subfolders too.

    Raises:
        BusyError: if another process still holds it after `wait_seconds`; the message names
            that process.
        StoreError: if the folder cannot be written or its file system has no locks.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        owner = folder / "owner.json"
        try:
            lock.acquire(timeout=wait_seconds, poll_interval=0.05)
        except Timeout:
            raise BusyError(f"{folder} is in use by {_owner(owner)}; wait for it") from None
        except NotImplementedError:
            raise StoreError(
                f"the file system of {folder} has no locks; choose another folder with --out"
            ) from None
    try:
        me = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%FT%T%z")}
        write_text(owner, json.dumps(me))
        sweep_temporaries(folder, deep=deep)
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Tell whether a living process holds the folder's lock; works in a read-only folder too."""
    try:
        handle = os.open(folder / ".lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared: two readers do not see each other, and a writer waits for longer than this.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _owner(path: Path) -> str:
    """Name the owner; wait a moment for it, because it may only just have taken the lock."""
    deadline = time.monotonic() + OWNER_SECONDS
    while True:
        owner = _read_owner(path)
        if owner and _is_alive(owner):
            return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
        if time.monotonic() > deadline:
            return "another process"
        time.sleep(0.05)


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
