"""What do fruit lie in and on: bowls, plates, boards and market crates?

Everything is in world space: x to the right, y up from the ground under the hero, z towards the
camera, in shares of the picture's width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnbench.data.fruits.colours import Colour, blend, step, vary
from cnnbench.data.fruits.growth import Rng
from cnnbench.data.fruits.light import Surface
from cnnbench.data.fruits.noise import FloatArray, solid
from cnnbench.data.fruits.parts import Vector
from cnnbench.data.fruits.shapes import Shell, Slab
from cnnbench.data.fruits.solids import Body, Painter, Spots

_GLAZES: tuple[Colour, ...] = (
    (232, 228, 218),
    (70, 104, 140),
    (196, 150, 96),
    (60, 62, 68),
    (150, 60, 48),
    (122, 150, 130),
)
_TIMBERS: tuple[Colour, ...] = ((196, 156, 104), (140, 98, 60), (214, 190, 150), (104, 76, 52))
_FIBRES = np.array([[0.4], [5.0], [5.0]], np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Furniture:
    """Solids in world space and the balls (K, 4) that stand for their shadow on the ground."""

    bodies: tuple[Body, ...]
    balls: FloatArray


def _glaze(rng: Rng) -> Painter:
    """Paint one glaze, at times with a band of another under the rim."""
    base = vary(_GLAZES[int(rng.integers(len(_GLAZES)))], rng)
    band = vary(_GLAZES[int(rng.integers(len(_GLAZES)))], rng)
    banded = rng.random() < 0.4

    def paint(spots: Spots) -> Surface:
        y = spots.unit[1]
        albedo = base * (1.0 + 0.05 * solid(spots.unit, 3.0, 2.0))
        if banded:
            albedo = blend(albedo, band, step(y, -0.32, -0.28) * step(y, -0.12, -0.16))
        return Surface(albedo=albedo, gloss=0.25, tight=30.0)

    return paint


def _timber(rng: Rng) -> Painter:
    """Paint a board whose grain runs along x."""
    base = vary(_TIMBERS[int(rng.integers(len(_TIMBERS)))], rng)
    offset = float(rng.uniform(0.0, 60.0))

    def paint(spots: Spots) -> Surface:
        grain = solid(spots.unit * _FIBRES, 2.0, offset) + solid(spots.unit * _FIBRES, 0.8, offset)
        albedo = base * np.clip(1.0 + 0.14 * grain, 0.3, 1.6)
        return Surface(albedo=albedo, gloss=0.04, tight=10.0)

    return paint


def _board(half: Vector, middle: Vector, paint: Painter) -> Body:
    return Body(shape=Slab(), paint=paint, stretch=half, offset=middle)


def bowl(diameter: float, rng: Rng) -> Furniture:
    """Return a deep bowl for a heap of fruit of `diameter`."""
    radius, depth = 1.62 * diameter, float(rng.uniform(0.72, 0.95)) * diameter
    body = Body(
        shape=Shell(),
        paint=_glaze(rng),
        stretch=(radius, depth, radius),
        offset=(0.0, 0.94 * depth, 0.0),
    )
    return Furniture(bodies=(body,), balls=np.array([[0.0, 0.6 * depth, 0.0, 0.8 * radius]]))


def plate(diameter: float, rng: Rng) -> Furniture:
    """Return a shallow dish."""
    radius, depth = 1.75 * diameter, float(rng.uniform(0.12, 0.25)) * diameter
    body = Body(
        shape=Shell(), paint=_glaze(rng), stretch=(radius, depth, radius), offset=(0.0, depth, 0.0)
    )
    flat = np.array([[0.0, -0.72 * radius, 0.0, radius]])
    return Furniture(bodies=(body,), balls=flat)


def board(diameter: float, rng: Rng) -> Furniture:
    """Return a chopping board."""
    half = (float(rng.uniform(1.7, 2.1)) * diameter, 0.006, float(rng.uniform(1.3, 1.6)) * diameter)
    return Furniture(bodies=(_board(half, (0.0, 0.0, 0.0), _timber(rng)),), balls=np.zeros((0, 4)))


def crate(diameter: float, rng: Rng) -> Furniture:
    """Return a crate of slats round fruit that lie side by side."""
    paint = _timber(rng)
    wide, deep = (float(v) * diameter for v in rng.uniform(1.75, 2.05, 2))
    tall, thin = float(rng.uniform(0.20, 0.26)) * diameter, 0.035 * diameter
    bodies = [_board((wide, 0.004, deep), (0.0, 0.0, 0.0), _timber(rng))]
    for k in range(2):
        height = tall * (1.0 + 2.3 * k)
        half = 0.93 * tall
        for side in (-1.0, 1.0):
            bodies.append(_board((wide, half, thin), (0.0, height, side * deep), paint))
            bodies.append(_board((thin, half, deep), (side * wide, height, 0.0), paint))
    return Furniture(bodies=tuple(bodies), balls=np.zeros((0, 4)))


FURNITURE: dict[str, Callable[[float, Rng], Furniture]] = {
    "bowl": bowl,
    "plate": plate,
    "board": board,
    "crate": crate,
}
