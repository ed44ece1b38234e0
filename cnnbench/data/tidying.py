"""How is the cache of decoded images emptied, while other runs may use it?"""

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cnnbench.data.cache import cache_folder


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
