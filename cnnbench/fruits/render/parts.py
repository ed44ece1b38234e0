"""How are thin things shaped and drawn: stems, leaves, crowns?

A sheet is a stack of small grids of points in space. It is diced finer than the pixels, and the
dice are dropped into cells of half a pixel's width. The nearest die of each cell stays, and four
cells make a pixel with its cover.
"""

import math
from dataclasses import dataclass

import numpy as np

from cnnbench.fruits.render.light import Colour, vary
from cnnbench.fruits.render.noise import BoolArray, FloatArray, IntArray, Rng, Vector, Window, near
from cnnbench.fruits.render.trace import Placed, window_of

GREEN: Colour = (84, 120, 44)
BARK: Colour = (98, 70, 40)

_DICE = 2.3  # dice to a pixel's width; two would do on a flat sheet
_GOLDEN_ANGLE = 2.399963


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A stack of L grids of points in the space of the fruit, with their colour."""

    points: FloatArray  # (3, L, U, V)
    albedo: FloatArray  # (3, L, U, V), linear
    gloss: float = 0.1
    tight: float = 20.0
    glow: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Splat:
    """The pixels that a sheet covers."""

    index: IntArray  # (N,) flat
    position: FloatArray  # (3, N)
    normal: FloatArray  # (3, N)
    albedo: FloatArray  # (3, N)
    alpha: FloatArray  # (N,)


def tube(path: FloatArray, radii: FloatArray, colours: FloatArray) -> Sheet:
    """Return a stem along `path` (3, U) with `radii` (U,) and `colours` (3, U)."""
    along = np.gradient(path, axis=1)
    along = along / (np.sqrt((along * along).sum(axis=0)) + 1e-9)
    side = np.cross(along, np.array([[0.31], [0.52], [0.79]]), axis=0)
    side = side / (np.sqrt((side * side).sum(axis=0)) + 1e-9)
    other = np.cross(along, side, axis=0)
    turn = np.linspace(0.0, 2.0 * math.pi, 9)
    ring = (side[:, :, None] * np.cos(turn) + other[:, :, None] * np.sin(turn)) * radii[
        None, :, None
    ]
    points = path[:, :, None] + ring
    albedo = np.broadcast_to(colours[:, :, None], points.shape)
    return Sheet(
        points=points[:, None].astype(np.float32), albedo=albedo[:, None].astype(np.float32)
    )


def blades(
    *,
    roots: FloatArray,
    outward: FloatArray,
    lengths: FloatArray,
    widths: FloatArray,
    droop: FloatArray,
    colours: FloatArray,
    rng: Rng,
    pointed: float = 1.0,
) -> Sheet:
    """Return L leaves, their upper sides towards +y.

    Args:
        roots: (3, L) where they begin.
        outward: (3, L) unit directions in which they grow.
        lengths: (L,).
        widths: (L,) at the widest.
        droop: (L,) how far the tip bends down, in lengths.
        colours: (3, L) linear.
        rng: for the unevenness of each.
        pointed: 1 for a leaf with its belly in the middle, 0 for a blade widest at its root.
    """
    u, v = np.linspace(0.0, 1.0, 9), np.linspace(-1.0, 1.0, 5)
    flat = np.hypot(outward[0], outward[2]) + 1e-6
    upward = np.stack([-outward[0] * outward[1] / flat, flat, -outward[2] * outward[1] / flat])
    side = np.cross(upward, outward, axis=0)
    belly = np.sin(math.pi * np.clip(u, 0.02, 1.0) ** 0.8) ** 0.8
    half = 0.5 * (pointed * belly + (1.0 - pointed) * (1.0 - u) ** 0.7)
    bend = u * u
    grow = lengths[:, None] * (u - 0.25 * bend * np.abs(droop)[:, None])
    fall = (lengths * droop)[:, None] * bend
    line = roots[:, :, None] + outward[:, :, None] * grow - upward[:, :, None] * fall
    across = half * widths[:, None]
    wave = 0.04 * widths[:, None] * np.sin(u * 9.0 + rng.uniform(0.0, 6.0, (len(lengths), 1)))
    curl = (across + wave)[:, :, None] * (0.35 * v * v)
    points = (
        line[:, :, :, None]
        + side[:, :, None, None] * (across[:, :, None] * v)
        + upward[:, :, None, None] * curl
    )
    tone = (0.8 + 0.3 * u)[:, None] * (1.0 + 0.25 * np.exp(-((v / 0.15) ** 2)))
    albedo = colours[:, :, None, None] * tone
    return Sheet(points=points.astype(np.float32), albedo=albedo.astype(np.float32), glow=0.25)


def stem(foot: Vector, length: float, width: float, colour: Colour, rng: Rng) -> Sheet:
    """Return a stem that leaves `foot` upwards, leans and ends in a knob."""
    lean = rng.normal(0.0, 0.35, 2) * length
    u = np.linspace(0.0, 1.0, 8)
    path = np.stack(
        [foot[0] + lean[0] * u * u, foot[1] + length * (u - 0.05), foot[2] + lean[1] * u * u]
    )
    radii = width * (1.0 - 0.35 * u + 2.8 * np.clip(u - 0.85, 0.0, 1.0))
    return tube(path, radii, np.repeat(vary(colour, rng), 8, axis=1))


def leaf(chance: float, foot: Vector, length: float, rng: Rng) -> tuple[Sheet, ...]:
    """Return, with probability `chance`, a leaf that grows sideways out of `foot`."""
    if rng.random() >= chance:
        return ()
    length = near(length, 0.2, rng)
    angle = float(rng.uniform(0.0, 2.0 * math.pi))
    outward = np.array([[math.cos(angle)], [0.35], [math.sin(angle)]])
    blade = blades(
        roots=np.array(foot)[:, None],
        outward=outward / math.sqrt(1.0 + 0.35**2),
        lengths=np.array([length]),
        widths=np.array([length * near(0.5, 0.2, rng)]),
        droop=np.array([near(0.3, 0.6, rng)]),
        colours=vary(GREEN, rng, 0.15),
        rng=rng,
    )
    return (blade,)


def whorl(count: int, low: float, high: float, rng: Rng) -> FloatArray:
    """Return `count` unit directions round +y, from elevation `low` to `high` radians, (3, L)."""
    turn = np.arange(count) * _GOLDEN_ANGLE + rng.uniform(0.0, 6.28)
    rise = np.linspace(low, high, count) + rng.normal(0.0, 0.08, count)
    return np.stack([np.cos(turn) * np.cos(rise), np.sin(rise), np.sin(turn) * np.cos(rise)])


# -- from a sheet to pixels -----------------------------------------------------------------------


def _between(old: int, count: int) -> tuple[IntArray, FloatArray]:
    """Return where `count` even steps fall among `old` points: the point before and the share."""
    place = np.linspace(0.0, old - 1.0, count)
    low = np.minimum(place.astype(np.int64), old - 2)
    return low, (place - low).astype(np.float32)


def _span(points: FloatArray, axis: int) -> float:
    """Return the longest path along `axis` in the picture plane."""
    step = np.diff(points[:2], axis=axis)
    return float(np.sqrt((step * step).sum(axis=0)).sum(axis=axis - 1).max())


def _project(sheet: Sheet, placed: Placed) -> FloatArray:
    """Return the points of `sheet` in camera space, shaped as they are there."""
    linear = placed.linear.astype(np.float32)
    x, y, z = sheet.points
    rows = [
        linear[k, 0] * x + linear[k, 1] * y + linear[k, 2] * z + np.float32(placed.centre[k])
        for k in range(3)
    ]
    return np.stack(rows)


def splat(sheet: Sheet, placed: Placed, size: int) -> Splat | None:
    """Return the pixels that `sheet` covers, or None when it is out of the picture."""
    points = _project(sheet, placed)
    low, high = points.min(axis=(1, 2, 3)).tolist(), points.max(axis=(1, 2, 3)).tolist()
    middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, 0.0)
    window = window_of(middle, ((high[0] - low[0]) / 2, (high[1] - low[1]) / 2, 0.0), size)
    if not (window[2] and window[3]):
        return None
    normal = np.cross(np.gradient(points, axis=2), np.gradient(points, axis=3), axis=0)
    row, row_share = _between(points.shape[2], 2 + math.ceil(_span(points, 2) * size * _DICE))
    column, column_share = _between(points.shape[3], 2 + math.ceil(_span(points, 3) * size * _DICE))
    # `take` leaves the dice in one row, an index would not.
    lines = points.take(row, axis=2)
    lines += (points.take(row + 1, axis=2) - lines) * row_share[:, None]
    dice = lines.take(column, axis=3)
    dice += (lines.take(column + 1, axis=3) - dice) * column_share
    dice = dice.reshape(3, -1)
    kept = _nearest(dice, window, size)
    if kept is None:
        return None
    pixels, winner, held = kept
    # Normals and colours change slowly: those of the nearest point of the grid will do.
    blade, place = np.divmod(winner, row.size * column.size)
    u, v = np.divmod(place, column.size)
    u = (row + np.round(row_share).astype(np.int64))[u]
    v = (column + np.round(column_share).astype(np.int64))[v]
    return _pixels(
        (dice[:, winner], normal[:, blade, u, v], sheet.albedo[:, blade, u, v]),
        held,
        (pixels // window[3] + window[0]) * size + pixels % window[3] + window[1],
    )


def _nearest(
    dice: FloatArray, window: Window, size: int
) -> tuple[IntArray, IntArray, BoolArray] | None:
    """Drop the dice (3, K) into cells, four to a pixel.

    Returns:
        The pixels of the window that got any (N,), the nearest die in each of their cells (N, 4)
        and whether there is one (N, 4); None when all dice fall outside.
    """
    top, left, height, width = window
    column = np.floor((dice[0] + 0.5) * (2 * size)).astype(np.int32) - 2 * left
    row = np.floor((0.5 - dice[1]) * (2 * size)).astype(np.int32) - 2 * top
    inside = np.flatnonzero((column >= 0) & (column < 2 * width) & (row >= 0) & (row < 2 * height))
    if not inside.size:
        return None
    row, column = row[inside], column[inside]
    cell = ((row >> 1) * width + (column >> 1)) * 4 + (row & 1) * 2 + (column & 1)
    # Depth in the high half, the die in the low half: the largest key is the nearest die.
    key = ((dice[2, inside] + 8.0) * 1e6).astype(np.int64) << 32 | inside
    best = np.zeros(4 * height * width, np.int64)
    np.maximum.at(best, cell, key)
    cells = best.reshape(-1, 4)
    pixels = np.flatnonzero(cells.any(axis=1))
    return pixels, cells[pixels] & 0xFFFFFFFF, cells[pixels] > 0


def _pixels(
    parts: tuple[FloatArray, FloatArray, FloatArray], held: BoolArray, index: IntArray
) -> Splat:
    """Average position, normal and albedo, each (3, N, 4), over the cells that are `held`."""
    position, normal, albedo = parts
    share = held / held.sum(axis=1, keepdims=True).astype(np.float32)
    # Both sides of a leaf are seen, each by the normal that faces the camera.
    normal = (normal * (np.where(normal[2] < 0, -share, share))).sum(axis=2)
    normal /= np.sqrt((normal * normal).sum(axis=0)) + 1e-12
    return Splat(
        index=index.astype(np.int32),
        position=(position * share).sum(axis=2),
        normal=normal,
        albedo=(albedo * share).sum(axis=2),
        alpha=held.sum(axis=1).astype(np.float32) / 4.0,
    )
