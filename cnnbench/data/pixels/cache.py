"""Where are decoded images and their hashes kept, so that each is decoded once for every run?

An entry of decoded images is a `.npy` array of uint8 and a `.json` beside it that says what it is.
Both appear whole, the `.json` last. An entry's key covers all that decides the pixels, so it is
never stale; a lock lets one process build it while others wait.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import PIL
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import (
    commit,
    disk_errors,
    require_room,
    user_folder,
    write_text,
    write_whole,
)
from cnnbench.base.waiting import waited_lock
from cnnbench.data import Progress
from cnnbench.data.dataset import (
    ChosenImages,
    Dataset,
    ImageSource,
    Split,
    SplitName,
    fingerprint_of,
)
from cnnbench.data.pixels.decode import DECODE_VERSION, MAX_MEGAPIXELS
from cnnbench.data.pixels.formats import readable_formats
from cnnbench.data.pixels.hashes import COLOUR_SIDE, GREY_SIDE, HASH_VERSION, ImageHash, hash_files
from cnnbench.data.pixels.ingest import write_images
from cnnbench.data.pixels.kept import KeptImages

__all__ = ["ADVICE", "Cleaned", "Decoded", "cache_folder", "clean_cache", "decoded"]

CACHE_VERSION = 1
ADVICE = "set CNNBENCH_CACHE to a folder with room"
_SPARE_BYTES = 64 * 2**20  # left free for the run's own files


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Decoded:
    """A decoded split: `images` uint8 `(N, size, size, 3)` read-only, `labels` int64 `(N,)`.

    `sha256` is over the whole array file: equal on two machines when every pixel is.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    sha256: str


def cache_folder() -> Path:
    """Return the cache's folder: `$CNNBENCH_CACHE`, or the platform's place for caches.

    Raises StoreError where there is neither.
    """
    return user_folder("CNNBENCH_CACHE", user_cache_path)


def decoded(
    dataset: Dataset,
    split_name: SplitName,
    size: int,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Decoded:
    """Return a split's images as squares of `size` pixels, from the cache or decoded now.

    `folder` replaces `cache_folder()`. `progress` counts the images that are decoded or drawn;
    what is only scaled takes a moment. Raises DataError for unreadable images, all in one, and
    StoreError when the cache cannot be written; neither leaves a file behind.
    """
    split = dataset.splits[split_name]
    images, sha256 = _entry(split, size, folder or cache_folder(), progress)
    return Decoded(images=images, labels=split.labels, names=split.names, sha256=sha256)


def cache_key(split: Split, size: int) -> str:
    """Return the name of a split's entry, a sha256 over everything that decides its pixels."""
    return fingerprint_of([CACHE_VERSION, split.fingerprint, size, DECODE_VERSION, PIL.__version__])


Entry = tuple[npt.NDArray[np.uint8], str]


def _entry(split: Split, size: int, home: Path, progress: Progress | None) -> Entry:
    path, shape = _place(split, size, home)
    entry = _load(path, shape)
    if entry is not None:
        return entry
    with disk_errors(path, advice=ADVICE):
        return _build(split, size, home, progress)


def _place(split: Split, size: int, home: Path) -> tuple[Path, tuple[int, ...]]:
    """Return the path of an entry's array in the cache at `home`, and its shape."""
    path = home / "decoded" / f"{cache_key(split, size)}.npy"
    return path, (len(split), size, size, 3)


def _source(split: Split, size: int, home: Path, progress: Progress | None) -> ImageSource:
    """Return what a split's images are made from, which may fill another entry first.

    Drawing takes a hundred times as long as scaling. So an image is drawn once, at its own size,
    and entries of other sizes, and of parts of its split, are made from that entry. Only a part
    that is less than half is drawn by itself, as long as nobody needed the whole.
    """
    if split.drawn_size is None:
        return split.source
    if split.whole is not None and isinstance(split.source, ChosenImages):
        is_most = 2 * len(split) >= len(split.whole)
        if is_most or _load(*_place(split.whole, split.drawn_size, home)) is not None:
            images, _ = _entry(split.whole, split.drawn_size, home, progress)
            return replace(split.source, source=KeptImages(images=images))
    if size == split.drawn_size:
        return split.source
    images, _ = _entry(split, split.drawn_size, home, progress)
    return KeptImages(images=images)


def _build(split: Split, size: int, home: Path, progress: Progress | None) -> Entry:
    path, shape = _place(split, size, home)
    path.parent.mkdir(parents=True, exist_ok=True)
    with waited_lock(path.with_suffix(".lock"), lambda: progress and progress(0, len(split))):
        entry = _load(path, shape)  # another process may have built it while this one waited
        if entry is not None:
            return entry
        source = _source(split, size, home, progress)
        heard = progress if source is split.source else None
        needed_bytes = int(np.prod(shape, dtype=np.int64)) + _SPARE_BYTES
        require_room(path.parent, needed_bytes, content="the decoded images", advice=ADVICE)
        part = path.with_suffix(".part")  # what a killed process left of it is overwritten
        try:
            write_images(source, len(split), size, part, progress=heard)
            facts = _facts(part, shape)
            path.with_suffix(".json").unlink(missing_ok=True)
            commit(part, path)
        finally:
            part.unlink(missing_ok=True)
        text = json.dumps(facts, indent=2) + "\n"
        write_text(path.with_suffix(".json"), text, advice=ADVICE)
        return np.load(path, mmap_mode="r"), facts["sha256"]


def _load(path: Path, shape: tuple[int, ...]) -> Entry | None:
    """Return a complete entry; None when there is none, or when its bytes are not as written."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        unchanged = path.stat().st_mtime_ns == facts["mtime_ns"]
        if facts["shape"] != list(shape) or path.stat().st_size != facts["bytes"]:
            return None
        # Hashing gigabytes at every start would be slow: only a file that was touched is hashed.
        if not unchanged and sha256_of(path) != facts["sha256"]:
            return None
        return np.load(path, mmap_mode="r"), facts["sha256"]
    except (OSError, ValueError, KeyError, TypeError):  # absent or damaged: built again
        return None


def _facts(path: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return what the `.json` says of an array file; a later rename changes none of it."""
    stat = path.stat()
    return {
        "version": CACHE_VERSION,
        "shape": list(shape),
        "bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "sha256": sha256_of(path),
    }


# -- hashes of images -----------------------------------------------------------------------------

_HASHES = "looks"  # the folder's older name, under which caches hold them
_HASH_FIELDS = ("verdict", "reason", "notes", "colours", "greys", "pixels", "used_bits")


def remembered_hashes(
    root: Path, digests: Mapping[str, str], *, max_megapixels: int = MAX_MEGAPIXELS
) -> dict[str, ImageHash]:
    """Return the hashes of files below `root`, decoding only contents that are new.

    `digests` has each file's sha256 by its name; images over `max_megapixels` count as broken.
    """
    contents = {name: [digest, Path(name).suffix.lower()] for name, digest in digests.items()}
    names = sorted(contents, key=contents.__getitem__)
    identity = [contents[name] for name in names]
    rules = [HASH_VERSION, DECODE_VERSION, PIL.__version__, max_megapixels, readable_formats()]
    key = fingerprint_of([*rules, identity])
    path = cache_folder() / _HASHES / f"{key}.npz"
    hashes = _read_hashes(path)
    if hashes is None:
        hashes = list(hash_files(root, names, max_megapixels=max_megapixels).values())
        _write_hashes(path, hashes)
    return dict(zip(names, hashes, strict=True))


def _read_hashes(path: Path) -> list[ImageHash] | None:
    try:
        with np.load(path) as stored:
            rows = zip(*(stored[name].tolist() for name in _HASH_FIELDS), strict=True)
            return [
                ImageHash(
                    verdict=verdict,
                    reason=reason,
                    notes=tuple(filter(None, notes.split(","))),
                    colours=b"" if verdict else colours,
                    greys=b"" if verdict else greys,
                    pixels=pixels,
                    used_bits=used_bits,
                )
                for verdict, reason, notes, colours, greys, pixels, used_bits in rows
            ]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # absent or damaged: hashed anew
        return None


def _write_hashes(path: Path, hashes: Sequence[ImageHash]) -> None:
    def fill(file: IO[bytes]) -> None:
        np.savez(
            file,
            verdict=np.array([each.verdict for each in hashes], dtype=np.str_),
            reason=np.array([each.reason for each in hashes], dtype=np.str_),
            notes=np.array([",".join(each.notes) for each in hashes], dtype=np.str_),
            colours=np.array([each.colours for each in hashes], dtype=f"V{3 * COLOUR_SIDE**2}"),
            greys=np.array([each.greys for each in hashes], dtype=f"V{GREY_SIDE**2}"),
            pixels=np.array([each.pixels for each in hashes], dtype=np.str_),
            used_bits=np.array([each.used_bits for each in hashes], dtype=np.int64),
        )

    write_whole(path, fill, advice=ADVICE)


# -- emptying the cache, while other runs may use it ----------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """What was removed; `busy` entries are being built by another process and were left."""

    folder: str
    removed: int
    removed_bytes: int
    busy: int


def clean_cache(folder: Path | None = None) -> Cleaned:
    """Remove every decoded split and all remembered hashes from the cache.

    A run that reads an entry meanwhile keeps its pages on systems where an open file may be
    removed; where it may not, the entry counts as busy. What is not the cache's own is left.
    """
    home = folder or cache_folder()
    removed = removed_bytes = busy = 0
    for path in sorted((home / _HASHES).glob("*.npz")):
        removed_bytes += path.stat().st_size
        removed += 1
        path.unlink(missing_ok=True)
    folder = home / "decoded"
    keys = {path.name.lstrip(".").partition(".")[0] for path in folder.glob("*.*")}
    for key in sorted(keys):
        try:
            count, size = _remove(folder, key)
        except (Timeout, PermissionError):
            busy += 1
            continue
        removed, removed_bytes = removed + count, removed_bytes + size
    return Cleaned(folder=str(home), removed=removed, removed_bytes=removed_bytes, busy=busy)


def _remove(folder: Path, key: str) -> tuple[int, int]:
    """Remove an entry's files, the `.json` first: without it nobody takes the array for whole."""
    count = n_bytes = 0
    with FileLock(folder / f"{key}.lock", timeout=0):
        whole = (folder / f"{key}{suffix}" for suffix in (".json", ".npy", ".part"))
        for path in (*whole, *folder.glob(f".{key}.*.tmp")):  # the latter are of killed writers
            if path.exists():
                count, n_bytes = count + 1, n_bytes + path.stat().st_size
                path.unlink()
    return count, n_bytes
