"""What stands where in a scene, before anything is lit or drawn?

`layouts` chooses the places, `surroundings` has what is under, behind and around the fruit.
"""

import math
from dataclasses import dataclass

import numpy as np

from cnnbench.fruits.render.noise import FloatArray, Rng, Vector, stream
from cnnbench.fruits.render.shapes import aligned, rotation
from cnnbench.fruits.render.solids import Fruit, moved
from cnnbench.fruits.render.trace import Placed
from cnnbench.fruits.scene.layouts import Place, Scene, directions, sample
from cnnbench.fruits.scene.surroundings import FURNITURE, Furniture
from cnnbench.fruits.species import CLASSES, make

__all__ = ["Arrangement", "Key", "Standing", "arrange_scene", "origin_of", "pose"]

Key = tuple[int, int, int]  # seed, split and index: they name the random streams of a picture

# What makes the outline of each class, in the order of CLASSES, as large as a disc of diameter two:
# by benchmarks/fruits_scales.py, so that size in the picture says nothing of the class.
_SCALES = (1.062, 1.523, 1.207, 1.109, 1.124, 1.079, 1.042, 1.042, 1.091, 1.086, 1.081, 1.123)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A fruit and where it stands."""

    fruit: Fruit
    label: int
    placed: Placed
    balls: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrangement:
    """A scene with its fruit, the hero first, and what they lie in or on."""

    scene: Scene
    standing: tuple[Standing, ...]
    furniture: Furniture
    world: Placed  # from the world, its origin on the ground under the hero, to the camera


def arrange_scene(label: int, key: Key) -> Arrangement:
    """Return the scene that `key` names, its hero of class `label`."""
    scene = sample(stream(*key, 1))
    return Arrangement(
        scene=scene,
        standing=tuple(_stand(scene, label, stream(*key, 2), stream(*key, 3))),
        furniture=FURNITURE[scene.container](scene.places[0].diameter, stream(*key, 6)),
        world=Placed(centre=origin_of(scene), linear=np.array(directions(scene)).T),
    )


def _stand(scene: Scene, label: int, rng: Rng, other: Rng) -> list[Standing]:
    """Make the fruit of a scene and put each in its place."""
    standing: list[Standing] = []
    usual = float(rng.random())
    alike = rng.random() < 0.65
    for place in scene.places:
        source = other if place.intruder else rng
        kind, choice = label, usual if alike else float(source.random())
        if place.intruder:
            kind = (label + 1 + int(other.integers(len(CLASSES) - 1))) % len(CLASSES)
        fruit = make(kind, choice, source)
        standing.append(_put(fruit, kind, pose(fruit, scene, source), place, scene))
    return standing


def pose(fruit: Fruit, scene: Scene, rng: Rng) -> FloatArray:
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
            if abs(float(turn[2, 1])) <= fruit.end_on:
                return turn
            best = turn
            continue
        facing = float((turn[2] * np.asarray(fruit.face)).sum())
        if facing > best_facing:
            best, best_facing = turn, facing
        if facing > 0.4:
            break
    return best


def origin_of(scene: Scene) -> Vector:
    """Return the point of the ground under the hero, in camera space.

    The hero's middle, half a diameter above its foot, is what stands at the place chosen for it.
    """
    _, up, _ = directions(scene)
    hero = scene.places[0]
    return scene.middle[0], scene.middle[1] - (0.5 + hero.layer) * hero.diameter * up[1], 0.0


def _put(fruit: Fruit, label: int, turn: FloatArray, place: Place, scene: Scene) -> Standing:
    """Let `fruit`, turned, rest on the ground or its layer at `place`."""
    right, up, near = directions(scene)
    scale = 0.5 * place.diameter * _SCALES[label]
    at_origin = Placed(centre=(0.0, 0.0, 0.0), linear=turn * scale)
    balls = moved(fruit.balls, at_origin)
    if fruit.support is None:
        below = float((balls[:, 3] - (balls[:, :3] * np.asarray(up)).sum(axis=1)).max())
    else:
        # How far each point lies under the middle: its offset against the way up, in fruit space.
        way = (np.asarray(up)[:, None] * turn).sum(axis=0)
        below = -scale * float((fruit.support * way).sum(axis=1).min())
    rise = below + place.layer * place.diameter
    foot = origin_of(scene)
    x, y, z = (foot[k] + place.x * right[k] + place.z * near[k] + rise * up[k] for k in range(3))
    placed = Placed(centre=(x, y, z), linear=turn * scale)
    return Standing(fruit=fruit, label=label, placed=placed, balls=moved(fruit.balls, placed))
