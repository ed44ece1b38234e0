"""How many test images would show a difference of the size that was seen?"""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from cnnbench.report.stats.differences import Difference
from cnnbench.report.stats.intervals import quantile
from cnnbench.report.stats.significance import ALPHA

__all__ = ["POWER", "images_needed", "images_needed_with_seeds"]

POWER = 0.8
_MOST_IMAGES = 10**9
_EXACT_UP_TO = 200  # images; beyond that the formula is as good


def images_needed(
    difference: float,
    discordant: float,
    *,
    comparisons: int = 1,
    alpha: float = ALPHA,
    power: float = POWER,
) -> int | None:
    """Return how many test images would separate two networks, or None where no number would.

    `difference` is the true difference of the two accuracies and `discordant` the share of images
    on which exactly one of the two is right. Miettinen (1968) for McNemar's test:
    `n = (z_alpha * sqrt(s) + z_power * sqrt(s - d * d))**2 / (d * d)` with `s = discordant`,
    `d = difference`, and `1 / d` more because the exact test asks for whole images (Fleiss, Levin
    and Paik 2003). A small number is raised until the exact test has the power. The level is
    divided by `comparisons`, Holm's strictest step, so the number is rather too large than too
    small.

    >>> images_needed(0.05, 0.15)
    489
    """
    d = abs(difference)
    if d == 0:
        return None
    s = max(discordant, d)
    level = alpha / comparisons
    root = quantile(1 - level / 2) * math.sqrt(s) + quantile(power) * math.sqrt(s - d * d)
    needed = math.ceil((root / d) ** 2 + 1 / d)
    while needed <= _EXACT_UP_TO and _exact_power(needed, d, s, level) < power:
        needed += 1
    return needed


def _exact_power(n_images: int, difference: float, discordant: float, level: float) -> float:
    """Return how often McNemar's exact test finds a true difference on so many images."""
    from scipy.special import bdtr

    apart = np.arange(n_images + 1)  # how many images may turn out discordant
    chances = np.diff(bdtr(apart, n_images, discordant), prepend=0.0)
    most_lost = _most_lost(level)[apart]
    lead = min(1.0, (discordant + difference) / (2 * discordant))
    found = sum(np.where(most_lost < 0, 0.0, bdtr(most_lost, apart, p)) for p in (1 - lead, lead))
    return float(np.sum(chances * found))


@cache
def _most_lost(level: float) -> npt.NDArray[np.int64]:
    """Return for 0, 1, ... discordant images how many a network may lose and be better; else -1."""
    from scipy.special import bdtr

    lost, apart = np.ogrid[: _EXACT_UP_TO // 2, : _EXACT_UP_TO + 1]
    is_found = (2 * lost < apart) & (2 * bdtr(np.minimum(lost, apart), apart, 0.5) < level)
    most: npt.NDArray[np.int64] = np.count_nonzero(is_found, axis=0) - 1
    return most


def images_needed_with_seeds(
    test: Difference, *, comparisons: int = 1, alpha: float = ALPHA
) -> int | None:
    """Return how many images would separate trainings with these seeds, or None where none would.

    More images make only their own part of the variance smaller; the spread over the seeds stays,
    and so do its few degrees of freedom. The level is divided by `comparisons`.
    """

    def suffice(n_images: int) -> bool:
        return abs(test.difference) >= _detectable(test, n_images, alpha / comparisons)

    if not suffice(_MOST_IMAGES):
        return None
    low, high = 0, 2
    while not suffice(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffice(middle) else (middle, high)
    return high


def _detectable(test: Difference, n_images: int, alpha: float) -> float:
    """Return the true difference that so many images find with the usual power."""
    scale = test.n_images / n_images
    spread = replace(
        test.spread,
        image_variance=test.spread.image_variance * scale,
        image_df=n_images,
        seed_variance=test.spread.beyond_images + test.spread.residual_variance * scale,
        residual_variance=test.spread.residual_variance * scale,
    )
    quantiles = quantile(1 - alpha / 2, spread.df) + quantile(POWER, spread.df)
    return quantiles * math.sqrt(spread.total)
