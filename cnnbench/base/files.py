"""How does a file reach the disk whole or not at all, and how can a test cut a write short?"""

import contextlib
import errno
import fnmatch
import json
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from cnnbench.base.exits import Exit
from cnnbench.base.words import escape_bytes

__all__ = [
    "REPORT_BYTES",
    "BusyError",
    "DamagedError",
    "StoreError",
    "append_line",
    "commit",
    "disk_errors",
    "pass_failpoint",
    "read_document",
    "require_room",
    "sweep_temporaries",
    "sync_file",
    "sync_folder",
    "user_folder",
    "write_text",
    "write_texts",
    "write_whole",
]

Document = TypeVar("Document", bound=BaseModel)

FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
REPORT_BYTES = 4 * 2**20  # tables, pages, figures and predictions of a small run
FAILPOINT = "CNNBENCH_FAILPOINT"  # an environment variable that only tests set


class StoreError(Exception):
    """The disk or the run folder is at fault: full, read-only, damaged or of another version."""

    exit_code = Exit.DISK


class DamagedError(StoreError):
    """A file is not what was written; damage to one cell stops no other cell."""


class BusyError(StoreError):
    """Another process is writing to the folder."""

    exit_code = Exit.BUSY


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

    The file that it is given has a name for a library that asks for one.

    Raises:
        StoreError: if the disk refuses; the old file is untouched, the temporary one gone.
    """
    with disk_errors(path, advice=advice):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            with temporary.open("wb") as file:
                pass_failpoint(path.name, "opened")
                fill(file)
                file.flush()
                pass_failpoint(path.name, "written")
            commit(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str, *, advice: str = "") -> None:
    """Write a text file as `write_whole` does, in UTF-8 whatever names it holds."""
    write_whole(path, lambda file: file.write(escape_bytes(text).encode()), advice=advice)


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write many small text files, each whole or not at all; they are synced together at the end.

    What says that they are there is to be written afterwards: a power cut before can empty them."""
    for path, text in texts.items():
        temporary = path.with_name(f".{path.name}.tmp")
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(escape_bytes(text).encode())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    os.sync()


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
    """Make what was appended to a file durable; return its length in bytes, 0 if it is missing."""
    with disk_errors(path):
        if not path.exists():
            return 0
        with path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size


def append_line(path: Path, line: str) -> None:
    """Append a line to a log, after closing off a line that an earlier death has torn."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            if os.environ.get(FAILPOINT):  # only a test tears a line on purpose
                file.write(line.encode()[: len(line) // 2])
                file.flush()
                pass_failpoint(path.name, "torn")
                file.write(line.encode()[len(line) // 2 :] + b"\n")
                return
            file.write(line.encode() + b"\n")


def sweep_temporaries(folder: Path, *, deep: bool = False) -> None:
    """Remove what a killed writer left in a folder; the caller must hold the folder's lock."""
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


def read_document(path: Path, model: type[Document], *, version: int, advice: str) -> Document:
    """Read a versioned JSON file.

    Raises:
        StoreError: if the file is of another version, or has a key that only another version of
            cnnbench can have written; that is not called damage.
        DamagedError: if the content does not fit the model; the message ends with `advice`.
    """
    data = path.read_bytes()
    _require_version(path, data, version)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        mistakes = error.errors()
        unknown = [_place(m) for m in mistakes if m["type"] == "extra_forbidden"]
        if unknown:
            raise StoreError(
                f"{path} has {unknown[0]}, which this cnnbench does not know; use the cnnbench "
                "that wrote it, or choose another folder with --out"
            ) from None
        why = ": ".join(filter(None, (_place(mistakes[0]), mistakes[0]["msg"])))
        raise DamagedError(f"{path} is damaged: {why}; {advice}") from None


def _place(mistake: Mapping[str, Any]) -> str:
    return ".".join(map(str, mistake["loc"]))


def _require_version(path: Path, data: bytes, version: int) -> None:
    with contextlib.suppress(ValueError):
        document = json.loads(data)
        seen = document.get("version", version) if isinstance(document, dict) else version
        if isinstance(seen, int) and seen != version:
            advice = "update cnnbench" if seen > version else "use the cnnbench that wrote it"
            raise StoreError(
                f"{path} is of version {seen}, this cnnbench reads version {version}; "
                f"{advice}, or choose another folder with --out"
            )


def user_folder(variable: str, place: Callable[[str], Path]) -> Path:
    """Return a folder of the user's: what the environment names, or the system's `place` for it.

    Raises:
        StoreError: if the user has no home, as in a container under a number without a name.
    """
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen)
    with contextlib.suppress(RuntimeError):
        folder = place("cnnbench")
        if folder.is_absolute():  # some versions of platformdirs return "~/.cache" as it stands
            return folder
    home = repr(os.environ["HOME"]) if "HOME" in os.environ else "not set"
    raise StoreError(
        f"this user has no home folder (HOME is {home}); set {variable} to a folder with room"
    )


def size_text(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 2**20:.1f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


def _free_text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return f"{size_text(shutil.disk_usage(path.parent).free)} are free there"
    return "nothing is known of its free space"


# -- failpoints -----------------------------------------------------------------------------------

Stage = Literal["opened", "written", "synced", "replaced", "done", "torn", "pruning", "forgetting"]

# How often this process passed each stage of the wanted file. Only a doomed process counts.
_passed: Counter[str] = Counter()


def pass_failpoint(name: str, stage: Stage) -> None:
    """Die here if the environment says so; `name` is that of the file being written.

    `CNNBENCH_FAILPOINT=FILE:STAGE:COUNT` kills the process when a file whose name matches the
    pattern FILE reaches STAGE for the COUNT-th time: `result.json:replaced:1`,
    `step-*.pt:written:2`. Nothing is caught, flushed or tidied up, as when the power is cut.
    """
    wanted = os.environ.get(FAILPOINT)
    if not wanted:
        return
    pattern, where, count = wanted.rsplit(":", 2)
    if where == stage and fnmatch.fnmatchcase(name, pattern):
        _passed[stage] += 1
        if _passed[stage] == int(count):
            os.kill(os.getpid(), signal.SIGKILL)
