"""Are the files still those that were listed when they came?

A list is a file `SHA256SUMS` in the form of `sha256sum`; `fetch` writes one, and a folder of your
own may have one. A byte that flips inside a JPEG often decodes without an error: only a list tells.
"""

from collections.abc import Mapping
from pathlib import Path

from cnnbench.data.check import Finding
from cnnbench.data.errors import listed
from cnnbench.data.scan import digests_of

SUMS = "SHA256SUMS"


def sums_of(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below `folder` by its POSIX path, sorted by path."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != SUMS
    )
    return dict(zip(names, digests_of(folder, names), strict=True))


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


def changed_since_listed(root: Path) -> list[Finding]:
    """Compare the files below `root` with the list in it or in the folder above it."""
    home = next((folder for folder in (root, root.parent) if (folder / SUMS).is_file()), None)
    if home is None:
        return []
    below = root.relative_to(home).as_posix()
    prefix = "" if below == "." else f"{below}/"
    sums = {name: sum for name, sum in read_sums(home).items() if name.startswith(prefix)}
    there = [name for name in sums if (home / name).is_file()]
    digests = dict(zip(there, digests_of(home, there), strict=True))
    changed = [name for name in there if digests[name] != sums[name]]
    missing = [name for name in sums if name not in digests]
    return [
        Finding(
            severity="error",
            verdict=verdict,
            detail=f"{len(names)} of {len(sums)} files {what} {SUMS} was written: "
            f"{listed(names, at_most=3)}",
            names=tuple(name.removeprefix(prefix) for name in names),
        )
        for verdict, what, names in (
            ("changed", "have other content than when", changed),
            ("missing", "are gone since", missing),
        )
        if names
    ]
