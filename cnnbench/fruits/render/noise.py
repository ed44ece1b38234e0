"""Where does the irregularity of a drawn picture come from?

It has two sources, both deterministic: a fixed tile and a fixed cube of smooth noise, which every
picture reads at its own offset (grain, peel, speckle), and small random grids, enlarged to the
picture (stains, cloth, wood). The types that all files of the drawing share stand here too.
"""

from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
Rng: TypeAlias = np.random.Generator
Vector: TypeAlias = tuple[float, float, float]
Window: TypeAlias = tuple[int, int, int, int]  # top, left, height and width in pixels

_SIDE = 64  # of the noise cube, in voxels
_TILE = 512  # of the grain tile, in pixels


def stream(*words: int) -> Rng:
    """Return a generator that depends on nothing but `words` (non-negative integers)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def near(value: float, spread: float, rng: Rng) -> float:
    """Return a number within `spread` (a share) of `value`."""
    return value * float(rng.uniform(1.0 - spread, 1.0 + spread))


def lean_of(rng: Rng) -> FloatArray:
    """Return how much a colour follows each axis, (3,)."""
    return rng.standard_normal(3).astype(np.float32)


@cache
def _cube() -> FloatArray:
    """Return a tileable (64, 64, 64) cube of smooth noise, flattened: mean 0, deviation 1."""
    cube: FloatArray = stream(1, 1).standard_normal((_SIDE,) * 3, dtype=np.float32)
    for axis in range(3):
        for _ in range(2):
            cube = (np.roll(cube, 1, axis) + 2 * cube + np.roll(cube, -1, axis)) / 4
    cube = (cube - cube.mean()) / cube.std()
    return cube.ravel()


@cache
def _tile() -> FloatArray:
    """Return white noise of mean 0 and deviation 1, a (512, 512) tile three times each way."""
    tile = stream(1, 2).standard_normal((_TILE, _TILE), dtype=np.float32)
    return np.tile(tile, (3, 3))


def solid(points: FloatArray, frequency: float, offset: float, pixel: float = 0.0) -> FloatArray:
    """Sample noise of unit deviation at `points` (3, N); features are about 1 / frequency wide.

    Each point takes the nearest voxel, three voxels a feature: a gather costs a tenth of an
    interpolation, and what is read this way (peel, fuzz, speckle) is rough in nature. A feature
    smaller than two pixels (each `pixel` wide, in the units of the points) fades, as in a lens.
    """
    voxels = (points * (3.0 * frequency) + offset).astype(np.int32)
    voxels &= _SIDE - 1
    flat = (voxels[0] * _SIDE + voxels[1]) * _SIDE + voxels[2]
    values: FloatArray = _cube().take(flat)
    if pixel * frequency > 0.5:
        values *= 0.5 / (pixel * frequency)
    return values


def polar(unit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the cosine with the y axis and the longitude of points (3, N)."""
    x, y, z = unit
    return y / np.sqrt(x * x + y * y + z * z + 1e-9), np.arctan2(z, x)


def waves(points: FloatArray, frequency: float, rng: Rng) -> FloatArray:
    """Return smooth noise at `points` (3, N), roughly within [-1, 1]: a sum of five plane waves."""
    total = np.zeros(points.shape[1], np.float32)
    for _ in range(5):
        kx, ky, kz = (frequency * float(v) for v in rng.normal(0.0, 2.0, 3))
        phase = float(rng.uniform(0.0, 6.283))
        total += np.sin(kx * points[0] + ky * points[1] + kz * points[2] + phase)
    return total * 0.45


def grain(shape: tuple[int, int], rng: Rng) -> FloatArray:
    """Return white noise of unit deviation and `shape`, cut from a fixed tile at a random place.

    Neither side of `shape` may be longer than 1024.
    """
    height, width = shape
    row, column = int(rng.integers(_TILE)), int(rng.integers(_TILE))
    sign = 1.0 if rng.random() < 0.5 else -1.0
    return _tile()[row : row + height, column : column + width] * sign


def enlarge(grid: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Enlarge a small grid (h, w) to `shape` smoothly."""
    image = Image.fromarray(np.ascontiguousarray(grid, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def field(shape: tuple[int, int], cells: tuple[float, float], octaves: int, rng: Rng) -> FloatArray:
    """Return fractal noise of `shape` (height, width) and a deviation near 1.

    `cells` counts the features along height and width at the coarsest octave; each of the other
    `octaves` halves them.
    """
    # The grids do not depend on the size of the picture, so the same scene is drawn at any size.
    total: FloatArray | None = None
    for octave in range(octaves):
        grid = tuple(max(2, round(c * 2**octave) + 1) for c in cells)
        detail = rng.standard_normal(grid, dtype=np.float32) * 0.6**octave
        total = detail if total is None else enlarge(total, detail.shape) + detail
    return enlarge(np.zeros((2, 2)) if total is None else total, shape)
