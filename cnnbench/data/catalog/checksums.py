"""Are the files still those that were listed when they came?

A list is a file `SHA256SUMS` in the form of `sha256sum`; `fetch` writes one, and a folder of your
own may have one. A byte that flips inside a JPEG often decodes without an error: only a list tells.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnbench.base.digests import sha256_of
from cnnbench.base.processes import in_threads
from cnnbench.data import DataError

SUMS = "SHA256SUMS"


def digests_of(root: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the sha256 hex of each file's content by its name, in order."""
    return dict(zip(names, in_threads(lambda name: _digest(root / name), names), strict=True))


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from error


def sums_of(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below `folder` by its POSIX path, sorted by path."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != SUMS
    )
    return digests_of(folder, names)


def read_sums(folder: Path) -> dict[str, str]:
    """Return what `SHA256SUMS` in `folder` says of each file; empty when there is no such file."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return {}
    pairs = [line.partition("  ") for line in lines]
    return {name.removeprefix("./"): digest for digest, _, name in pairs if name}


def text_of(sums: Mapping[str, str]) -> str:
    """Return a list of files in the form of `sha256sum`, sorted by path."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
