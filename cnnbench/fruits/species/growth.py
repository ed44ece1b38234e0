"""How does an individual come about: its variety, its small differences, its stem and leaves?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cnnbench.fruits.render.canvas import Colour, vary
from cnnbench.fruits.render.noise import FloatArray
from cnnbench.fruits.render.parts import Sheet, Vector, blades, tube

Rng = np.random.Generator
GREEN: Colour = (84, 120, 44)
BARK: Colour = (98, 70, 40)
_GOLDEN_ANGLE = 2.399963


@dataclass(frozen=True, kw_only=True, slots=True)
class Variety:
    """One kind within a class: its colours, how often it comes, and one number of its own."""

    name: str
    colours: tuple[Colour, ...]
    share: float
    amount: float = 0.0


def pick(varieties: tuple[Variety, ...], choice: float) -> Variety:
    """Return the variety on which `choice` in [0, 1) falls; the shares sum to one."""
    for variety in varieties:
        choice -= variety.share
        if choice < 0:
            return variety
    return varieties[-1]


def near(value: float, spread: float, rng: Rng) -> float:
    """Return a number within `spread` (a share) of `value`."""
    return value * float(rng.uniform(1.0 - spread, 1.0 + spread))


def lumps(depth: float, rng: Rng) -> tuple[float, tuple[float, float, float, float]]:
    """Return the depth and the wave of a slight irregularity."""
    x, y, z = (float(v) for v in rng.uniform(1.5, 3.2, 3))
    return depth, (x, y, z, float(rng.uniform(0.0, 6.28)))


def lean_of(rng: Rng) -> FloatArray:
    """Return how much a colour follows each axis, (3,)."""
    return rng.standard_normal(3).astype(np.float32)


def ball(radius: float, y: float = 0.0) -> FloatArray:
    """Return one shadow ball on the axis, (1, 4)."""
    return np.array([[0.0, y, 0.0, radius]])


def stem(foot: Vector, length: float, width: float, colour: Colour, rng: Rng) -> Sheet:
    """Return a stem that leaves `foot` upwards, leans and ends in a knob."""
    lean = rng.normal(0.0, 0.35, 2) * length
    u = np.linspace(0.0, 1.0, 8)
    path = np.stack(
        [foot[0] + lean[0] * u * u, foot[1] + length * (u - 0.05), foot[2] + lean[1] * u * u]
    )
    radii = width * (1.0 - 0.35 * u + 2.8 * np.clip(u - 0.85, 0.0, 1.0))
    return tube(path, radii, np.repeat(vary(colour, rng), 8, axis=1))


def leaf(foot: Vector, length: float, rng: Rng) -> Sheet:
    """Return one leaf that grows sideways out of `foot`."""
    angle = float(rng.uniform(0.0, 2.0 * math.pi))
    outward = np.array([[math.cos(angle)], [0.35], [math.sin(angle)]])
    return blades(
        roots=np.array(foot)[:, None],
        outward=outward / math.sqrt(1.0 + 0.35**2),
        lengths=np.array([length]),
        widths=np.array([length * near(0.5, 0.2, rng)]),
        droop=np.array([near(0.3, 0.6, rng)]),
        colours=vary(GREEN, rng, 0.15),
        rng=rng,
    )


def whorl(count: int, low: float, high: float, rng: Rng) -> FloatArray:
    """Return `count` unit directions round +y, from elevation `low` to `high` radians, (3, L)."""
    turn = np.arange(count) * _GOLDEN_ANGLE + rng.uniform(0.0, 6.28)
    rise = np.linspace(low, high, count) + rng.normal(0.0, 0.08, count)
    return np.stack([np.cos(turn) * np.cos(rise), np.sin(rise), np.sin(turn) * np.cos(rise)])
