"""What is under, behind and around the fruit?

A ground is a table or a bed of straw, a backdrop something far away and out of focus: both are
linear albedo (3, H, W). Furniture is what the fruit lie in or on: a bowl, plate, board or crate.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnbench.fruits.render.light import Colour, Surface, blend, step, vary
from cnnbench.fruits.render.noise import FloatArray, Rng, Vector, enlarge, field, grain, solid
from cnnbench.fruits.render.shapes import Shell, Slab
from cnnbench.fruits.render.solids import Body, Painter, Spots

Size = tuple[int, int]

_ANY: tuple[Colour, ...] = (
    (222, 214, 200),
    (170, 60, 52),
    (206, 150, 60),
    (96, 130, 84),
    (70, 100, 140),
    (120, 84, 120),
    (60, 60, 66),
    (226, 190, 110),
    (150, 176, 180),
    (206, 120, 96),
)
_WOOD: tuple[Colour, ...] = (
    (176, 128, 80),
    (126, 84, 50),
    (206, 170, 120),
    (86, 60, 42),
    (150, 140, 126),
    (214, 206, 192),
)


def _pick(colours: tuple[Colour, ...], rng: Rng) -> FloatArray:
    """Return one of `colours`, varied, as (3, 1, 1)."""
    return vary(colours[int(rng.integers(len(colours)))], rng, 0.12)[:, :, None]


def wood(size: Size, _squash: float, rng: Rng) -> FloatArray:
    """Planks with grain along them."""
    long, wide = (size[1], size[0]) if rng.random() < 0.5 else size
    turned = (long, wide) == size
    planks = int(rng.integers(2, 7))
    fibre = field((wide, long), (48.0, 2.5), 2, rng)
    place = (np.arange(wide) / wide * planks + rng.uniform(0, 1))[:, None].astype(np.float32)
    number = np.floor(place).astype(np.int64)
    tone = rng.uniform(0.7, 1.2, planks + 2).astype(np.float32)[number]
    shift = rng.uniform(0, 9, planks + 2).astype(np.float32)[number]
    rings = np.sin(field((wide, long), (3.0, 1.5), 1, rng) * 3.0 + place * 14.0 + shift)
    seam = np.abs(place - np.round(place)) * (1.0 / planks) < 0.003
    value = tone * (1.0 + 0.10 * fibre + 0.10 * rings) * np.where(seam, 0.35, 1.0)
    if turned:
        value = value.T
    return _pick(_WOOD, rng) * np.clip(value, 0.1, 2.0)


def cloth(size: Size, squash: float, rng: Rng) -> FloatArray:
    """Woven cloth, plain, striped or checked, with soft folds."""
    rows = (np.arange(size[0]) / size[0] / squash).astype(np.float32)[:, None]
    columns = (np.arange(size[1]) / size[1]).astype(np.float32)[None, :]
    base, other = _pick(_ANY, rng), _pick(_ANY, rng)
    threads = float(rng.uniform(60, 110))
    weave = np.sin(rows * threads * 6.28) * np.sin(columns * threads * 6.28)
    pattern = int(rng.integers(3))
    count = float(rng.uniform(3, 9))
    bars = (np.sin(columns * count * 6.28) > 0).astype(np.float32)
    share = np.zeros(size, np.float32)
    if pattern == 1:
        share = share + bars
    elif pattern == 2:
        share = 0.5 * (bars + (np.sin(rows * count * 6.28) > 0))
    folds = field(size, (2.5, 2.5), 2, rng)
    value = 1.0 + 0.06 * weave + 0.14 * folds
    woven: FloatArray = (base + (other - base) * share) * np.clip(value, 0.2, 2.0)
    return woven.astype(np.float32)


def stone(size: Size, squash: float, rng: Rng) -> FloatArray:
    """Speckled or veined stone."""
    base = _pick(((190, 184, 176), (120, 116, 112), (216, 210, 204), (150, 130, 112)), rng)
    cloud = field(size, (4.0 / squash, 4.0), 4, rng)
    if rng.random() < 0.5:
        vein = np.exp(-np.abs(field(size, (2.0 / squash, 2.0), 3, rng)) * 9.0)
        value = 1.0 + 0.06 * cloud - 0.45 * vein
    else:
        value = 1.0 + 0.10 * cloud + 0.16 * np.clip(grain(size, rng), -1.5, 2.0)
    return base * np.clip(value, 0.1, 2.0)


def slate(size: Size, squash: float, rng: Rng) -> FloatArray:
    """Dark, layered stone."""
    base = _pick(((70, 74, 80), (52, 52, 56), (84, 80, 76)), rng)
    layers = field(size, (14.0 / squash, 5.0), 5, rng)
    edge = np.exp(-np.abs(field(size, (3.0 / squash, 2.0), 4, rng)) * 22.0)
    value = 1.0 + 0.12 * layers + 0.05 * grain(size, rng) + 0.35 * edge
    return base * np.clip(value, 0.2, 2.0)


def paper(size: Size, squash: float, rng: Rng) -> FloatArray:
    """A sheet of one colour, nearly even."""
    value = 1.0 + 0.02 * grain(size, rng) + 0.03 * field(size, (1.5 / squash, 1.5), 2, rng)
    return _pick(_ANY, rng) * value


def straw(size: Size, squash: float, rng: Rng) -> FloatArray:
    """Wood wool and dry grass: fine strands over one another."""
    first = field(size, (60.0 / squash, 7.0), 1, rng)
    second = field(size, (9.0 / squash, 64.0), 1, rng)
    value = 1.0 + 0.3 * np.maximum(first, second) - 0.25 * np.abs(first - second)
    return _pick(((206, 176, 110), (160, 150, 90), (110, 130, 70)), rng) * np.clip(value, 0.1, 2.0)


def leaves(size: Size, rng: Rng) -> FloatArray:
    """Foliage with holes of light, far out of focus."""
    small = (max(8, size[0] // 8), max(8, size[1] // 8))
    value = field(small, (7.0, 7.0), 2, rng)
    share = np.clip(0.5 + 0.45 * value, 0.0, 1.0)[None]
    colours = (
        _pick(((40, 70, 32), (70, 90, 40), (90, 74, 40)), rng),
        _pick(((170, 190, 110), (220, 220, 190), (210, 180, 110)), rng),
    )
    mixed = colours[0] + (colours[1] - colours[0]) * share**2
    return np.stack([enlarge(channel, size) for channel in mixed]).clip(0.0)


def shelves(size: Size, rng: Rng) -> FloatArray:
    """Shelves of coloured goods, far out of focus."""
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(5, 12))
    chosen = rng.integers(len(_ANY), size=(rows, columns))
    goods = np.array(_ANY, np.float32)[chosen].transpose(2, 0, 1) / 255.0
    goods = (goods * rng.uniform(0.4, 1.0, (1, rows, columns))) ** 2
    board = np.repeat(np.repeat(goods, 4, axis=1), 3, axis=2)
    board[:, ::4] *= 0.25
    return np.stack([enlarge(channel, size) for channel in board]).clip(0.0)


def wall(size: Size, rng: Rng) -> FloatArray:
    """A plain wall with a slow fall of light."""
    fall = enlarge(1.0 + 0.2 * field((8, 8), (1.5, 1.5), 1, rng), size)
    return _pick(_ANY, rng) * np.clip(fall, 0.2, 2.0)


GROUNDS: dict[str, Callable[[Size, float, Rng], FloatArray]] = {
    function.__name__: function for function in (wood, cloth, stone, slate, paper, straw)
}
BACKDROPS: dict[str, Callable[[Size, Rng], FloatArray]] = {
    function.__name__: function for function in (leaves, shelves, wall)
}


# -- bowls, plates, boards and crates -------------------------------------------------------------
# World space: x to the right, y up from the ground under the hero, z towards the camera, in shares
# of the picture's width.

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
    base = vary(_GLAZES[int(rng.integers(len(_GLAZES)))], rng)
    band = vary(_GLAZES[int(rng.integers(len(_GLAZES)))], rng)
    banded = rng.random() < 0.4

    def paint(spots: Spots) -> Surface:
        """Paint one glaze, at times with a band of another under the rim."""
        y = spots.unit[1]
        albedo = base * (1.0 + 0.05 * solid(spots.unit, 3.0, 2.0))
        if banded:
            albedo = blend(albedo, band, step(y, -0.32, -0.28) * step(y, -0.12, -0.16))
        return Surface(albedo=albedo, gloss=0.25, tight=30.0)

    return paint


def _timber(rng: Rng) -> Painter:
    base = vary(_TIMBERS[int(rng.integers(len(_TIMBERS)))], rng)
    offset = float(rng.uniform(0.0, 60.0))

    def paint(spots: Spots) -> Surface:
        """Paint a board whose grain runs along x."""
        grain = solid(spots.unit * _FIBRES, 2.0, offset) + solid(spots.unit * _FIBRES, 0.8, offset)
        albedo = base * np.clip(1.0 + 0.14 * grain, 0.3, 1.6)
        return Surface(albedo=albedo, gloss=0.04, tight=10.0)

    return paint


def _board(half: Vector, middle: Vector, paint: Painter) -> Body:
    return Body(shape=Slab(), paint=paint, stretch=half, offset=middle)


def _shell(radius: float, depth: float, rim: float, paint: Painter) -> Body:
    stretch = (radius, depth, radius)
    return Body(shape=Shell(), paint=paint, stretch=stretch, offset=(0.0, rim, 0.0))


def nothing(_diameter: float, _rng: Rng) -> Furniture:
    """Return the furniture of the bare ground."""
    return Furniture(bodies=(), balls=np.zeros((0, 4)))


def bowl(diameter: float, rng: Rng) -> Furniture:
    """Return a deep bowl for a heap of fruit of `diameter`."""
    radius, depth = 1.62 * diameter, float(rng.uniform(0.72, 0.95)) * diameter
    body = _shell(radius, depth, 0.94 * depth, _glaze(rng))
    return Furniture(bodies=(body,), balls=np.array([[0.0, 0.6 * depth, 0.0, 0.8 * radius]]))


def plate(diameter: float, rng: Rng) -> Furniture:
    """Return a shallow dish."""
    radius, depth = 1.75 * diameter, float(rng.uniform(0.12, 0.25)) * diameter
    body = _shell(radius, depth, depth, _glaze(rng))
    return Furniture(bodies=(body,), balls=np.array([[0.0, -0.72 * radius, 0.0, radius]]))


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
    "none": nothing,
    "bowl": bowl,
    "plate": plate,
    "board": board,
    "crate": crate,
}
