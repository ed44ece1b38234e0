"""How fast does a network turn files into answers here, decoding included?"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cnnbench.engine.evaluate import EVALUATION_BATCH_SIZE
from cnnbench.engine.hardware import detect, machine_line
from cnnbench.inference.network import LoadedNetwork
from cnnbench.schema.kept import Speed

__all__ = ["measure_speed"]

_PHOTO_SIZE = (640, 480)
_PHOTOS = 2 * EVALUATION_BATCH_SIZE
_LEAST, _MOST, _SECONDS = 10, 100, 5.0  # single images: so many, within so long where that allows


def measure_speed(network: LoadedNetwork) -> Speed:
    """Time `predict` on made-up JPEG photos, after a first pass that does not count.

    What is in a photo does not change how long the network takes.
    """
    with tempfile.TemporaryDirectory() as folder:
        photos = _photos(Path(folder))
        network.predict(photos)
        whole = _seconds(network, photos)
        single: list[float] = []
        started = time.monotonic()
        while len(single) < _LEAST or (
            len(single) < _MOST and time.monotonic() - started < _SECONDS
        ):
            single.append(_seconds(network, photos[len(single) % _PHOTOS :][:1]))
    low, median, high = np.quantile(1000 * np.array(single), [0.05, 0.5, 0.95]).tolist()
    return Speed(
        machine=machine_line(detect(), network.device.torch_device.type),
        threads=torch.get_num_threads(),
        files="JPEG of {} x {} pixels".format(*_PHOTO_SIZE),
        images=len(photos),
        images_per_second=len(photos) / whole,
        batch_size=EVALUATION_BATCH_SIZE,
        one_image_ms=median,
        one_image_ms_5=low,
        one_image_ms_95=high,
    )


def _photos(folder: Path) -> list[Path]:
    """Write photos of soft shapes, about as large as files of a camera at this size."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(_PHOTOS)]
    for path in paths:
        coarse = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(_PHOTO_SIZE, Image.Resampling.BICUBIC).save(path)
    return paths


def _seconds(network: LoadedNetwork, photos: list[Path]) -> float:
    start = time.monotonic()
    network.predict(photos)
    return time.monotonic() - start
