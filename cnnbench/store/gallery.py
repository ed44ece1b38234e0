"""What is kept of what a network sees, so that a report can show it without the network?"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.base.files import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Gallery:
    """Pictures of one cell. Images are JPEG files; labels are numbers of the plan's classes.

    `filters` is `(F, h, w, 3)` uint8 in `towers` halves. `shown` and `mistakes` hold places in
    `images`, `truth` the label of each image. `guesses` and `chances` are `(images, 5)`: what the
    network thinks of every test image here. `near` is `(Q, 6)`, places in `images` of the
    training images nearest to the first Q shown; `searched` says among how many they were found.
    """

    filters: NDArray[np.uint8]
    towers: int
    images: tuple[bytes, ...]
    truth: NDArray[np.int64]
    shown: NDArray[np.int64]
    mistakes: NDArray[np.int64]
    guesses: NDArray[np.int64]
    chances: NDArray[np.float32]
    near: NDArray[np.int64]
    searched: int


def write_gallery(path: Path, gallery: Gallery) -> None:
    """Write a gallery whole as `.npz`."""
    content = {
        "version": np.array(VERSION),
        "filters": gallery.filters,
        "towers": np.array(gallery.towers),
        "files": np.frombuffer(b"".join(gallery.images), dtype=np.uint8),
        "sizes": np.array([len(image) for image in gallery.images], dtype=np.int64),
        "truth": gallery.truth,
        "shown": gallery.shown,
        "mistakes": gallery.mistakes,
        "guesses": gallery.guesses,
        "chances": gallery.chances,
        "near": gallery.near,
        "searched": np.array(gallery.searched),
    }

    write_whole(path, lambda file: np.savez_compressed(file, **content))  # type: ignore[arg-type]


def read_gallery(path: Path) -> Gallery | None:
    """Return a gallery; None if there is none, or it is damaged or of another version.

    Pictures are an extra: a report is drawn without those that cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if int(stored["version"]) != VERSION:
                return None
            ends = np.cumsum(stored["sizes"])
            files = stored["files"].tobytes()
            return Gallery(
                filters=stored["filters"],
                towers=int(stored["towers"]),
                images=tuple(
                    files[end - size : end] for end, size in zip(ends, stored["sizes"], strict=True)
                ),
                truth=stored["truth"],
                shown=stored["shown"],
                mistakes=stored["mistakes"],
                guesses=stored["guesses"],
                chances=stored["chances"],
                near=stored["near"],
                searched=int(stored["searched"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
