"""How many test images would separate two networks?"""

from __future__ import annotations

import math
from statistics import NormalDist

from cnnbench.report.stats.seeds import Difference, Spread
from cnnbench.report.stats.tests import ALPHA

_MOST_IMAGES = 10**9


def images_needed_with_seeds(
    test: Difference, *, comparisons: int = 1, alpha: float = ALPHA
) -> int | None:
    """Return how many images would separate trainings with these seeds, or None where none would.

    More images make only their own part of the variance smaller; the spread over the seeds stays,
    and so do its few degrees of freedom. The level is divided by `comparisons`.
    """

    def found_with(images: int) -> bool:
        return abs(test.difference) >= _finds(test, images, alpha / comparisons)

    if not found_with(_MOST_IMAGES):
        return None
    low, high = 0, 2
    while not found_with(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found_with(middle) else (middle, high)
    return high


def _finds(test: Difference, images: int, alpha: float) -> float:
    """Return the true difference that so many images find with the usual power."""
    from scipy.special import stdtrit

    share = test.images / images
    spread = Spread(
        images=test.spread.images * share,
        images_df=images,
        seeds=test.spread.beyond_images + test.spread.residual * share,
        seeds_df=test.spread.seeds_df,
        residual=test.spread.residual * share,
    )
    quantiles = stdtrit(spread.df, 1 - alpha / 2) + stdtrit(spread.df, POWER)
    return float(quantiles) * math.sqrt(spread.total)


POWER = 0.8


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
    and Paik 2003). The level is divided by `comparisons`, Holm's strictest step, so the number is
    rather too large than too small.

    >>> images_needed(0.05, 0.15)
    489
    """
    gap = abs(difference)
    if gap == 0:
        return None
    share = max(discordant, gap)
    z_alpha = NormalDist().inv_cdf(1 - alpha / (2 * comparisons))
    z_power = NormalDist().inv_cdf(power)
    root = z_alpha * math.sqrt(share) + z_power * math.sqrt(share - gap * gap)
    return math.ceil((root / gap) ** 2 + 1 / gap)


def discordant_if_independent(a_top1: float, b_top1: float) -> float:
    """Return the share of images on which one of two is right, if their mistakes are unrelated.

    Networks trained on the same images err together, so the real share is usually smaller.

    >>> round(discordant_if_independent(0.9, 0.8), 2)
    0.26
    """
    return a_top1 * (1 - b_top1) + b_top1 * (1 - a_top1)
