"""What is kept of what a network sees, so that a report can show it without the network?"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnbench.base.files import write_whole

__all__ = ["CellGallery"]

VERSION = 1
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)  # of .npz
_ARRAYS = ("filters", "truth", "shown", "mistakes", "guesses", "chances", "near")


@dataclass(frozen=True, kw_only=True, slots=True)
class CellGallery:
    """The pictures of one cell. All labels are numbers of the plan's classes.

    `filters` is (F, h, w, 3) uint8; with two `towers`, each has one half of them. `jpegs` are
    pictures as JPEG files, `truth` their labels. `shown` and `mistakes` hold places in `jpegs`.
    `guesses` and `chances` are (N, 5): the five most probable labels of the test images, which
    come first. `near` is (Q, 6): the places of the training images nearest to the first Q shown;
    they were searched among `searched` training images.
    """

    filters: NDArray[np.uint8]
    towers: int
    jpegs: tuple[bytes, ...]
    truth: NDArray[np.int64]
    shown: NDArray[np.int64]
    mistakes: NDArray[np.int64]
    guesses: NDArray[np.int64]
    chances: NDArray[np.float32]
    near: NDArray[np.int64]
    searched: int


def write_gallery(path: Path, gallery: CellGallery) -> None:
    """Write a gallery whole as `.npz`."""
    content = {name: getattr(gallery, name) for name in _ARRAYS} | {
        "version": np.array(VERSION),
        "towers": np.array(gallery.towers),
        "files": np.frombuffer(b"".join(gallery.jpegs), dtype=np.uint8),
        "sizes": np.array([len(jpeg) for jpeg in gallery.jpegs], dtype=np.int64),
        "searched": np.array(gallery.searched),
    }
    write_whole(path, lambda file: np.savez_compressed(file, **content))


def read_gallery(path: Path) -> CellGallery | None:
    """Return a gallery; None if there is none, or it is damaged or of another version.

    Pictures are an extra: a report is drawn without those that cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if int(stored["version"]) != VERSION:
                return None
            ends, files = np.cumsum(stored["sizes"]), stored["files"].tobytes()
            return CellGallery(
                towers=int(stored["towers"]),
                jpegs=tuple(
                    files[end - size : end] for end, size in zip(ends, stored["sizes"], strict=True)
                ),
                searched=int(stored["searched"]),
                **{name: stored[name] for name in _ARRAYS},
            )
    except UNREADABLE:
        return None
