"""Who may write to a folder, and who is writing to it now, on any machine and any file system?

A claim is a small file with a number in its name, made by a hard link, which only one of several
processes can make. The highest number counts. Its owner touches it every few seconds, and renames
it when it is done. A claim whose owner is dead is followed by one with the next number, and never
removed before: so an owner that was only asleep sees that it lost the folder, and numbers are not
used twice. That needs no lock of the file system, which many shared ones do not have.
"""

import contextlib
import errno
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from cnnbench.base.files import (
    BusyError,
    StoreError,
    disk_errors,
    pass_failpoint,
    sweep_temporaries,
)
from cnnbench.store.owners import Owner, owner_text, process_lives, this_machine, this_process

__all__ = ["CLAIMS", "busy", "claimed", "deaths_of", "owner_of"]

STALE_VARIABLE = "CNNBENCH_STALE_SECONDS"
STALE_SECONDS = 60.0  # without a touch, after which an owner on another machine counts as dead
TOUCHES = 10  # while a claim would grow stale
GRACE_SECONDS = 0.25  # a reader of a moment ago may hold the folder: a writer waits that out
POLL_SECONDS = 0.05

CLAIMS = ".claim-*"
_NAME = re.compile(r"\.claim-(\d{6,})(-released)?")
_NO_LINKS = frozenset((errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """The claim that counts; `owner` is None for a moment where links cannot be made."""

    path: Path
    number: int
    is_released: bool
    owner: Owner | None


@contextlib.contextmanager
def claimed(
    folder: Path, *, wait_seconds: float = GRACE_SECONDS, deep: bool = False
) -> Iterator[Callable[[], None]]:
    """Hold a folder, which is free again at once if this process dies on this machine.

    Temporary files that a killed writer left are removed, with `deep` from subfolders too. Yields a
    function that raises StoreError once the folder is no longer this process's: it was removed, or
    another took over while this one slept. Who writes by path would write into another's work.

    Raises:
        BusyError: if another process still holds it after `wait_seconds`; the message names
            that process.
        StoreError: if the folder cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        claim = _take(folder, wait_seconds)
        handle = os.open(claim.path, os.O_RDONLY)
    following = claim.path.with_name(f".claim-{claim.number + 1:06d}")

    def is_there() -> bool:
        with contextlib.suppress(OSError):
            return os.path.samestat(claim.path.stat(), os.fstat(handle))
        return False

    def require_held() -> None:
        if is_there() and not following.exists():
            return
        if following.exists():
            raise BusyError(
                f"{folder} was taken over by {owner_text(owner_of(folder))} while this process "
                "slept; nothing more is written there"
            )
        raise StoreError(
            f"{folder} was removed or emptied while a process worked in it; nothing more is "
            "written there, and the same command begins anew"
        )

    ended = threading.Event()
    touching = threading.Thread(target=_touch, args=(handle, ended), daemon=True)
    try:
        touching.start()
        sweep_temporaries(folder, deep=deep)
        yield require_held
    finally:
        ended.set()
        touching.join()
        if is_there() and not following.exists():
            with contextlib.suppress(OSError):
                claim.path.rename(claim.path.with_name(f"{claim.path.name}-released"))
        os.close(handle)


def owner_of(folder: Path, *, exactly: bool = False) -> Owner | None:
    """Return the living process that holds a folder, None if nobody does; works read-only too.

    An owner on another machine is judged by this machine's clock, or `exactly`, by the clock that
    stamps the folder's files, which is asked by writing one.
    """
    latest = _latest(folder)
    clock = partial(_now_in, folder) if exactly else time.time
    if latest is None or not _is_alive(latest, clock):
        return None
    return latest.owner or Owner(host="an unknown machine", pid=0, since="a moment ago")


def busy(folder: Path) -> BusyError:
    """Return the error for a folder that another process holds; it names that process."""
    holder = owner_text(owner_of(folder))
    return BusyError(f"{folder} is in use by {holder}; wait for it, or end it")


def deaths_of(folder: Path) -> int:
    """Return how many owners of a folder died one after the other, up to now."""
    latest = _latest(folder)
    if latest is None or latest.is_released or latest.owner is None:
        return 0
    return latest.owner.deaths + (not _is_alive(latest, time.time))


# -- taking ---------------------------------------------------------------------------------------


def _take(folder: Path, wait_seconds: float) -> _Claim:
    """Make the claim that follows the one of a process that is done or dead."""
    deadline, clock = time.monotonic() + wait_seconds, partial(_now_in, folder)
    while True:
        latest = _latest(folder)
        if latest is None or not _is_alive(latest, clock):
            if claim := _make(folder, latest):
                return claim
        elif time.monotonic() > deadline:
            raise busy(folder)
        else:
            time.sleep(POLL_SECONDS)


def _make(folder: Path, before: _Claim | None) -> _Claim | None:
    """Make the claim after `before`; None if another process was faster."""
    number = before.number + 1 if before else 1
    died = before is not None and not before.is_released
    deaths = before.owner.deaths + 1 if before and before.owner and died else int(died)
    owner = this_process().model_copy(update={"deaths": deaths})
    path = folder / f".claim-{number:06d}"
    handle, name = tempfile.mkstemp(dir=folder, prefix=".claim.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(owner.model_dump_json())
        pass_failpoint("claim", "written")
        _link(temporary, path)
        pass_failpoint("claim", "replaced")
    except (FileExistsError, FileNotFoundError):  # the owner sweeps temporary files away
        return None
    finally:
        temporary.unlink(missing_ok=True)
    latest = _latest(folder)
    if latest is None or latest.path != path:  # a faster one had this number, and is done with it
        path.unlink(missing_ok=True)
        return None
    for each in folder.glob(CLAIMS):
        if _number_of(each) < number:
            each.unlink(missing_ok=True)
    pass_failpoint("claim", "done")
    return _Claim(path=path, number=number, is_released=False, owner=owner)


def _link(temporary: Path, path: Path) -> None:
    """Give a whole file its name; FileExistsError if the name is taken."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with path.open("x", encoding="utf-8") as file:  # where there are no hard links
            file.write(temporary.read_text("utf-8"))


def _latest(folder: Path) -> _Claim | None:
    """Return the claim with the highest number, None if there never was one."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
    except OSError:
        return None
    if not names:
        return None
    name = max(names, key=lambda each: (_number_of(Path(each)), each))  # released after not
    path, owner = folder / name, None
    with contextlib.suppress(OSError, ValidationError):
        owner = Owner.model_validate_json(path.read_bytes())
    is_released = name.endswith("-released")
    return _Claim(path=path, number=_number_of(path), is_released=is_released, owner=owner)


def _number_of(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


# -- life -----------------------------------------------------------------------------------------


def _touch(handle: int, ended: threading.Event) -> None:
    """Touch a claim until it ends; by its open file, so never that of another."""
    while not ended.wait(_stale_seconds() / TOUCHES):
        with contextlib.suppress(OSError):
            os.utime(handle)


def _is_alive(claim: _Claim, clock: Callable[[], float]) -> bool:
    """Tell whether a claim's owner holds it still; `clock` is asked of those on other machines."""
    if claim.is_released:
        return False
    owner = claim.owner
    if owner and owner.machine == this_machine():
        return process_lives(owner)
    try:
        return clock() - claim.path.stat().st_mtime < _stale_seconds()
    except OSError:  # renamed or removed just now: look again
        return True


def _now_in(folder: Path) -> float:
    """Return the time by the clock that stamps the folder's files: a server's, for a shared one."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".clock.", suffix=".tmp")
    try:
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)


def _stale_seconds() -> float:
    return float(os.environ.get(STALE_VARIABLE) or STALE_SECONDS)
