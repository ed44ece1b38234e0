"""What is a fruit made of, and how does an individual differ from the next?

A fruit has bodies, stems and leaves, and balls that stand for its shadow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cnnbench.fruits.render.light import Colour, Surface
from cnnbench.fruits.render.noise import FloatArray, IntArray, Rng, Vector
from cnnbench.fruits.render.parts import Sheet
from cnnbench.fruits.render.shapes import Balls, Lump, Shape, inside
from cnnbench.fruits.render.trace import Placed


@dataclass(frozen=True, kw_only=True, slots=True)
class Spots:
    """Points of a surface that want a colour."""

    unit: FloatArray  # (3, N) in the unit space of the shape
    which: IntArray | None  # (N,) member of a cluster
    pixel: float  # width of a pixel in unit space


Painter = Callable[[Spots], Surface]


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A shape, stretched, turned and moved into the space of its fruit, and its paint."""

    shape: Shape | Balls
    paint: Painter
    stretch: Vector = (1.0, 1.0, 1.0)
    offset: Vector = (0.0, 0.0, 0.0)
    turn: FloatArray = field(default_factory=lambda: np.eye(3))

    def placed(self, fruit: Placed) -> Placed:
        """Return where the body stands, given where its fruit stands."""
        centre = np.asarray(fruit.centre) + (fruit.linear * np.asarray(self.offset)).sum(axis=1)
        turned = (fruit.linear[:, :, None] * self.turn[None]).sum(axis=1)
        x, y, z = (float(v) for v in centre)
        return Placed(centre=(x, y, z), linear=turned * np.asarray(self.stretch))


@dataclass(frozen=True, kw_only=True, slots=True)
class Fruit:
    """A fruit, or what is counted as such: a bunch of grapes, a hand of bananas.

    Everything is in the space of the fruit: y is up along the stem, and the whole is about two
    units wide, so that one scale suits every class.
    """

    variety: str
    bodies: tuple[Body, ...]
    balls: FloatArray  # (K, 4) centre and radius
    sheets: tuple[Sheet, ...] = ()
    lies: float = 0.5  # chance that it lies on its side, in no matter which direction
    tilt: float = 0.6  # radians; how far it leans otherwise
    face: Vector | None = None  # the cut side, which has to be seen
    end_on: float = 1.0  # largest cosine of its axis with the view: a pear seen along it is a ball
    downs: tuple[Vector, ...] = ()  # sides on which it can come to rest, instead of `lies`
    support: FloatArray | None = None  # (M, 3) points that may touch the ground, else the balls


def carved(body: Body) -> tuple[FloatArray, FloatArray]:
    """Return shadow balls (K, 4) and support points (M, 3) for a body that was cut."""
    assert not isinstance(body.shape, Balls)
    stretch, offset = np.asarray(body.stretch), np.asarray(body.offset)
    middles, depth = inside(body.shape, 0.4)
    size = np.clip(depth * 1.1, 0.12, 0.6)[:, None]
    balls = np.concatenate([middles * stretch + offset, size * float(stretch.mean())], axis=1)
    points, _ = inside(body.shape, 0.12)
    return balls[depth > 0.04], points * stretch + offset


def moved(balls: FloatArray, placed: Placed) -> FloatArray:
    """Return `balls` (K, 4) in camera space, given where their space stands."""
    centres = (placed.linear[:, None, :] * balls[None, :, :3]).sum(axis=2)
    scale = float(np.sqrt((placed.linear[:, 0] ** 2).sum()))
    out = np.empty_like(balls)
    out[:, :3] = centres.T + np.asarray(placed.centre)
    out[:, 3] = balls[:, 3] * scale
    return out


# -- individuals ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Variety:
    """A kind within a class: its colours, how often it comes, and a number of its own."""

    name: str
    colours: tuple[Colour, ...]
    share: float
    amount: float = 0.0


def pick(varieties: tuple[Variety, ...], choice: float) -> Variety:
    """Return the variety on which `choice` in [0, 1) falls; the shares sum to 1."""
    for variety in varieties:
        choice -= variety.share
        if choice < 0:
            return variety
    return varieties[-1]


def lump(depth: float, rng: Rng) -> Lump:
    """Return a slight irregularity of a shape."""
    x, y, z = (float(v) for v in rng.uniform(1.5, 3.2, 3))
    return depth, x, y, z, float(rng.uniform(0.0, 6.28))


def ball(radius: float) -> FloatArray:
    """Return the shadow ball of a round fruit, (1, 4)."""
    return np.array([[0.0, 0.0, 0.0, radius]])
