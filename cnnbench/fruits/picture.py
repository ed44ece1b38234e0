"""How does a picture come about, from its label and key to its bytes?"""

import math

import numpy as np
from numpy.typing import NDArray

from cnnbench.fruits.render import Canvas, develop, draw_body, draw_fruit
from cnnbench.fruits.render.light import Light, occlusion
from cnnbench.fruits.render.noise import FloatArray, Rng, enlarge, stream
from cnnbench.fruits.render.solids import moved
from cnnbench.fruits.scene import Key, arrange_scene, origin_of
from cnnbench.fruits.scene.layouts import Scene, directions
from cnnbench.fruits.scene.surroundings import BACKDROPS, GROUNDS


def compose(label: int, key: Key, size: int) -> NDArray[np.uint8]:
    """Draw the picture of `label` whose random streams are named by `key`: (size, size, 3)."""
    arranged = arrange_scene(label, key)
    scene, standing = arranged.scene, arranged.standing
    light = _lamp(scene)
    canvas = Canvas(size)
    everything = np.concatenate([s.balls for s in standing])
    owners = np.concatenate([np.full(len(s.balls), k) for k, s in enumerate(standing)])
    # The nearer first: what they hide need not be traced.
    for k in sorted(range(len(standing)), key=lambda k: -standing[k].placed.centre[2]):
        draw_fruit(canvas, standing[k].fruit, standing[k].placed, everything[owners != k], light)
    for body in arranged.furniture.bodies:
        draw_body(canvas, body, body.placed(arranged.world), everything, light)
    shadows = np.concatenate([everything, moved(arranged.furniture.balls, arranged.world)])
    behind = _behind(scene, size, shadows, light, stream(*key, 4))
    rgb = canvas.rgb + behind.reshape(3, -1) * (1.0 - canvas.alpha)
    return develop(rgb.reshape(3, size, size), scene.camera, stream(*key, 5))


def _lamp(scene: Scene) -> Light:
    """Return the light of a scene in camera space."""
    right, up, near = directions(scene)
    a, e = scene.lamp_azimuth, scene.lamp_elevation
    parts = (math.cos(e) * math.cos(a), math.sin(e), math.cos(e) * math.sin(a))
    x, y, z = (parts[0] * right[k] + parts[1] * up[k] + parts[2] * near[k] for k in range(3))
    warm = math.exp(scene.warmth)
    strong, weak = 1.5 * scene.contrast, 1.15 * (1.0 - scene.contrast) + 0.12
    return Light(
        toward=(x, y, z),
        up=up,
        ground=up[1] * origin_of(scene)[1],
        lamp=(strong * warm, strong, strong / warm),
        sky=(weak / warm, weak, weak * warm),
        bounce=(0.45 * weak, 0.42 * weak, 0.38 * weak),
        softness=scene.softness,
    )


def _behind(scene: Scene, size: int, balls: FloatArray, light: Light, rng: Rng) -> FloatArray:
    """Return the lit ground and backdrop, (3, size, size)."""
    shape = (size, size)
    squash = max(0.3, light.up[2])
    ground = GROUNDS[scene.ground](shape, squash, rng)
    side = 64  # shadows are soft; they are enlarged
    y, x = np.meshgrid(
        (0.5 - (np.arange(side) + 0.5) / side).astype(np.float32),
        ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32),
        indexing="ij",
    )
    z = (light.ground - y * light.up[1]) / light.up[2]
    position = np.stack([x.ravel(), y.ravel(), z.ravel()])
    normal = np.array(light.up, np.float32)[:, None]
    lamp, sky = occlusion(position, normal, balls, light)
    lamp, sky = (enlarge(part.reshape(side, side), shape) for part in (lamp, sky))
    facing = sum(a * b for a, b in zip(light.toward, light.up, strict=True))
    lit = np.stack(
        [ground[k] * (light.lamp[k] * facing * lamp + light.sky[k] * sky) for k in range(3)]
    )
    if scene.backdrop == "none":
        return lit
    far = BACKDROPS[scene.backdrop](shape, rng) * np.array(light.sky, np.float32)[:, None, None]
    rows = (0.5 - (np.arange(size) + 0.5) / size).astype(np.float32)
    share = np.clip((rows - scene.horizon) / 0.02 + 0.5, 0.0, 1.0)[:, None]
    mixed: FloatArray = lit + (far * 1.6 - lit) * share
    return mixed
