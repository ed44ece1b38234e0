"""Which files below a folder are images of a class, and which are passed over?"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cnnbench.data import DataError

IMAGE_SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
_NOT_CLASSES = frozenset(("__MACOSX", "__pycache__", "lost+found"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """One level of class folders: each class's files, and a count of each thing passed over.

    `files` maps every class folder to its image files, as sorted POSIX paths relative to the
    dataset's folder; a class folder without images has an empty tuple.
    """

    files: Mapping[str, tuple[str, ...]]
    passed_over: Counter[str]


def child_folders(folder: Path) -> list[str]:
    """Return the names of the real, visible folders directly inside `folder`, sorted."""
    return [entry.name for entry in _entries(folder) if _is_class_folder(entry)]


def scan_classes(root: Path, folder: Path, *, fine: bool = False) -> Scan:
    """Find the images of each class folder inside `folder`, at any depth below the class.

    With `fine`, the folder that an image lies in is its class, at any depth below `folder`.
    Symbolic links are never followed: a loop cannot multiply images, and nothing outside the
    dataset's folder is read. Hidden files and other file types are passed over and counted.
    """
    files: dict[str, tuple[str, ...]] = {}
    passed_over: Counter[str] = Counter()
    for entry in _entries(folder):
        if _is_class_folder(entry):
            reasons = dict(_walk(Path(entry.path)))
            paths = [path for path, reason in reasons.items() if not reason]
            files[entry.name] = tuple(sorted(path.relative_to(root).as_posix() for path in paths))
            passed_over.update(filter(None, reasons.values()))
        else:
            passed_over[_reason(entry, inside_a_class=False)] += 1
    return Scan(files=_by_own_folder(files) if fine else files, passed_over=passed_over)


def _by_own_folder(files: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Group images by the name of the folder they lie in, which must name one class only."""
    homes: dict[str, str] = {}
    finer: dict[str, tuple[str, ...]] = {}
    for name in sorted(name for names in files.values() for name in names):
        home = name.rpartition("/")[0]
        label = home.rpartition("/")[2]
        if homes.setdefault(label, home) != home:
            raise DataError(
                f"two folders are called {label!r}: {homes[label]} and {home}; with fine labels "
                "the folder names are the classes, rename one"
            )
        finer[label] = (*finer.get(label, ()), name)
    return finer


def everything_below(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each file below `root` with why a scan passes it over, or "" for an image.

    Names are POSIX paths relative to `root`, in sorted order. Links are named, never followed.
    """
    folders = child_folders(root)
    class_depth = 3 if "train" in folders else 2
    for path, reason in _walk(root):
        name = path.relative_to(root).as_posix()
        outside = not reason and name.count("/") + 1 < class_depth
        yield name, "images outside any class folder" if outside else reason


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file below a folder with why it is passed over, or "" for an image."""
    for entry in _entries(folder):
        if _is_class_folder(entry):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path), "" if _is_image(entry) else _reason(entry, inside_a_class=True)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot read folder {str(folder)!r}: {error.strerror}") from error


def _is_class_folder(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".") or entry.name in _NOT_CLASSES
    return not hidden and entry.is_dir(follow_symlinks=False)


def _is_image(entry: os.DirEntry[str]) -> bool:
    visible = not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
    return visible and Path(entry.name).suffix.lower() in IMAGE_SUFFIXES


def _reason(entry: os.DirEntry[str], *, inside_a_class: bool) -> str:
    """Say in the plural why an entry is passed over."""
    if entry.name.startswith(".") or entry.name in _NOT_CLASSES:
        return "hidden"
    if entry.is_symlink():
        return "symbolic links"
    if not inside_a_class and _is_image(entry):
        return "images outside any class folder"
    return "not images"
