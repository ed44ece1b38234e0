"""Which scenes are there: where do the fruit go, and how are they lit and seen?

Places are on the ground, round the hero at the origin: x to the right, z towards the camera, in
shares of the picture's width.
"""

import math
from dataclasses import dataclass

import numpy as np

from cnnbench.fruits.render import Camera
from cnnbench.fruits.render.noise import Rng, Vector
from cnnbench.fruits.scene.surroundings import BACKDROPS, GROUNDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where one fruit goes; lengths in shares of the picture's width."""

    x: float  # to the right, along the ground
    z: float  # towards the camera, along the ground
    layer: float  # height above the ground in diameters
    diameter: float
    intruder: bool = False  # of another class


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A kind of scene: how often it comes, how large its fruit are, what they may lie in."""

    name: str
    share: float
    diameters: tuple[float, float]
    containers: tuple[str, ...]  # equally likely


LAYOUTS: tuple[Layout, ...] = (
    Layout(name="single", share=0.34, diameters=(0.46, 0.80), containers=("none",)),
    Layout(
        name="few",
        share=0.26,
        diameters=(0.34, 0.54),
        containers=("none", "none", "none", "none", "board"),
    ),
    Layout(name="heap", share=0.16, diameters=(0.28, 0.40), containers=("none", "none", "board")),
    Layout(name="dish", share=0.12, diameters=(0.25, 0.31), containers=("bowl", "bowl", "plate")),
    Layout(name="crate", share=0.08, diameters=(0.27, 0.36), containers=("crate",)),
    Layout(name="spread", share=0.04, diameters=(0.30, 0.42), containers=("none",)),
)


def arrange(layout: str, diameter: float, rng: Rng) -> list[Place]:
    """Return the places of the fruit of the hero's class, the hero's first."""
    if layout == "single":
        return [_place(0.0, 0.0, 0.0, diameter)]
    if layout == "few":
        return _scatter(int(rng.integers(1, 5)), diameter, rng)
    if layout in ("crate", "spread"):
        return _rows(1.4 * diameter if layout == "crate" else 0.85, diameter, rng)
    return _heap(diameter, rng)


def _place(x: float, z: float, layer: float, diameter: float) -> Place:
    return Place(x=float(x), z=float(z), layer=float(layer), diameter=float(diameter))


def _sized(diameter: float, rng: Rng) -> float:
    return diameter * float(rng.uniform(0.86, 1.06))


def _scatter(count: int, diameter: float, rng: Rng) -> list[Place]:
    """Return the hero and `count` others, none nearer than most of a diameter to another."""
    places = [_place(0.0, 0.0, 0.0, diameter)]
    for _ in range(count * 12):
        angle, far = rng.uniform(0.0, 2 * math.pi), diameter * rng.uniform(0.85, 1.9)
        x, z = far * math.cos(angle), far * math.sin(angle)
        if all(math.hypot(x - p.x, z - p.z) > 0.85 * diameter for p in places):
            places.append(_place(x, z, 0.0, _sized(diameter, rng)))
        if len(places) > count:
            break
    return places


def _heap(diameter: float, rng: Rng) -> list[Place]:
    """Return the hero and up to two others on a ring of five or six."""
    around, start = int(rng.integers(5, 7)), rng.uniform(0.0, 2 * math.pi)
    places = [_place(0.0, 0.12 * diameter, 0.62, diameter)]
    for k in range(around):
        angle = start + 2 * math.pi * k / around + rng.normal(0.0, 0.1)
        far = diameter * rng.uniform(0.78, 0.95)
        size = _sized(diameter, rng)
        places.append(_place(far * math.cos(angle), far * math.sin(angle), 0.0, size))
    for _ in range(int(rng.integers(0, 3))):
        angle, layer = rng.uniform(0.0, 2 * math.pi), rng.uniform(0.45, 0.6)
        x, z = 0.95 * diameter * math.cos(angle), 0.95 * diameter * math.sin(angle)
        places.append(_place(x, z, layer, _sized(diameter, rng)))
    return places


def _rows(reach: float, diameter: float, rng: Rng) -> list[Place]:
    """Return rows of fruit side by side, as far as `reach` from the hero."""
    places = [_place(0.0, 0.0, 0.12, diameter)]
    for row in range(-3, 4):
        for column in range(-3, 4):
            jitter = rng.normal(0.0, 0.05, 2) * diameter
            layer, size = rng.uniform(0.0, 0.2), _sized(diameter, rng)
            x = (column + 0.5 * (row % 2)) * diameter * 0.95 + jitter[0]
            z = row * diameter * 0.88 + jitter[1]
            if (row or column) and max(abs(x), abs(z)) < reach:
                places.append(_place(x, z, layer, size))
    return places


def intruder(places: list[Place], diameter: float, rng: Rng) -> Place:
    """Return the place of a smaller fruit of another class, beside the others."""
    small = diameter * float(rng.uniform(0.35, 0.55))
    x = z = diameter
    for _ in range(30):
        angle, far = rng.uniform(0.0, 2 * math.pi), diameter * rng.uniform(0.75, 1.6)
        x, z = float(far * math.cos(angle)), float(far * math.sin(angle))
        gap = min(math.hypot(x - p.x, z - p.z) - 0.5 * p.diameter for p in places)
        if gap > 0.4 * small and abs(x) < 0.45:
            break
    return Place(x=x, z=z, layer=0.0, diameter=small, intruder=True)


# -- kinds of scenes ------------------------------------------------------------------------------
# Everything here is drawn from a stream that never hears of the class, so that no nuisance can be
# correlated with it.


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """All that a picture shows but the fruit themselves; angles in radians."""

    layout: str
    container: str  # what the fruit lie in or on, "none" for the bare ground
    places: tuple[Place, ...]  # the hero first
    elevation: float  # of the camera over the ground
    middle: tuple[float, float]  # of the hero in the picture
    ground: str
    backdrop: str  # "none" where the ground fills the picture
    horizon: float  # y in the picture where the ground ends
    light: str
    lamp_azimuth: float
    lamp_elevation: float
    warmth: float
    contrast: float  # lamp against sky
    softness: float
    camera: Camera


_LIGHTS = {  # contrast of lamp and sky, softness of shadows
    "sun": (0.82, 0.06),
    "window": (0.66, 0.35),
    "lamp": (0.74, 0.18),
    "overcast": (0.30, 0.9),
}


def sample(rng: Rng) -> Scene:
    """Draw a scene."""
    layout = LAYOUTS[int(rng.choice(len(LAYOUTS), p=[each.share for each in LAYOUTS]))]
    diameter = float(rng.uniform(*layout.diameters))
    elevation = _elevation(layout.name, rng)
    places = arrange(layout.name, diameter, rng)
    if layout.name in ("single", "few", "heap") and rng.random() < 0.25:
        places.append(intruder(places, diameter, rng))
    light = str(rng.choice(tuple(_LIGHTS)))
    contrast, softness = _LIGHTS[light]
    open_view = elevation < math.radians(46) and rng.random() < 0.7
    reach = max(0.04, 0.46 - 0.42 * diameter) if layout.name == "single" else 0.12
    return Scene(
        layout=layout.name,
        container=str(rng.choice(layout.containers)),
        places=tuple(places),
        elevation=elevation,
        middle=(float(rng.uniform(-reach, reach)), float(rng.uniform(-reach, reach)) * 0.8),
        ground=str(rng.choice(tuple(GROUNDS))),
        backdrop=str(rng.choice(tuple(BACKDROPS))) if open_view else "none",
        horizon=float(rng.uniform(0.05, 0.42)) if open_view else 9.0,
        light=light,
        lamp_azimuth=float(rng.uniform(0.0, 2.0 * math.pi)),
        lamp_elevation=math.radians(float(rng.uniform(25, 75))),
        warmth=float(rng.normal(0.0, 0.10)),
        contrast=contrast * float(rng.uniform(0.85, 1.1)),
        softness=softness * float(rng.uniform(0.7, 1.4)),
        camera=_camera(rng),
    )


def _elevation(layout: str, rng: Rng) -> float:
    """Return how high the camera stands; crates and spreads are looked into from above."""
    if layout == "single" and rng.random() < 0.15:
        return math.radians(85.0)
    low, high = (48.0, 82.0) if layout in ("crate", "spread") else (24.0, 70.0)
    return math.radians(float(rng.uniform(low, high)))


def _camera(rng: Rng) -> Camera:
    shaken = rng.random() < 0.2
    angle, smear = rng.uniform(0.0, math.pi), float(rng.uniform(0.006, 0.02)) * shaken
    warm, tint = rng.normal(0.0, 0.12), rng.normal(0.0, 0.05)
    return Camera(
        exposure=0.20 * float(np.exp(rng.normal(0.0, 0.35))),
        gains=(float(np.exp(warm)), float(np.exp(tint)), float(np.exp(-warm))),
        saturation=float(rng.uniform(0.70, 1.15)),
        blur=(float(rng.uniform(0.35, 0.7)) + float(rng.exponential(0.25))) / 256.0,
        motion=(smear * math.cos(angle), smear * math.sin(angle)),
        noise=float(rng.exponential(3.0)),
        jpeg_quality=int(rng.integers(55, 96)),
    )


def directions(scene: Scene) -> tuple[Vector, Vector, Vector]:
    """Return the world's right, up and towards-the-camera in camera space."""
    s, c = math.sin(scene.elevation), math.cos(scene.elevation)
    return (1.0, 0.0, 0.0), (0.0, c, s), (0.0, -s, c)
