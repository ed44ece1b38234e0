"""How is an archive from a stranger unpacked without harm?

Every member is judged before its content is read, and the first bad one refuses the whole archive:
absolute names, `..`, backslashes, links, devices, names that occur twice or differ in case only
(one file on some systems), a file where a folder is needed, and more files or bytes than are
allowed. Modes, owners and times of the archive are not applied.
"""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from cnnbench.data import FetchError

Plain = IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile

_CHUNK = 1 << 20
_LONGEST_READ = 64 << 20  # of a tar's own headers; tarfile reads a member's long name at once
_SMALL = 1 << 20  # bytes that an archive of any size may unpack to


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The most an archive may unpack to; `ratio` is unpacked bytes to archive bytes."""

    files: int = 2_000_000
    total_bytes: int = 500 * 2**30
    ratio: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    """One entry as the archive describes it; `trouble` says why it is refused, if it is."""

    name: str
    is_folder: bool
    claimed_bytes: int
    trouble: str
    content: IO[bytes] | None


def unpack(
    archive: Path, folder: Path, *, keep: Sequence[str] = ("*",), limits: Limits | None = None
) -> None:
    """Unpack the files of a tar or zip whose path below the top folder matches a `keep`.

    The top folder itself is dropped if it is the only one. `folder` must be new: the caller removes
    it when this raises FetchError, so that no part of a bad archive stays.
    """
    allowed = limits or Limits()
    gate = _Gate(archive, allowed)
    folder.mkdir(parents=True)
    try:
        with _members(archive) as members:
            for member in members:
                parts = gate.admit(member)
                below = "/".join(parts[1:])
                is_wanted = any(fnmatchcase(below, pattern) for pattern in keep)
                if is_wanted and not member.is_folder:
                    assert member.content is not None
                    gate.copy(member, folder.joinpath(*parts))
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, EOFError, ValueError) as error:
        raise FetchError(f"{str(archive)!r} is damaged or no tar or zip: {error}") from error
    except (RuntimeError, NotImplementedError, gzip.BadGzipFile) as error:
        raise FetchError(f"{str(archive)!r} cannot be unpacked: {error}") from error


def drop_top_folder(folder: Path) -> Path:
    """Return the only folder inside `folder` when it holds nothing else, or `folder` itself."""
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


class _Gate:
    """Judges one member after another and remembers the names and sizes it has let through."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        size = archive.stat().st_size
        self._most_bytes = min(limits.total_bytes, max(_SMALL, limits.ratio * size))
        self._bytes = 0
        self._known: dict[str, tuple[str, bool]] = {}  # folded -> (path, is it a folder)
        self._files: set[str] = set()

    def admit(self, member: _Member) -> tuple[str, ...]:
        """Return the parts of a member's path, or raise FetchError."""
        if member.trouble:
            self._refuse(member.name, member.trouble)
        parts = tuple(part for part in member.name.split("/") if part not in ("", "."))
        if member.is_folder and not parts:  # "./", the archive's own folder
            return parts
        self._judge_name(member.name, parts)
        self._remember(member, parts)
        if len(self._known) > self._limits.files:
            self._refuse(member.name, f"is one of more than {self._limits.files} files")
        if self._bytes + member.claimed_bytes > self._most_bytes:
            self._refuse(member.name, f"makes it unpack to over {self._most_bytes} bytes")
        return parts

    def copy(self, member: _Member, target: Path) -> None:
        """Write a member's content, counting what comes and not what was claimed."""
        assert member.content is not None
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while chunk := member.content.read(_CHUNK):
                self._bytes += len(chunk)
                if self._bytes > self._most_bytes:
                    self._refuse(member.name, f"makes it unpack to over {self._most_bytes} bytes")
                file.write(chunk)

    def _judge_name(self, name: str, parts: tuple[str, ...]) -> None:
        if name.startswith("/") or name[1:2] == ":":
            self._refuse(name, "has an absolute path")
        if not parts:
            self._refuse(name, "has no name")
        if ".." in parts:
            self._refuse(name, "leads out of its folder")
        if "\\" in name or "\0" in name:
            self._refuse(name, "has a character that no path may hold")

    def _remember(self, member: _Member, parts: tuple[str, ...]) -> None:
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            is_folder = depth < len(parts) or member.is_folder
            known = self._known.setdefault(path.casefold(), (path, is_folder))
            is_new_file = depth == len(parts) and not member.is_folder and path not in self._files
            if known != (path, is_folder) or not (is_folder or is_new_file):
                self._refuse(member.name, "has a name that occurs twice, perhaps in another case")
        if not member.is_folder:
            self._files.add("/".join(parts))

    def _refuse(self, name: str, why: str) -> None:
        raise FetchError(f"{str(self._archive)!r} is refused: its member {name!a} {why}")


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(opened)
    else:
        with _plain(archive) as file, tarfile.TarFile(fileobj=_Bounded(file)) as tar:  # type: ignore[arg-type]
            yield _tar_members(tar)
            _read_to_end(file)


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        trouble = "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "is a link or a device"
        if info.flag_bits & 1:
            trouble = "is encrypted"
        readable = not trouble and not info.is_dir()
        content = archive.open(info) if readable else None
        yield _Member(
            name=info.orig_filename,
            is_folder=info.is_dir(),
            claimed_bytes=info.file_size,
            trouble=trouble,
            content=content,
        )
        if content is not None:
            content.close()


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        plain = info.isreg() and not info.issparse()
        yield _Member(
            name=info.name,
            is_folder=info.isdir(),
            claimed_bytes=info.size,
            trouble="" if plain or info.isdir() else "is a link or a device",
            content=archive.extractfile(info) if plain else None,
        )


def _read_to_end(file: Plain) -> None:
    """Read what follows a tar's end mark, so that a cut or damaged stream is noticed."""
    for _ in range(_LONGEST_READ // _CHUNK):
        if not file.read(_CHUNK):
            return
    raise FetchError("an archive is refused: it goes on long after its end")


def _plain(archive: Path) -> Plain:
    """Open an archive decompressed, whatever its suffix says."""
    with archive.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(archive)
    if start.startswith(b"BZh"):
        return bz2.open(archive)
    if start.startswith(b"\xfd7zXZ"):
        return lzma.open(archive)
    return archive.open("rb")


class _Bounded:
    """A file that tarfile reads; a header that claims gigabytes is refused, not read."""

    def __init__(self, file: Plain) -> None:
        self._file = file
        self.name = ""
        self.mode = "rb"
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, which must be a bounded number."""
        if not 0 <= size <= _LONGEST_READ:
            raise FetchError(f"an archive is refused: a header of it claims {size} bytes")
        return self._file.read(size)
