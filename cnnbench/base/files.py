"""How does a file reach the disk whole or not at all?"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from cnnbench.base.failpoints import pass_failpoint

FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
REPORT_BYTES = 4 * 2**20  # tables, pages, figures and predictions of a small run


class StoreError(Exception):
    """The disk or the run folder is at fault: full, read-only, damaged or of another version."""


class DamagedError(StoreError):
    """A file of one cell is not what was written; the other cells can go on."""


class BusyError(StoreError):
    """Another process is writing to the folder."""


@contextlib.contextmanager
def disk_errors(path: Path, *, advice: str = "") -> Iterator[None]:
    """Turn an OSError while writing `path` into a StoreError with advice: `advice`, or our own."""
    try:
        yield
    except OSError as error:
        advice = advice or (
            f"{_free_text(path)}; free some space and type the same command again"
            if error.errno in FULL
            else "check the path and its permissions, or choose another folder with --out"
        )
        raise StoreError(f"cannot write {path}: {error.strerror or error}; {advice}") from error


def write_whole(path: Path, fill: Callable[[IO[bytes]], object], *, advice: str = "") -> None:
    """Let `fill` write a file that appears whole or not at all.

    Raises:
        StoreError: if the disk refuses; the old file is untouched, the temporary one gone.
    """
    with disk_errors(path, advice=advice):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                pass_failpoint(path.name, "opened")
                fill(file)
                file.flush()
                pass_failpoint(path.name, "written")
            commit(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def commit(temporary: Path, path: Path) -> None:
    """Sync a finished temporary file and rename it over `path`, which is in the same folder.

    Then the folder is synced, so that the rename itself survives. The caller removes the temporary
    file when this raises, and turns an OSError into advice.
    """
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.chmod(0o644)
    pass_failpoint(path.name, "synced")
    temporary.replace(path)
    pass_failpoint(path.name, "replaced")
    sync_folder(path.parent)
    pass_failpoint(path.name, "done")


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the system lets folders be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_file(path: Path) -> int:
    """Make what was appended to a file durable and return its length in bytes, 0 without one."""
    with disk_errors(path):
        if not path.exists():
            return 0
        with path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size


def append_line(path: Path, line: str) -> None:
    """Append one line to a log; a line torn by an earlier death is closed off first."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            if os.environ.get("CNNBENCH_FAILPOINT"):  # only a test tears a line on purpose
                file.write(line.encode()[: len(line) // 2])
                file.flush()
                pass_failpoint(path.name, "torn")
                file.write(line.encode()[len(line) // 2 :] + b"\n")
                return
            file.write(line.encode() + b"\n")


def sweep_temporaries(folder: Path, *, deep: bool = False) -> None:
    """Remove what a killed writer left behind; call it only while holding the folder's lock."""
    for path in folder.rglob(".*.tmp") if deep else folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            path.unlink()


def require_room(
    folder: Path,
    needed_bytes: int,
    *,
    content: str = "checkpoints and report of this run",
    advice: str = "free some space or choose another folder with --out",
) -> None:
    """Check before the first step that what a run will keep fits onto the disk.

    Raises:
        StoreError: if it does not; the message has the path, the needed and the free bytes.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise StoreError(
            f"{folder} has {size_text(free)} free; {content} need {size_text(needed_bytes)}; "
            f"{advice}"
        )


def require_version(path: Path, data: bytes, version: int) -> None:
    """Refuse a file of another version by name, before anything in it is called damaged.

    Raises:
        StoreError: if the file says that it is of another version.
    """
    with contextlib.suppress(ValueError):
        found = json.loads(data)
        seen = found.get("version", version) if isinstance(found, dict) else version
        if isinstance(seen, int) and seen != version:
            advice = "update cnnbench" if seen > version else "use the cnnbench that wrote it"
            raise StoreError(
                f"{path} is of version {seen}, this cnnbench reads version {version}; "
                f"{advice}, or choose another folder with --out"
            )


def size_text(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 2**20:.1f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


def _free_text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return f"{size_text(shutil.disk_usage(path.parent).free)} are free there"
    return "nothing is known of its free space"


# -- cores ----------------------------------------------------------------------------------------


def usable_cores() -> int:
    """Return the number of cores this process is allowed on, which can be fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
