"""How do lit surfaces come together into one picture, the nearer before the farther?"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from cnnbench.fruits.render.light import Light, Surface, bump, nearest, shade
from cnnbench.fruits.render.noise import FloatArray, IntArray
from cnnbench.fruits.render.parts import Sheet, splat
from cnnbench.fruits.render.shapes import Balls
from cnnbench.fruits.render.solids import Body, Fruit, Spots
from cnnbench.fruits.render.trace import Hits, Placed, meet, meet_balls

_FAR = -9.0  # a depth behind everything


class Canvas:
    """A picture under way: colour times cover, cover and depth of every pixel (flat)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rgb = np.zeros((3, size * size), np.float32)
        self.alpha = np.zeros(size * size, np.float32)
        self.z = np.full(size * size, _FAR, np.float32)
        # The depth behind which nothing can be seen any more.
        self.hidden = np.full(size * size, _FAR, np.float32)

    def add(self, index: IntArray, rgb: FloatArray, alpha: FloatArray, z: FloatArray) -> None:
        """Blend N pixels into the picture, in front of or behind what each already holds."""
        old_alpha, old_z = self.alpha[index], self.z[index]
        front = z > old_z
        # Sums with masks: numpy's own choices by mask cost ten times as much.
        mine = alpha * (1.0 - old_alpha * ~front)
        theirs = 1.0 - alpha * front
        for k in range(3):
            plane = self.rgb[k]
            plane[index] = rgb[k] * mine + plane[index] * theirs
        total = mine + old_alpha * theirs
        self.alpha[index] = total
        taken = front & (alpha > 0.5)
        new_z = old_z + (z - old_z) * (taken | (old_alpha < 0.02))
        self.z[index] = new_z
        self.hidden[index] = _FAR + (new_z - _FAR) * (total > 0.99)


def draw_fruit(
    canvas: Canvas, fruit: Fruit, placed: Placed, balls: FloatArray, light: Light
) -> None:
    """Draw one fruit.

    Args:
        canvas: the picture.
        fruit: what is drawn.
        placed: where it stands.
        balls: (K, 4) what may shade it, in camera space.
        light: the light of the scene.
    """
    for sheet in fruit.sheets:
        draw_sheet(canvas, sheet, placed, balls, light)
    for body in fruit.bodies:
        draw_body(canvas, body, body.placed(placed), balls, light)


def see(body: Body, placed: Placed, size: int, hidden: FloatArray | None) -> Hits | None:
    """Return what the rays meet of `body`; arguments as in `meet`."""
    if isinstance(body.shape, Balls):
        return meet_balls(body.shape, placed, size, hidden)
    return meet(body.shape, placed, size, hidden)


def draw_body(
    canvas: Canvas,
    body: Body,
    placed: Placed,
    balls: FloatArray,
    light: Light,
) -> None:
    """Draw one solid that stands at `placed`; other arguments as in `draw_fruit`."""
    hits = see(body, placed, canvas.size, canvas.hidden)
    if hits is None:
        return
    scale = max(placed.reach(1.0))
    pixel = 1.0 / (scale * canvas.size)
    surface = body.paint(Spots(unit=hits.unit, which=hits.which, pixel=pixel))
    normal = hits.normal
    if surface.height is not None:
        normal = bump(normal, surface.height, hits.index, hits.window, canvas.size, scale)
    around = nearest(balls, placed.centre, scale)
    rgb = shade(hits.position, normal, surface, around, light, scale)
    canvas.add(hits.index, rgb, hits.alpha, hits.position[2])


def draw_sheet(
    canvas: Canvas, sheet: Sheet, placed: Placed, balls: FloatArray, light: Light
) -> None:
    """Draw stems or leaves; arguments as in `draw_fruit`."""
    seen = splat(sheet, placed, canvas.size)
    if seen is None:
        return
    scale = max(placed.reach(1.0))
    surface = Surface(albedo=seen.albedo, gloss=sheet.gloss, tight=sheet.tight, glow=sheet.glow)
    around = nearest(balls, placed.centre, scale)
    rgb = shade(seen.position, seen.normal, surface, around, light, scale)
    canvas.add(seen.index, rgb, seen.alpha, seen.position[2])


# -- colours --------------------------------------------------------------------------------------
# Colours are written as 8-bit sRGB and worked with in linear light, with a gamma of two.

Colour: TypeAlias = tuple[float, float, float]


def linear(colour: Colour) -> FloatArray:
    """Return an 8-bit sRGB colour in linear light, (3, 1)."""
    return np.array([[(v / 255.0) ** 2] for v in colour], np.float32)


def vary(colour: Colour, rng: np.random.Generator, amount: float = 0.08) -> FloatArray:
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
