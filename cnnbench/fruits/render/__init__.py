"""How does a scene become pixels: what a canvas holds, and what a camera makes of it?"""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnnbench.fruits.render.light import Light, Surface, bump, nearest, shade
from cnnbench.fruits.render.noise import FloatArray, IntArray, Rng, grain
from cnnbench.fruits.render.parts import Sheet, splat
from cnnbench.fruits.render.shapes import Balls
from cnnbench.fruits.render.solids import Body, Fruit, Spots
from cnnbench.fruits.render.trace import Hits, Placed, meet, meet_balls

__all__ = ["Camera", "Canvas", "develop", "draw_body", "draw_fruit", "trace_body"]

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
    """Draw a fruit that stands at `placed`; `balls` (K, 4), in camera space, may shade it."""
    for sheet in fruit.sheets:
        draw_sheet(canvas, sheet, placed, balls, light)
    for body in fruit.bodies:
        draw_body(canvas, body, body.placed(placed), balls, light)


def trace_body(body: Body, placed: Placed, size: int, hidden: FloatArray | None) -> Hits | None:
    """Return what the rays meet of `body`; arguments as in `meet`."""
    if isinstance(body.shape, Balls):
        return meet_balls(body.shape, placed, size, hidden)
    return meet(body.shape, placed, size, hidden)


def draw_body(canvas: Canvas, body: Body, placed: Placed, balls: FloatArray, light: Light) -> None:
    """Draw a solid that stands at `placed`; `balls` as in `draw_fruit`."""
    hits = trace_body(body, placed, canvas.size, canvas.hidden)
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
    """Draw stems or leaves; `balls` as in `draw_fruit`."""
    seen = splat(sheet, placed, canvas.size)
    if seen is None:
        return
    scale = max(placed.reach(1.0))
    surface = Surface(albedo=seen.albedo, gloss=sheet.gloss, tight=sheet.tight, glow=sheet.glow)
    around = nearest(balls, placed.centre, scale)
    rgb = shade(seen.position, seen.normal, surface, around, light, scale)
    canvas.add(seen.index, rgb, seen.alpha, seen.position[2])


# -- camera ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """The settings of one picture; lengths in shares of the picture's width."""

    exposure: float  # brightness aimed at: the mean of the picture in linear light
    gains: tuple[float, float, float]  # white balance
    saturation: float
    blur: float  # deviation of the focus blur
    motion: tuple[float, float]  # smear in x and y
    noise: float  # deviation in 8-bit steps at mid grey
    jpeg_quality: int


def develop(light: FloatArray, camera: Camera, rng: Rng) -> np.ndarray:
    """Turn linear light (3, H, W) into an 8-bit picture (H, W, 3)."""
    size = light.shape[-1]
    luma = 0.25 * light[0] + 0.6 * light[1] + 0.15 * light[2]
    # Most of the way to the brightness aimed at, so that dark scenes stay a little dark.
    gain = (camera.exposure / max(float(luma.mean()), 1e-4)) ** 0.8
    planes = []
    for k in range(3):
        plane = luma + camera.saturation * (light[k] - luma)
        plane = _blur(np.clip(plane * (gain * camera.gains[k]), 0.0, 1.0), camera.blur * size)
        plane = _smear(np.sqrt(plane) * 255.0, camera.motion)
        if camera.noise > 0.3:
            plane += grain((size, size), rng) * camera.noise
        planes.append(Image.fromarray(np.clip(plane + 0.5, 0.0, 255.0).astype(np.uint8)))
    packed = io.BytesIO()
    Image.merge("RGB", planes).save(packed, "JPEG", quality=camera.jpeg_quality, subsampling=0)
    return np.asarray(Image.open(packed).convert("RGB"))


def _blur(plane: FloatArray, deviation: float) -> FloatArray:
    """Blur a plane (H, W) with a Gaussian of `deviation` pixels, its border repeated."""
    reach = max(1, math.ceil(2.0 * deviation))
    weights = [math.exp(-0.5 * (k / deviation) ** 2) for k in range(reach + 1)]
    total = weights[0] + 2.0 * sum(weights[1:])
    for _ in range(2):
        wide = np.pad(plane, ((reach, reach), (0, 0)), mode="edge")
        rows = plane.shape[0]
        blurred = plane * (weights[0] / total)
        for k in range(1, reach + 1):
            both = wide[reach - k : reach - k + rows] + wide[reach + k : reach + k + rows]
            blurred += both * (weights[k] / total)
        plane = np.ascontiguousarray(blurred.T)
    return plane


def _smear(plane: FloatArray, motion: tuple[float, float]) -> FloatArray:
    """Average copies of a plane (H, W) along the line of motion."""
    height, width = plane.shape
    dx, dy = motion[0] * width, motion[1] * width
    steps = round(max(abs(dx), abs(dy)))
    if steps < 1:
        return plane
    pad = max(abs(round(dx)), abs(round(dy)))
    wide = np.pad(plane, pad, mode="edge")
    total = np.zeros_like(plane)
    for k in range(steps + 1):
        x, y = pad + round(dx * k / steps), pad + round(dy * k / steps)
        total += wide[y : y + height, x : x + width]
    total *= 1.0 / (steps + 1)
    return total
