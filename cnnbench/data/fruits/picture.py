"""How does one picture come about, from its label and key to its bytes?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnbench.data.fruits.camera import develop
from cnnbench.data.fruits.canvas import FURNITURE_OWNER, Canvas, draw_body, draw_fruit, outline
from cnnbench.data.fruits.furniture import FURNITURE, Furniture
from cnnbench.data.fruits.grounds import BACKDROPS, GROUNDS
from cnnbench.data.fruits.kinds import CLASSES, make
from cnnbench.data.fruits.layouts import Place
from cnnbench.data.fruits.light import Light, occlusion
from cnnbench.data.fruits.noise import FloatArray, enlarge, stream
from cnnbench.data.fruits.scenes import Scene, directions, sample
from cnnbench.data.fruits.shapes import aligned, rotation
from cnnbench.data.fruits.solids import Fruit, balls_of, moved
from cnnbench.data.fruits.trace import Placed

# What makes the outline of each class, in the order of CLASSES, as large as a disc of diameter two:
# the geometric mean over 60 poses, so that size in the picture says nothing of the class.
_SCALES = (1.052, 1.43, 1.201, 1.121, 1.124, 1.099, 1.056, 1.041, 1.135, 1.114, 1.095, 1.112)


@dataclass(frozen=True, kw_only=True, slots=True)
class Nuisances:
    """What varies in a picture besides the class; lengths in pixels, shares in [0, 1].

    `occluded` is the share of the hero's outline that other things or the picture's edge hide.
    """

    label: int
    variety: str
    fruits: int
    intruder: int  # label of the smaller fruit of another class, -1 for none
    hero_pixels: float
    occluded: float
    scene: str
    container: str
    ground: str
    backdrop: str
    light: str
    lamp_elevation_degrees: float
    camera_elevation_degrees: float
    warmth: float
    exposure: float
    brightness: float  # mean of the finished picture
    blur_pixels: float
    motion_pixels: float
    noise: float
    jpeg_quality: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Standing:
    """A fruit and where it stands."""

    fruit: Fruit
    label: int
    placed: Placed
    balls: FloatArray


def compose(
    label: int, key: tuple[int, int, int], size: int
) -> tuple[NDArray[np.uint8], Nuisances]:
    """Draw the picture of `label` whose random streams are named by `key`."""
    scene = sample(stream(*key, 1))
    standing = _stand(scene, label, stream(*key, 2), stream(*key, 3))
    light = _lamp(scene)
    canvas = Canvas(size)
    world = _world(scene)
    furniture = _furnish(scene, stream(*key, 6))
    everything = np.concatenate([s.balls for s in standing])
    owners = np.concatenate([np.full(len(s.balls), k) for k, s in enumerate(standing)])
    order = sorted(range(len(standing)), key=lambda k: -standing[k].placed.centre[2])
    for k in order:
        one = standing[k]
        draw_fruit(canvas, one.fruit, one.placed, everything[owners != k], light, k)
    for body in furniture.bodies:
        draw_body(canvas, body, body.placed(world), everything, light, FURNITURE_OWNER)
    shadows = np.concatenate([everything, moved(furniture.balls, world)])
    behind = _behind(scene, size, shadows, light, stream(*key, 4))
    rgb = canvas.rgb + behind.reshape(3, -1) * (1.0 - canvas.alpha)
    picture = develop(rgb.reshape(3, size, size), scene.camera, stream(*key, 5))
    visibility = _visibility(canvas, standing[0])
    return picture, _record(label, scene, standing, visibility, picture)


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
        ground=up[1] * _origin(scene)[1],
        lamp=(strong * warm, strong, strong / warm),
        sky=(weak / warm, weak, weak * warm),
        bounce=(0.45 * weak, 0.42 * weak, 0.38 * weak),
        softness=scene.softness,
    )


def _stand(
    scene: Scene, label: int, rng: np.random.Generator, other: np.random.Generator
) -> list[_Standing]:
    """Make the fruit of a scene and put each in its place."""
    standing: list[_Standing] = []
    usual = float(rng.random())
    alike = rng.random() < 0.65
    for place in scene.places:
        source = other if place.intruder else rng
        kind, choice = label, usual if alike else float(source.random())
        if place.intruder:
            kind = (label + 1 + int(other.integers(len(CLASSES) - 1))) % len(CLASSES)
        fruit = make(kind, choice, source)
        standing.append(_put(fruit, kind, _pose(fruit, scene, source), place, scene))
    return standing


def _pose(fruit: Fruit, scene: Scene, rng: np.random.Generator) -> FloatArray:
    """Return a rotation (3, 3) from the fruit to the camera.

    A whole fruit stands, leans or lies; a piece rests on one of its sides and is turned until its
    cut face is seen.
    """
    to_camera = rotation((1.0, 0.0, 0.0), scene.elevation)
    best, best_facing = to_camera, -2.0
    for _ in range(12):
        spin, azimuth = (float(v) for v in rng.uniform(0.0, 2 * math.pi, 2))
        axis = (math.cos(azimuth), 0.0, math.sin(azimuth))
        if fruit.downs:
            down = fruit.downs[int(rng.integers(len(fruit.downs)))]
            rest = aligned(down, (0.0, -1.0, 0.0))
            rest = rotation((0.0, 1.0, 0.0), spin) @ rest
            turn = to_camera @ rotation(axis, float(rng.normal(0.0, 0.1))) @ rest
        else:
            lean = abs(float(rng.normal(0.0, fruit.tilt * 0.6)))
            if rng.random() < fruit.lies:
                lean = float(rng.uniform(1.1, 1.75))
            turn = to_camera @ rotation(axis, lean) @ rotation((0.0, 1.0, 0.0), spin)
        if fruit.face is None:
            return turn
        facing = float((turn[2] * np.asarray(fruit.face)).sum())
        if facing > best_facing:
            best, best_facing = turn, facing
        if facing > 0.4:
            break
    return best


def _world(scene: Scene) -> Placed:
    """Return the map from the world, its origin on the ground under the hero, to the camera."""
    return Placed(centre=_origin(scene), linear=np.array(directions(scene)).T)


def _furnish(scene: Scene, rng: np.random.Generator) -> Furniture:
    """Return what the fruit of a scene lie in or on."""
    if scene.container == "none":
        return Furniture(bodies=(), balls=np.zeros((0, 4)))
    return FURNITURE[scene.container](scene.places[0].diameter, rng)


def _origin(scene: Scene) -> tuple[float, float, float]:
    """Return the point of the ground under the hero, in camera space.

    The hero's middle, half a diameter above its foot, is what stands at the place chosen for it.
    """
    _, up, _ = directions(scene)
    hero = scene.places[0]
    return scene.middle[0], scene.middle[1] - (0.5 + hero.layer) * hero.diameter * up[1], 0.0


def _put(fruit: Fruit, label: int, turn: FloatArray, place: Place, scene: Scene) -> _Standing:
    """Let `fruit`, turned, rest on the ground or its layer at `place`."""
    right, up, near = directions(scene)
    scale = 0.5 * place.diameter * _SCALES[label]
    at_origin = Placed(centre=(0.0, 0.0, 0.0), linear=turn * scale)
    balls = balls_of(fruit, at_origin)
    if fruit.support is None:
        below = float((balls[:, 3] - (balls[:, :3] * np.asarray(up)).sum(axis=1)).max())
    else:
        # How far each point lies under the middle: its offset against the way up, in fruit space.
        way = (np.asarray(up)[:, None] * turn).sum(axis=0)
        below = -scale * float((fruit.support * way).sum(axis=1).min())
    rise = below + place.layer * place.diameter
    foot = _origin(scene)
    x, y, z = (foot[k] + place.x * right[k] + place.z * near[k] + rise * up[k] for k in range(3))
    placed = Placed(centre=(x, y, z), linear=turn * scale)
    return _Standing(fruit=fruit, label=label, placed=placed, balls=balls_of(fruit, placed))


def _behind(
    scene: Scene, size: int, balls: FloatArray, light: Light, rng: np.random.Generator
) -> FloatArray:
    """Return the lit ground and backdrop, (3, size, size)."""
    shape = (size, size)
    squash = max(0.3, light.up[2])
    ground = GROUNDS[scene.ground](shape, squash, rng)
    side = 96 if len(balls) < 14 else 64
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
    far = BACKDROPS[scene.backdrop](shape, rng) * np.asarray(light.sky)[:, None, None]
    rows = 0.5 - (np.arange(size) + 0.5) / size
    share = np.clip((rows - scene.horizon) / 0.02 + 0.5, 0.0, 1.0)[:, None]
    mixed: FloatArray = lit + (far * 1.6 - lit) * share
    return mixed


def _visibility(canvas: Canvas, hero: _Standing) -> tuple[float, float]:
    """Return the hero's equal-area diameter in pixels, unhidden, and the share that is hidden."""
    side = 96
    whole = Canvas(side)
    reach = 2.2 * math.sqrt(float((hero.placed.linear[:, 0] ** 2).sum()))
    zoom = 0.5 / reach
    middle = Placed(centre=(0.0, 0.0, 0.0), linear=hero.placed.linear * zoom)
    outline(whole, hero.fruit, middle)
    area = float(whole.alpha.sum()) / side**2 / zoom**2 * canvas.size**2
    seen = float(canvas.alpha[canvas.owner == 0].sum())
    return 2.0 * math.sqrt(area / math.pi), min(1.0, max(0.0, 1.0 - seen / max(area, 1.0)))


def _record(
    label: int,
    scene: Scene,
    standing: list[_Standing],
    visibility: tuple[float, float],
    picture: NDArray[np.uint8],
) -> Nuisances:
    size = picture.shape[0]
    others = [s.label for s in standing if s.label != label]
    return Nuisances(
        label=label,
        variety=standing[0].fruit.variety,
        fruits=len(standing) - len(others),
        intruder=others[0] if others else -1,
        hero_pixels=round(visibility[0], 1),
        occluded=round(visibility[1], 3),
        scene=scene.layout,
        container=scene.container,
        ground=scene.ground,
        backdrop=scene.backdrop,
        light=scene.light,
        lamp_elevation_degrees=round(math.degrees(scene.lamp_elevation), 1),
        camera_elevation_degrees=round(math.degrees(scene.elevation), 1),
        warmth=round(scene.warmth, 3),
        exposure=round(scene.camera.exposure, 3),
        brightness=round(float(picture.mean()) / 255.0, 3),
        blur_pixels=round(scene.camera.blur * size, 2),
        motion_pixels=round(math.hypot(*scene.camera.motion) * size, 2),
        noise=round(scene.camera.noise, 2),
        jpeg_quality=scene.camera.jpeg_quality,
    )
