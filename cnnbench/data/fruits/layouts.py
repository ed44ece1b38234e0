"""Where do the fruit of a scene go?

Places are on the ground, round the hero at the origin: x to the right, z towards the camera, in
shares of the picture's width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where one fruit goes; lengths in shares of the picture's width."""

    x: float  # to the right, along the ground
    z: float  # towards the camera, along the ground
    layer: float  # height above the ground in diameters
    diameter: float
    intruder: bool = False  # of another class


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A kind of scene: how often it comes, how large its fruit are, what they may lie in."""

    name: str
    share: float
    diameters: tuple[float, float]
    containers: tuple[str, ...]  # equally likely


LAYOUTS: tuple[Layout, ...] = (
    Layout(name="single", share=0.34, diameters=(0.46, 0.80), containers=("none",)),
    Layout(
        name="few",
        share=0.26,
        diameters=(0.34, 0.54),
        containers=("none", "none", "none", "none", "board"),
    ),
    Layout(name="heap", share=0.16, diameters=(0.28, 0.40), containers=("none", "none", "board")),
    Layout(name="dish", share=0.12, diameters=(0.25, 0.31), containers=("bowl", "bowl", "plate")),
    Layout(name="crate", share=0.08, diameters=(0.27, 0.36), containers=("crate",)),
    Layout(name="spread", share=0.04, diameters=(0.30, 0.42), containers=("none",)),
)


def arrange(layout: str, diameter: float, rng: Rng) -> list[Place]:
    """Return the places of the fruit of the hero's class, the hero's first."""
    if layout == "single":
        return [_place(0.0, 0.0, 0.0, diameter)]
    if layout == "few":
        return _scatter(int(rng.integers(1, 5)), diameter, rng)
    if layout in ("crate", "spread"):
        return _rows(1.4 * diameter if layout == "crate" else 0.85, diameter, rng)
    return _heap(diameter, rng)


def _place(x: float, z: float, layer: float, diameter: float) -> Place:
    return Place(x=float(x), z=float(z), layer=float(layer), diameter=float(diameter))


def _sized(diameter: float, rng: Rng) -> float:
    return diameter * float(rng.uniform(0.86, 1.06))


def _scatter(count: int, diameter: float, rng: Rng) -> list[Place]:
    """Return the hero and `count` others, none nearer than most of a diameter to another."""
    places = [_place(0.0, 0.0, 0.0, diameter)]
    for _ in range(count * 12):
        angle, far = rng.uniform(0.0, 2 * math.pi), diameter * rng.uniform(0.85, 1.9)
        x, z = far * math.cos(angle), far * math.sin(angle)
        if all(math.hypot(x - p.x, z - p.z) > 0.85 * diameter for p in places):
            places.append(_place(x, z, 0.0, _sized(diameter, rng)))
        if len(places) > count:
            break
    return places


def _heap(diameter: float, rng: Rng) -> list[Place]:
    """Return the hero and up to two others on a ring of five or six."""
    around, start = int(rng.integers(5, 7)), rng.uniform(0.0, 2 * math.pi)
    places = [_place(0.0, 0.12 * diameter, 0.62, diameter)]
    for k in range(around):
        angle = start + 2 * math.pi * k / around + rng.normal(0.0, 0.1)
        far = diameter * rng.uniform(0.78, 0.95)
        size = _sized(diameter, rng)
        places.append(_place(far * math.cos(angle), far * math.sin(angle), 0.0, size))
    for _ in range(int(rng.integers(0, 3))):
        angle, layer = rng.uniform(0.0, 2 * math.pi), rng.uniform(0.45, 0.6)
        x, z = 0.95 * diameter * math.cos(angle), 0.95 * diameter * math.sin(angle)
        places.append(_place(x, z, layer, _sized(diameter, rng)))
    return places


def _rows(reach: float, diameter: float, rng: Rng) -> list[Place]:
    """Return rows of fruit side by side, as far as `reach` from the hero."""
    places = [_place(0.0, 0.0, 0.12, diameter)]
    for row in range(-3, 4):
        for column in range(-3, 4):
            jitter = rng.normal(0.0, 0.05, 2) * diameter
            layer, size = rng.uniform(0.0, 0.2), _sized(diameter, rng)
            x = (column + 0.5 * (row % 2)) * diameter * 0.95 + jitter[0]
            z = row * diameter * 0.88 + jitter[1]
            if (row or column) and max(abs(x), abs(z)) < reach:
                places.append(_place(x, z, layer, size))
    return places


def intruder(places: list[Place], diameter: float, rng: Rng) -> Place:
    """Return the place of a smaller fruit of another class, beside the others."""
    small = diameter * float(rng.uniform(0.35, 0.55))
    x = z = diameter
    for _ in range(30):
        angle, far = rng.uniform(0.0, 2 * math.pi), diameter * rng.uniform(0.75, 1.6)
        x, z = float(far * math.cos(angle)), float(far * math.sin(angle))
        gap = min(math.hypot(x - p.x, z - p.z) - 0.5 * p.diameter for p in places)
        if gap > 0.4 * small and abs(x) < 0.45:
            break
    return Place(x=x, z=z, layer=0.0, diameter=small, intruder=True)
