"""Which pixels does a solid cover, and what point of its surface does each of them see?

The camera looks along -z with parallel rays; x runs right, y up, and the picture is one unit
wide and high, its middle at the origin.
"""

import math
from dataclasses import dataclass

import numpy as np

from cnnbench.fruits.render.noise import FloatArray, IntArray, Vector, Window
from cnnbench.fruits.render.shapes import Balls, Shape

_STEPS = 9  # at most, along a ray
_PRUNE = (2, 3, 4, 6)  # steps after which finished rays are dropped
_WORTH = 0.9  # where no more than this share is still under way


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A linear map from unit space to the camera: point = centre + linear @ unit point."""

    centre: Vector
    linear: FloatArray  # (3, 3)

    @property
    def inverse(self) -> FloatArray:
        """The map from camera offsets to unit space, (3, 3)."""
        return np.linalg.inv(self.linear)

    @property
    def scale(self) -> float:
        """How much larger things are here than in unit space, on average."""
        return math.pow(abs(float(np.linalg.det(self.linear))), 1 / 3)

    def reach(self, bound: float) -> Vector:
        """Return the half extents in x, y and z of the sphere of radius `bound` once mapped."""
        x, y, z = (bound * math.sqrt(float((row * row).sum())) for row in self.linear)
        return x, y, z


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """What the rays of one solid met; N pixels, given by flat index into the picture."""

    index: IntArray  # (N,)
    window: Window  # holds all of them
    unit: FloatArray  # (3, N) points in unit space
    which: IntArray | None  # (N,) the member of a cluster
    normal: FloatArray  # (3, N) in camera space
    position: FloatArray  # (3, N) in camera space
    alpha: FloatArray  # (N,) share of the pixel that is covered


def window_of(centre: Vector, reach: Vector, size: int) -> Window:
    """Return the window of a box, clipped to the picture."""
    left = max(0, math.floor((centre[0] - reach[0] + 0.5) * size) - 1)
    right = min(size, math.ceil((centre[0] + reach[0] + 0.5) * size) + 1)
    top = max(0, math.floor((0.5 - centre[1] - reach[1]) * size) - 1)
    bottom = min(size, math.ceil((0.5 - centre[1] + reach[1]) * size) + 1)
    return top, left, max(0, bottom - top), max(0, right - left)


def pixel_grid(window: Window, size: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return x, y (camera units) and the flat index of every pixel of a window, each (N,)."""
    top, left, height, width = window
    columns = np.arange(left, left + width, dtype=np.int32)
    rows = np.arange(top, top + height, dtype=np.int32)
    x = np.tile(((columns + 0.5) / size - 0.5).astype(np.float32), height)
    y = np.repeat((0.5 - (rows + 0.5) / size).astype(np.float32), width)
    index = (rows[:, None] * size + columns[None, :]).ravel()
    return x, y, index


def enter(
    x: FloatArray, y: FloatArray, inverse: FloatArray, bound: float
) -> tuple[FloatArray, FloatArray]:
    """Return where rays meet the sphere of radius `bound` in unit space.

    `x` and `y` (N,) are offsets from the solid's centre in the picture; `inverse` (3, 3) takes
    camera offsets to unit space, where the rays run along -inverse[:, 2].

    Returns:
        The t (N,) of each ray at the middle of its chord, and the square of half the chord, below
        zero where the ray misses.
    """
    gram = (inverse[:, :, None] * inverse[:, None, :]).sum(axis=0).tolist()
    middle = (x * gram[0][2] + y * gram[1][2]) * (1.0 / gram[2][2])
    square = x * (x * gram[0][0] + y * (2.0 * gram[0][1])) + y * y * gram[1][1]
    return middle, (bound * bound - square) * (1.0 / gram[2][2]) + middle * middle


def march(
    shape: Shape,
    origin: tuple[FloatArray, FloatArray, FloatArray],
    direction: Vector,
    span: tuple[FloatArray, FloatArray],
    tolerance: float,
) -> tuple[FloatArray, FloatArray]:
    """Walk along the rays origin + t * direction to the first surface or the closest approach.

    `origin` is x, y and z, each (N,), of the rays at t = 0 in unit space. `span` is the t (N,) at
    which each ray starts and the t at which it gives up. A gap of `tolerance` counts as touching.

    Returns:
        For each ray its t (N,) and the gap left there (N,).
    """
    (ox, oy, oz), (dx, dy, dz), (t, leave) = origin, direction, span
    stride = shape.walk.pace / math.sqrt(dx * dx + dy * dy + dz * dz)
    last_t, last_gap = np.empty_like(t), np.empty_like(t)
    best_t, best_gap = t.copy(), np.full_like(t, 9.0)
    alive = np.arange(t.size, dtype=np.int32)
    before, walked = np.zeros_like(t), np.zeros_like(t)
    for step in range(_STEPS):
        gap = shape.distance(ox + t * dx, oy + t * dy, oz + t * dz)
        # Sums and numbered picks: numpy branches on masks, at ten times the cost.
        best_t += (t - best_t) * (gap < best_gap)
        np.minimum(best_gap, gap, out=best_gap)
        if step in _PRUNE:
            kept = np.flatnonzero((gap > tolerance) & (t < leave))
            if kept.size < _WORTH * alive.size:
                last_t[alive], last_gap[alive] = best_t, best_gap
                if not kept.size:
                    return last_t, last_gap
                alive, state = alive[kept], (ox, oy, oz, t, leave, gap, before, walked)
                ox, oy, oz, t, leave, gap, before, walked = (part[kept] for part in state)
                best_t, best_gap = best_t[kept], best_gap[kept]
        # As far as the gap would last if it went on shrinking as it did; a gap that grows is left
        # behind at the longest stride.
        pace = np.clip(walked / np.maximum(before - gap, 1e-6), stride, shape.walk.haste * stride)
        before, walked = gap, pace * gap
        t += walked
    last_t[alive], last_gap[alive] = best_t, best_gap
    return last_t, last_gap


def slope(shape: Shape, unit: FloatArray, gap: FloatArray) -> FloatArray:
    """Return the gradient (3, N) of the distance at `unit`, where the distance is `gap`."""
    x, y, z = unit
    step = 2e-3
    return np.stack(
        [
            shape.distance(x + step, y, z) - gap,
            shape.distance(x, y + step, z) - gap,
            shape.distance(x, y, z + step) - gap,
        ]
    ) * (1.0 / step)


def meet(shape: Shape, placed: Placed, size: int, hidden: FloatArray | None) -> Hits | None:
    """Return what the rays through the pixels meet of `shape`, or None when nothing is seen.

    `hidden` (size * size,) is the height z below which a pixel is known to be covered.
    """
    reach = placed.reach(shape.walk.bound)
    window = window_of(placed.centre, reach, size)
    x, y, index = pixel_grid(window, size)
    dx, dy = x - placed.centre[0], y - placed.centre[1]
    inverse, scale = placed.inverse.astype(np.float32), placed.scale
    middle, room = enter(dx, dy, inverse, shape.walk.bound)
    open_rays = room > 0
    if hidden is not None:
        open_rays &= hidden[index] < placed.centre[2] + reach[2]
    rays = np.flatnonzero(open_rays)
    if not rays.size:
        return None
    dx, dy, middle, root = dx[rays], dy[rays], middle[rays], np.sqrt(room[rays])
    ox, oy, oz = (row[0] * dx + row[1] * dy for row in inverse)
    rx, ry, rz = (-float(row[2]) for row in inverse)
    origin, direction, span = (ox, oy, oz), (rx, ry, rz), (middle - root, middle + root)
    t, gap = march(shape, origin, direction, span, tolerance=0.4 / (size * scale))
    near = np.flatnonzero(gap * scale < 1.5 / size)  # farther misses need no normal
    if not near.size:
        return None
    t, gap, seen = t[near], gap[near], rays[near]
    unit = np.stack([o[near] + d * t for o, d in zip(origin, direction, strict=True)])
    normal, length = _normal(slope(shape, unit, gap), inverse)
    gap /= length
    return Hits(
        index=index[seen],
        window=window,
        unit=unit,
        which=None,
        normal=normal,
        position=np.stack([x[seen], y[seen], placed.centre[2] - t]),
        alpha=_coverage(gap, None if shape.walk.sharp else normal[2], 0.8 * scale, size),
    )


def _normal(gradient: FloatArray, inverse: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return unit normals (3, N) in camera space and the camera gradient's length (N,)."""
    gx, gy, gz = gradient
    normal = np.stack(
        [inverse[0, k] * gx + inverse[1, k] * gy + inverse[2, k] * gz for k in range(3)]
    )
    length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2) + 1e-6
    normal /= length
    return normal, length


def _coverage(
    gap: FloatArray, facing: FloatArray | None, curvature_radius: float, size: int
) -> FloatArray:
    """Return the share of a pixel that is covered, from the ray's clearance of the silhouette.

    A ray that stands `gap` outside a ball of radius rho, where the normal's z is `facing`, passes
    the ball's middle at (rho + gap) * sqrt(1 - facing^2): less than rho is a hit. `facing` is None
    for a solid with edges, of which only the gap is known.
    """
    if facing is None:
        sharp: FloatArray = np.clip(1.3 - gap * size, 0.0, 1.0)
        return sharp
    sideways = np.sqrt(np.maximum(1.0 - facing * facing, 0.0))
    clearance = (curvature_radius + np.maximum(gap, 0.0)) * sideways - curvature_radius
    clearance += (gap - clearance) * (facing < -0.2)
    return np.clip(0.5 - clearance * size, 0.0, 1.0)


def meet_balls(balls: Balls, placed: Placed, size: int, hidden: FloatArray | None) -> Hits | None:
    """Return what the rays meet of a cluster of balls; `hidden` as in `meet`."""
    window = window_of(placed.centre, placed.reach(balls.bound), size)
    top, left, height, width = window
    if not (height and width):
        return None
    scale = placed.scale
    centres = (placed.linear[None] * balls.centres[:, None, :]).sum(axis=2) + placed.centre
    depth = np.full((height, width), -9.0, np.float32)
    miss = np.full((height, width), 9.0, np.float32)
    which = np.zeros((height, width), np.int32)
    x = ((np.arange(left, left + width) + 0.5) / size - 0.5).astype(np.float32)
    y = (0.5 - (np.arange(top, top + height) + 0.5) / size).astype(np.float32)
    for k, (cx, cy, cz) in enumerate(centres.tolist()):
        r = float(balls.radii[k]) * scale
        t0, l0, h0, w0 = window_of((cx, cy, cz), (r, r, r), size)
        here = (slice(t0 - top, t0 - top + h0), slice(l0 - left, l0 - left + w0))
        dx, dy = x[here[1]] - cx, y[here[0]] - cy
        square = dx * dx + (dy * dy)[:, None]
        z = cz + np.sqrt(np.maximum(r * r - square, 0.0))
        gap = np.sqrt(square) - r
        hit = gap < 0
        won = hit & (z > depth[here])
        close = (depth[here] < -8) & (gap < miss[here]) & (gap * size < 0.5)
        which[here] += (k - which[here]) * (won | (close & ~hit))
        depth[here] += (z - depth[here]) * won
        np.minimum(miss[here], gap, out=miss[here])
    return _ball_hits(balls, centres, scale, window, (depth, miss, which), size, hidden)


def _ball_hits(
    balls: Balls,
    centres: FloatArray,
    scale: float,
    window: Window,
    maps: tuple[FloatArray, FloatArray, IntArray],
    size: int,
    hidden: FloatArray | None,
) -> Hits | None:
    """Gather the pixels of a cluster from its maps of depth, clearance and member."""
    x, y, index = pixel_grid(window, size)
    depth, miss, which = maps[0].ravel(), maps[1].ravel(), maps[2].ravel()
    alpha = np.clip(0.5 - miss * size, 0.0, 1.0)
    seen = alpha > 0.02
    if hidden is not None:
        seen &= hidden[index] < np.maximum(depth, -8.0)
    kept = np.flatnonzero(seen)
    if not kept.size:
        return None
    member = which[kept]
    centre = centres.astype(np.float32).T[:, member]
    radius = balls.radii.astype(np.float32)[member] * scale
    dx, dy = x[kept] - centre[0], y[kept] - centre[1]
    dz = np.sqrt(np.maximum(radius * radius - dx * dx - dy * dy, 0.0))
    normal = np.stack([dx, dy, dz])
    normal /= np.sqrt((normal * normal).sum(axis=0)) + 1e-6
    return Hits(
        index=index[kept],
        window=window,
        unit=normal + member.astype(np.float32) * 0.37,
        which=member,
        normal=normal,
        position=np.stack([x[kept], y[kept], centre[2] + dz]),
        alpha=alpha[kept],
    )
