"""Which files below a folder are images, and which are passed over and why?"""

import os
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import join
from stat import S_ISDIR, S_ISREG

from cnnbench.data import DataError, shortlist
from cnnbench.data.pixels.formats import why_no_image
from cnnbench.data.sources.leftovers import is_left_by_program, is_run_folder

__all__ = ["scan_tree"]

NOWHERE = "links that lead nowhere"
_BY_PROGRAM = "left by another program"
_IGNORED = "ignored as asked"
_RUN = "runs of cnnbench"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """One level of class folders: each class's files, and a count of each thing passed over.

    `files` maps every class folder to its image files, as sorted POSIX paths relative to the
    dataset's folder; a class folder without images has an empty tuple.
    """

    files: Mapping[str, tuple[str, ...]]
    passed_over: Counter[str]


def passed_over_text(*scans: Scan) -> str:
    """Say what was passed over in class folders, "" for nothing."""
    total: Counter[str] = sum((scan.passed_over for scan in scans), Counter())
    kinds = [f"{count} {reason}" for reason, count in sorted(total.items())]
    return f"passed over: {', '.join(kinds)}" if kinds else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """All that lies below `root`, as POSIX paths relative to it.

    `images` and `folders` are sorted. `passed_over` gives the reason, in the plural; what lies
    below a folder that is passed over is not listed. `linked_out` are the images that are reached
    by links which lead out of `root`.
    """

    root: Path
    images: tuple[str, ...]
    folders: tuple[str, ...]
    passed_over: Mapping[str, str]
    linked_out: frozenset[str] = frozenset()

    def images_below(self, folder: str) -> tuple[str, ...]:
        """Return the images at any depth below a folder, "" for all."""
        return _below(self.images, folder)

    def folders_in(self, home: str) -> list[str]:
        """Return the names of the folders directly inside `home`."""
        paths = (name.rpartition("/") for name in _below(self.folders, home))
        return [name for above, _, name in paths if above == home]

    def holding(self, home: str) -> list[str]:
        """Return the names of the folders directly inside `home` that hold images."""
        return [name for name in self.folders_in(home) if self.images_below(join(home, name))]

    def reasons_below(self, folder: str) -> Counter[str]:
        """Count what is passed over at any depth below a folder, by reason; folders by name."""
        start = f"{folder}/" if folder else ""
        return Counter(
            f"{shortlist([name.rpartition('/')[2]])} ({why})"
            if why in (_BY_PROGRAM, _IGNORED, _RUN)
            else why
            for name, why in self.passed_over.items()
            if name.startswith(start)
        )


def _below(names: tuple[str, ...], folder: str) -> tuple[str, ...]:
    """Return those of sorted paths that lie below a folder, "" for all."""
    if not folder:
        return names
    # A path below `folder` follows `folder/` and comes before `folder0`: "0" follows "/".
    start, end = (bisect_left(names, folder + mark) for mark in "/0")
    return names[start:end]


def scan_tree(root: Path, *, ignore: Collection[str] = ()) -> Tree:
    """Walk through a folder and sort what lies there into images and what is passed over.

    Symbolic links are followed, as torchvision and timm do; a link to a folder that it lies in is
    passed over as a loop. What is called like one of `ignore` is passed over at any depth.

    Raises DataError for a folder that cannot be read and for a name of `ignore` that is nowhere.
    """
    walk = _Walk(root=root, ignore=frozenset(ignore))
    walk.through_all()
    unseen = sorted(walk.ignore - {name.rpartition("/")[2] for name in walk.passed_over})
    if unseen:
        raise DataError(f"nothing in {str(root)!r} is called {shortlist(unseen)}, see ignore=")
    walk.pass_over_homes_of_runs()
    return Tree(
        root=root,
        images=tuple(sorted(walk.images)),
        folders=tuple(sorted(walk.folders)),
        passed_over=dict(sorted(walk.passed_over.items())),
        linked_out=frozenset(walk.linked_out),
    )


def gather(tree: Tree, home: str, *, fine: bool = False) -> Scan:
    """Gather the images below `home` by its folders, at any depth below each.

    With `fine`, the folder that an image lies in is its class.
    """
    start = len(home) + 1 if home else 0
    files: dict[str, list[str]] = {name: [] for name in tree.folders_in(home)}
    passed_over = tree.reasons_below(home)
    for image in tree.images_below(home):
        label, slash, _ = image[start:].partition("/")
        if slash:
            files[label].append(image)
        else:
            passed_over["images outside any class folder"] += 1
    named = {name: tuple(images) for name, images in files.items()}
    return Scan(files=_by_own_folder(named) if fine else named, passed_over=passed_over)


def _by_own_folder(files: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Group images by the name of the folder they lie in, which must name one class only."""
    homes: dict[str, str] = {}
    finer: dict[str, list[str]] = defaultdict(list)
    for name in sorted(name for names in files.values() for name in names):
        home = name.rpartition("/")[0]
        label = home.rpartition("/")[2]
        if homes.setdefault(label, home) != home:
            raise DataError(
                f"two folders are called {label!r}: {homes[label]} and {home}; with fine labels "
                "the folder names are the classes, rename one"
            )
        finer[label].append(name)
    return {label: tuple(names) for label, names in finer.items()}


Identity = tuple[int, int]


@dataclass(kw_only=True, slots=True)
class _Walk:
    """What a walk has seen so far."""

    root: Path
    ignore: frozenset[str]
    images: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    passed_over: dict[str, str] = field(default_factory=dict)
    linked_out: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def through_all(self) -> None:
        """Visit every folder; `above` are the folders that one lies in, by device and inode."""
        todo: list[tuple[str, tuple[Identity, ...], bool]] = [("", (), False)]
        while todo:
            name, above, is_out = todo.pop()
            here, entries = _entries(self.root / name)
            if here in above:
                self.passed_over[name] = "links in a loop"
                continue
            if name:
                self.folders.add(name)
            for entry in entries:
                path = join(name, entry.name)
                leads_out = is_out or (entry.is_symlink() and self._leads_out(entry))
                if reason := self._reason(entry, path):
                    self.passed_over[path] = reason
                elif _is_folder(entry):
                    todo.append((path, (*above, here), leads_out))
                else:
                    self.images.append(path)
                    if leads_out:
                        self.linked_out.append(path)

    def _leads_out(self, entry: os.DirEntry[str]) -> bool:
        return not Path(os.path.realpath(entry.path)).is_relative_to(self.root)

    def _reason(self, entry: os.DirEntry[str], path: str) -> str:
        """Say in the plural why an entry is passed over, "" for images and folders to walk."""
        if entry.name in self.ignore:
            return _IGNORED
        if entry.name.startswith("."):
            return "hidden"
        if _is_folder(entry):
            if is_left_by_program(entry.name):
                return _BY_PROGRAM
            if is_run_folder(Path(entry.path)):
                self.runs.append(path)
                return _RUN
            return ""
        if _is_file(entry):
            return why_no_image(Path(entry.path))
        return "not images" if _mode(entry) else NOWHERE

    def pass_over_homes_of_runs(self) -> None:
        """Pass over a folder such as `reports/` as a whole, if it holds runs and no image."""
        with_images = {folder for name in self.images for folder in _folders_above(name)}
        for run in self.runs:
            home = next((each for each in _folders_above(run) if each not in with_images), None)
            if home:
                inside = f"{home}/"
                self.folders = {f for f in self.folders if not f"{f}/".startswith(inside)}
                beside = {n: w for n, w in self.passed_over.items() if not n.startswith(inside)}
                self.passed_over = {**beside, home: _RUN}


def _folders_above(name: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the outermost first.

    >>> list(_folders_above("train/apple/1.png"))
    ['train', 'train/apple']
    """
    parts = name.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts)))


def _entries(folder: Path) -> tuple[Identity, list[os.DirEntry[str]]]:
    try:
        stat = folder.stat()
        with os.scandir(folder) as entries:
            return (stat.st_dev, stat.st_ino), sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot read folder {str(folder)!r}: {error.strerror}") from error


def _mode(entry: os.DirEntry[str]) -> int:
    """Return what an entry is, or what it leads to; 0 where it leads nowhere."""
    try:
        return entry.stat().st_mode
    except OSError:
        return 0


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return S_ISDIR(_mode(entry)) if entry.is_symlink() else entry.is_dir()


def _is_file(entry: os.DirEntry[str]) -> bool:
    return S_ISREG(_mode(entry)) if entry.is_symlink() else entry.is_file()
