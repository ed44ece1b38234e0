"""What is drawn at random for each place of the training stream: a function of (seed, place) alone.

No generator has a state that could be lost, and no change of a library's generator can move what
was drawn.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["AREA", "ASPECT", "CURVE", "FLIP", "JITTER", "LEFT", "ORDER", "SAMPLE", "TOP"]
__all__ += ["below", "boxes", "hashed", "normal"]

# Each kind of draw has numbers of its own.
ORDER, TOP, LEFT, FLIP, AREA, ASPECT, JITTER, SAMPLE, CURVE = range(9)
_TRIES = 10

Ints = npt.NDArray[np.int64]


def hashed(seed: int, draw: int, positions: Ints) -> npt.NDArray[np.uint64]:
    """Return 64 random bits a position, a function of (seed, draw, position) alone.

    Counter-based: SplitMix64's finalizer (Steele, Lea, Flood, OOPSLA 2014) over a counter.
    """
    key = _mixed(np.array([seed % 2**64], dtype=np.uint64))
    key = _mixed(key + np.uint64(draw + 1))
    return _mixed(key + positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def below(limit: int, bits: npt.NDArray[np.uint64]) -> Ints:
    """Map random bits to 0 .. limit - 1, evenly to within 2^-32."""
    return ((bits >> np.uint64(32)) * np.uint64(limit) >> np.uint64(32)).astype(np.int64)


def uniform(seed: int, draw: int, positions: Ints) -> npt.NDArray[np.float64]:
    """Return numbers in [0, 1) a position."""
    bits = hashed(seed, draw, positions) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def normal(seed: int, draw: int, positions: Ints) -> npt.NDArray[np.float64]:
    """Return numbers of the normal distribution a position (Box and Muller, 1958)."""
    radius = np.sqrt(-2 * np.log1p(-uniform(seed, draw, 2 * positions)))
    numbers: npt.NDArray[np.float64] = radius * np.cos(
        2 * np.pi * uniform(seed, draw, 2 * positions + 1)
    )
    return numbers


def boxes(
    seed: int, positions: Ints, side: int, *, least_area: float | npt.NDArray[np.float64]
) -> Ints:
    """Return top, left, height, width a position, `(N, 4)`, in a square of `side` pixels.

    The area is `least_area`, one for all or `(N,)`, to all of the square's, the aspect 3/4 to 4/3.
    The first of ten draws that fits inside counts; if none does, the whole square.
    """
    least_area = np.reshape(least_area, (-1, 1))
    draws = positions[:, None] * _TRIES + np.arange(_TRIES)
    area = (least_area + (1 - least_area) * uniform(seed, AREA, draws)) * side**2
    aspect = np.exp((2 * uniform(seed, ASPECT, draws) - 1) * np.log(4 / 3))
    heights = np.rint(np.sqrt(area / aspect)).astype(np.int64)
    widths = np.rint(np.sqrt(area * aspect)).astype(np.int64)
    fits = (heights <= side) & (widths <= side)
    first = fits.argmax(axis=1)
    rows = np.arange(len(positions))
    any_fits = fits.any(axis=1)
    height = np.where(any_fits, heights[rows, first], side)
    width = np.where(any_fits, widths[rows, first], side)
    top = np.floor(uniform(seed, TOP, positions) * (side - height + 1)).astype(np.int64)
    left = np.floor(uniform(seed, LEFT, positions) * (side - width + 1)).astype(np.int64)
    return np.stack([top, left, height, width], axis=1)
