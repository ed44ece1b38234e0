"""How is a scene chosen?

Everything here is drawn from a stream that never hears of the class, so that no nuisance can be
correlated with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cnnbench.data.fruits.camera import Camera
from cnnbench.data.fruits.grounds import BACKDROPS, GROUNDS
from cnnbench.data.fruits.layouts import LAYOUTS, Place, arrange, intruder
from cnnbench.data.fruits.parts import Vector

Rng = np.random.Generator


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
