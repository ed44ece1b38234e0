"""What colour is a point of a surface, and how bright is it under the light of the scene?

Colours are written as 8-bit sRGB and computed in linear light, with a gamma of two, as (3, N). The
light is a directional lamp with soft shadows, a sky above, what comes back from the ground, and
darkness where things touch. Balls stand for everything that casts a shadow.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cnnbench.fruits.render.noise import FloatArray, IntArray, Rng, Vector, Window

Colour: TypeAlias = tuple[float, float, float]

_NEAREST = 6  # balls that shade one solid, at most


def linear(colour: Colour) -> FloatArray:
    """Return an 8-bit sRGB colour in linear light, (3, 1)."""
    return np.array([[(v / 255.0) ** 2] for v in colour], np.float32)


def vary(colour: Colour, rng: Rng, amount: float = 0.08) -> FloatArray:
    """Return `linear(colour)` a little lighter or darker and off its hue, (3, 1)."""
    shift = np.exp(rng.normal(0.0, amount, (3, 1)) + rng.normal(0.0, amount))
    varied: FloatArray = (linear(colour) * shift).astype(np.float32)
    return varied


def blend(first: FloatArray, second: FloatArray, share: FloatArray | float) -> FloatArray:
    """Return `first` where `share` (N,) is 0 and `second` where it is 1, as (3, N)."""
    mixed: FloatArray = first + (second - first) * share
    return mixed


def step(values: FloatArray, low: float, high: float) -> FloatArray:
    """Return 0 at `low`, 1 at `high`, a smooth ramp between; `low` may be the larger."""
    ramp = np.clip((values - low) * (1.0 / (high - low)), 0.0, 1.0)
    smooth: FloatArray = ramp * ramp * (3.0 - 2.0 * ramp)
    return smooth


# -- lamp, sky and ground -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """The light of a scene; directions are unit vectors in camera space."""

    toward: Vector  # to the lamp
    up: Vector  # away from the ground, which passes through `ground`
    ground: float  # the ground is where position . up = ground
    lamp: Colour
    sky: Colour
    bounce: Colour
    softness: float  # of the edge of a shadow


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """What a surface is like at N points."""

    albedo: FloatArray  # (3, N), linear
    gloss: FloatArray | float  # strength of the highlight
    tight: float  # exponent of the highlight
    height: FloatArray | None = None  # (N,), bumps in units of the solid
    glow: float = 0.0  # light that passes through
    fuzz: float = 0.0  # brightness of the rim


def occlusion(
    position: FloatArray, normal: FloatArray, balls: FloatArray, light: Light
) -> tuple[FloatArray, FloatArray]:
    """Return how much of the lamp and of the sky reaches each point past `balls` (K, 4)."""
    lamp = np.ones(position.shape[1], np.float32)
    sky = np.ones(position.shape[1], np.float32)
    toward, outward = _dot(position, light.toward), (position * normal).sum(axis=0)
    own = (position * position).sum(axis=0)
    first = float(toward.min())
    for bx, by, bz, radius in balls.tolist():
        middle = (bx, by, bz)
        # Of the way v from a point to the middle: its square, and its parts along light and normal.
        square = own - 2.0 * _dot(position, middle)
        square += bx * bx + by * by + bz * bz
        np.maximum(square, 1e-6, out=square)
        ahead = sum(a * b for a, b in zip(middle, light.toward, strict=True))
        if ahead > first:
            along = np.maximum(ahead - toward, 0.0)
            miss = np.sqrt(np.maximum(square - along * along, 0.0))
            edge = radius * 0.25 + light.softness * along
            lamp *= np.clip((miss - radius) / edge + 0.65, 0.0, 1.0)
        facing = np.maximum(_dot(normal, middle) - outward, 0.0) / np.sqrt(square)
        facing *= (0.8 * radius * radius) / np.maximum(square, radius * radius)
        sky *= 1.0 - facing
    return lamp, sky


def _dot(vectors: FloatArray, other: Vector) -> FloatArray:
    """Return the dot products (N,) of `vectors` (3, N) with `other`."""
    product: FloatArray = vectors[0] * other[0]
    product += vectors[1] * other[1]
    product += vectors[2] * other[2]
    return product


def nearest(balls: FloatArray, centre: Vector, reach: float) -> FloatArray:
    """Return the few of `balls` (K, 4) that can darken something at `centre`."""
    if not len(balls):
        return balls
    offset = balls[:, :3] - np.asarray(centre)
    gap = np.sqrt((offset * offset).sum(axis=1)) - balls[:, 3] - reach
    order = np.argsort(gap, kind="stable")[:_NEAREST]
    nearest_balls: FloatArray = balls[order[gap[order] < reach]]
    return nearest_balls


def shade(
    position: FloatArray,
    normal: FloatArray,
    surface: Surface,
    balls: FloatArray,
    light: Light,
    scale: float,
) -> FloatArray:
    """Return the light (3, N) that leaves the points towards the camera.

    `position` and the unit `normal` are (3, N) in camera space. `balls` (K, 4) are centres and
    radii of what may stand between the points and the light. `scale` is the size of the solid: as
    far reaches the ground's darkness.
    """
    lamp, sky = occlusion(position, normal, balls, light)
    lx, ly, lz = light.toward
    facing, above = _dot(normal, light.toward), _dot(normal, light.up)
    rise = _dot(position, light.up) - light.ground
    sky *= 1.0 - 0.35 * (1.0 - above) * np.exp(-np.maximum(rise, 0.0) * (2.5 / scale))
    wrap = 0.08 + surface.glow
    direct = lamp * np.maximum((facing + wrap) / (1.0 + wrap), 0.0)
    if surface.glow:
        direct += surface.glow * 0.6 * np.maximum(-facing, 0.0)
    half = (0.5 + 0.5 * above) * sky
    low = (0.5 - 0.5 * above) * sky
    rim = 1.0 - np.maximum(normal[2], 0.0)
    rim *= rim
    rim *= rim
    norm = math.sqrt(lx * lx + ly * ly + (lz + 1.0) ** 2) + 1e-6
    mirror = _dot(normal, (lx / norm, ly / norm, (lz + 1.0) / norm))
    # exp(k (m - 1)) is m ** k near one, where it matters, at a twentieth of the cost.
    shine = surface.gloss * np.exp(surface.tight * (mirror - 1.0)) * lamp
    sheen = (surface.gloss * 0.25 + surface.fuzz) * rim * half
    out = np.empty_like(surface.albedo)
    for k in range(3):
        incoming = light.lamp[k] * direct + light.sky[k] * half + light.bounce[k] * low
        out[k] = surface.albedo[k] * incoming + light.lamp[k] * shine + light.sky[k] * sheen
    return out


def bump(
    normal: FloatArray, height: FloatArray, index: IntArray, window: Window, size: int, depth: float
) -> FloatArray:
    """Tilt `normal` (3, N) by the slope of `height` across the picture.

    The surface gradient of a height seen along -z is the part of its picture gradient that lies in
    the surface: g - n (n . g) with g = (dh/dx, dh/dy, 0).
    """
    top, left, rows, columns = window
    row, column = index // size - top, index % size - left
    cell = row * columns + column
    sheet = np.zeros(rows * columns, np.float32)
    held = np.zeros(rows * columns, np.bool_)
    sheet[cell], held[cell] = height, True
    east = np.minimum(cell + 1, rows * columns - 1)
    south = np.minimum(cell + columns, rows * columns - 1)
    gx = (sheet[east] - height) * held[east] * (depth * size)
    gy = (height - sheet[south]) * held[south] * (depth * size)
    inward = gx * normal[0] + gy * normal[1]
    tilted: FloatArray = normal * (1.0 + inward)
    tilted[0] -= gx
    tilted[1] -= gy
    tilted /= np.sqrt(tilted[0] ** 2 + tilted[1] ** 2 + tilted[2] ** 2) + 1e-6
    return tilted
