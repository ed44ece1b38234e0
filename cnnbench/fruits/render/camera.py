"""What does the camera make of the light that reaches it?"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnnbench.fruits.render.noise import FloatArray, grain


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


def develop(light: FloatArray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
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
