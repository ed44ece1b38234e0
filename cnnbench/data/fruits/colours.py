"""How are colours written, varied and mixed?

Colours are written as 8-bit sRGB and worked with in linear light, with a gamma of two.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from cnnbench.data.fruits.noise import FloatArray

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
