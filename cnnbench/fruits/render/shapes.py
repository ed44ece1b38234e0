"""Which solids are fruit made of, and how far is a point from the surface of each?

A shape lives in its own unit space and answers `distance(x, y, z)`: negative inside, positive
outside, with a slope near 1 across the surface, so that a ray can walk towards it.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from cnnbench.fruits.render.noise import FloatArray, Vector

Plane: TypeAlias = tuple[float, float, float, float]  # a normal and an offset
Lump: TypeAlias = tuple[float, float, float, float, float]  # depth, wave in x, y and z, phase


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """How a ray may walk towards a solid."""

    bound: float = 1.0  # radius of a sphere round the origin that holds the solid
    pace: float = 0.9  # share of the distance that is walked at once without passing through
    haste: float = 3.0  # strides that are taken at once when the gap grows or hardly shrinks
    sharp: bool = False  # the solid has edges: a normal across the view is no sign of an outline


class Shape(Protocol):
    """A solid in unit space."""

    @property
    def walk(self) -> Walk:
        """How a ray may walk towards it."""

    def distance(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the distance to the surface, negative inside."""


def _bell(c: FloatArray, slope: float) -> FloatArray:
    """Return (1 + |slope| * u) ** -4, u the distance of `c` from the pole of the slope's sign."""
    bell = c * slope
    bell += 1.0 + abs(slope)
    np.reciprocal(bell, out=bell)
    bell *= bell
    bell *= bell
    return bell


@dataclass(frozen=True, kw_only=True, slots=True)
class Revolved:
    """A solid of revolution about y, given by its radius as a function of c = cos(polar angle).

    radius(c) = polynomial(c) + top * bell(top_rate * (1 - c)) + tail * bell(tail_rate * (1 + c))
    with bell(u) = (1 + u / 4) ** -4, which falls like exp(-u) but costs a fifth: a negative `top`
    is a dimple, a positive one a neck or a nipple, and the higher the rate, the narrower it is.
    """

    polynomial: tuple[float, ...]  # coefficients of 1, c, c^2 ...
    top: float = 0.0
    top_rate: float = 10.0
    tail: float = 0.0
    tail_rate: float = 10.0
    bend: float = 0.0  # the axis becomes the parabola x = bend * y^2
    lump: Lump = (0.0, 0.0, 0.0, 0.0, 0.0)
    scales: Vector = (0.0, 0.0, 0.0)  # depth, count round, pitch along
    walk: Walk = Walk()

    def radius(self, c: FloatArray) -> FloatArray:
        """Return the radius in the direction whose cosine with the axis is `c`."""
        total = np.full_like(c, self.polynomial[-1])
        for coefficient in self.polynomial[-2::-1]:
            total *= c
            total += coefficient
        if self.top:
            total += self.top * _bell(c, -0.25 * self.top_rate)
        if self.tail:
            total += self.tail * _bell(c, 0.25 * self.tail_rate)
        return total

    def distance(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the radial distance to the surface."""
        if self.bend:
            x = x - self.bend * y * y
        r = np.sqrt(x * x + y * y + z * z + 1e-9)
        gap = r - self.radius(y / r)
        if self.lump[0]:
            lump, kx, ky, kz, phase = self.lump
            gap += lump * np.sin(kx * x + ky * y + kz * z + phase)
        if self.scales[0]:
            depth, around, along = self.scales
            angle, rise = around * np.arctan2(z, x), along * y
            gap += depth * (1.0 - np.abs(np.cos(angle + rise) * np.cos(angle - rise)))
        return gap


@dataclass(frozen=True, kw_only=True, slots=True)
class Arc:
    """A bent tube of five soft edges: a circular arc in the xy plane with a radius that tapers."""

    curve: float  # radius of the arc
    half_angle: float  # radians to either end
    thick: float
    ridge: float = 0.05
    neck: float = 0.3  # share of the thickness left at the stem end
    tip: float = 0.35
    twist: float = 0.0
    walk: Walk = Walk(bound=1.5, pace=0.85, haste=2.0)

    def distance(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the distance to the tube."""
        # Along the arc: -1 at the flower end, 1 at the stem.
        t = np.clip(np.arctan2(y, x + self.curve) / self.half_angle, -1.0, 1.0)
        angle = t * self.half_angle
        cx, cy = self.curve * np.cos(angle), self.curve * np.sin(angle)
        dx, dy = x + self.curve - cx, y - cy
        gap = np.sqrt(dx * dx + dy * dy + z * z + 1e-9)
        out = np.sqrt((x + self.curve) ** 2 + y * y) - self.curve
        psi = np.arctan2(z, out) + self.twist
        t2 = t * t
        # Full over the middle, then a quick shoulder; the stem keeps a thin neck.
        t4 = t2 * t2
        taper = (0.84 - self.tip) + (self.tip - self.neck) * (t > 0).astype(np.float32)
        body = 1.0 - 0.16 * t2 - taper * (t4 * t4 * t2)
        distance: FloatArray = gap - self.thick * body * (1.0 + self.ridge * np.cos(5.0 * psi))
        return distance


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A body cut by planes: what is left has normal . p <= offset for every plane."""

    body: Shape
    planes: tuple[Plane, ...]

    @property
    def walk(self) -> Walk:
        """How a ray may walk towards it: as towards the whole body."""
        return self.body.walk

    def distance(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the distance to the cut solid."""
        gap = self.body.distance(x, y, z)
        for a, b, c, d in self.planes:
            gap = np.maximum(gap, a * x + b * y + c * z - d)
        return gap


@dataclass(frozen=True, kw_only=True, slots=True)
class Shell:
    """The lower half of a hollow ball, open at the top."""

    thick: float = 0.05
    # It is hollow: there is a far wall to meet, so no haste.
    walk: Walk = Walk(bound=1.06, pace=0.95, haste=1.0, sharp=True)

    def distance(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the distance to the shell."""
        gap = np.abs(np.sqrt(x * x + y * y + z * z) - 1.0) - self.thick
        return np.maximum(gap, y)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slab:
    """A box, two units wide, high and deep until it is stretched."""

    walk: Walk = Walk(bound=1.74, pace=1.0, sharp=True)

    def distance(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the distance to the nearest face's plane."""
        return np.maximum(np.maximum(np.abs(x), np.abs(y)), np.abs(z)) - 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Balls:
    """A cluster of balls; rays meet it without a walk."""

    centres: FloatArray  # (K, 3)
    radii: FloatArray  # (K,)

    @property
    def bound(self) -> float:
        """Radius of a sphere round the origin that holds the cluster."""
        return float((np.sqrt((self.centres**2).sum(axis=1)) + self.radii).max())


def measured(shape: Revolved) -> Revolved:
    """Return `shape` with the bounding radius and the pace that its profile allows."""
    c = np.linspace(-1.0, 1.0, 257)
    radius = shape.radius(c)
    slope = np.gradient(radius, c) * np.sqrt(1.0 - c * c) / radius
    steep = float(np.sqrt(1.0 + slope**2).max())
    widest = float(radius.max())
    reach = widest + abs(shape.lump[0]) + abs(shape.bend) * widest**2
    walk = Walk(bound=reach * 1.01, pace=max(0.5, min(0.95, 1.15 / steep)))
    return replace(shape, walk=walk)


def inside(shape: Shape, spacing: float) -> tuple[FloatArray, FloatArray]:
    """Return the points (M, 3) of a grid that lie in `shape`, and their depth in it (M,)."""
    line = np.arange(-1.2, 1.21, spacing)
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij")).reshape(3, -1)
    depth = -shape.distance(*grid)
    held = depth > 0
    return grid[:, held].T, depth[held]


def aligned(source: Vector, target: Vector) -> FloatArray:
    """Return a (3, 3) rotation that turns the direction `source` into `target`."""
    a, b = np.array(source), np.array(target)
    cosine = float((a * b).sum() / math.sqrt(float((a * a).sum() * (b * b).sum())))
    x, y, z = (float(v) for v in np.cross(a, b))
    if abs(x) + abs(y) + abs(z) < 1e-6:
        x = 1.0
    return rotation((x, y, z), math.acos(max(-1.0, min(1.0, cosine))))


def rotation(axis: Vector, angle: float) -> FloatArray:
    """Return the (3, 3) rotation by `angle` radians about `axis`."""
    norm = math.sqrt(sum(v * v for v in axis)) or 1.0
    x, y, z = (v / norm for v in axis)
    c, s = math.cos(angle), math.sin(angle)
    k = 1.0 - c
    return np.array(
        [
            [c + x * x * k, x * y * k - z * s, x * z * k + y * s],
            [y * x * k + z * s, c + y * y * k, y * z * k - x * s],
            [z * x * k - y * s, z * y * k + x * s, c + z * z * k],
        ]
    )
