"""Which image does a list mean by a path of another machine, a bare name or an id?"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from cnnbench.data.pixels.formats import has_image_suffix
from cnnbench.data.sources.scan import Tree
from cnnbench.data.sources.split_words import meaning

__all__: list[str] = []


class ImageIndex:
    """Images by their last name, with and without suffix, whatever the case or Unicode form."""

    def __init__(self, images: Iterable[str], *, prefer: str = "") -> None:
        """Index paths; of equals, one in a folder called `prefer`, or of that split, is meant."""
        self._prefer = prefer
        self._by_name: dict[str, list[list[str]]] = defaultdict(list)
        self._by_stem: dict[str, list[list[str]]] = defaultdict(list)
        for image in images:
            parts = image.split("/")
            self._by_name[_key(parts[-1])].append(parts)
            self._by_stem[_key(parts[-1].rpartition(".")[0])].append(parts)

    def find(self, value: str, *, folder_hint: str = "") -> list[str]:
        """Return the images that a cell of a list may mean: none, the one, or all that fit alike.

        Those fit best that share the most folders with the cell, read from its end.
        """
        wanted = [part for part in value.strip().replace("\\", "/").split("/") if part != "."]
        if not wanted or not wanted[-1]:
            return []
        name = _key(wanted[-1])
        candidates = self._by_name.get(name) or self._by_stem.get(name) or []
        if wanted in candidates:
            return ["/".join(wanted)]
        if len(candidates) > 1:
            fits = [self._fit(parts, wanted, folder_hint) for parts in candidates]
            best = max(fits)
            candidates = [c for c, fit in zip(candidates, fits, strict=True) if fit == best]
        return ["/".join(parts) for parts in candidates]

    def _fit(self, parts: list[str], wanted: list[str], folder_hint: str) -> tuple[int, ...]:
        """Return how well an image fits a cell; what comes first counts most."""
        return (
            _shared(parts[:-1], wanted[:-1]),
            _agreeing(parts, folder_hint),
            _agreeing(parts, self._prefer),
            parts[-1] == wanted[-1],
        )


def listed_elsewhere(home: Path, rows: Iterable[Sequence[str]]) -> Tree | None:
    """Return the files that a list names by absolute paths or `../`, if some lie outside `home`.

    Nothing else is looked at there. None means that all lies in `home`, or is not on this machine.
    """
    cells = {cell.strip() for row in rows for cell in row}
    named = {cell for cell in cells if cell.startswith(("/", "..")) and has_image_suffix(cell)}
    files = [path for cell in named if (path := Path(os.path.normpath(home / cell))).is_file()]
    if all(path.is_relative_to(home) for path in files):
        return None
    root = Path(os.path.commonpath([path.parent for path in files]))
    return Tree(
        root=root,
        images=tuple(sorted({path.relative_to(root).as_posix() for path in files})),
        folders=(),
        passed_over={},
    )


def _key(name: str) -> str:
    if not name.isprintable():  # bytes that are not UTF-8: a file's name of old Windows
        name = os.fsencode(name).decode("cp1252", "replace")
    return unicodedata.normalize("NFC", name).casefold()


def _shared(folders: Sequence[str], wanted: Sequence[str]) -> int:
    """Return how many folders two paths share, read from their ends."""
    pairs = zip(reversed(folders), reversed(wanted), strict=False)
    return sum(1 for _ in takewhile(lambda pair: _key(pair[0]) == _key(pair[1]), pairs))


def _agreeing(parts: Sequence[str], word: str) -> int:
    """Return whether an image lies in a folder called `word`, or in one that means that split."""
    role = meaning(word)[0]
    folders = parts[:-1]
    return int(word in folders or (role is not None and role in {meaning(f)[0] for f in folders}))
