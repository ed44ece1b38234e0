"""Where do the benchmarks get a folder of photos from, where none is given? They draw one."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from cnnbench import fruits

SIDE = 348  # about as large as the photos of a small fruit data set
QUALITY = 90


def write_photos(folder: Path, *, train: int, val: int) -> Path:
    """Draw labelled fruit as JPEG files under `train/` and `val/`, a folder a class; return it."""
    options = fruits.FruitOptions(size=SIDE, train=train, val=val)
    for split, count in (("train", train), ("val", val)):
        write = partial(_write, folder, options, split)
        with ProcessPoolExecutor() as pool:
            list(pool.map(write, range(count), chunksize=16))
    return folder


def _write(folder: Path, options: fruits.FruitOptions, split: str, index: int) -> None:
    pixels = fruits.draw(options, split, index)
    label = fruits.label_of(options, split, index)
    path = folder / split / f"{label:02d}" / f"{index:05d}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=QUALITY)
