"""How sure is a share of right answers, seen on so many images?"""

import math
from statistics import NormalDist

__all__ = ["Interval", "score_interval", "wilson"]

Interval = tuple[float, float]


def wilson(correct: int, total: int, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval for a share, both ends in [0, 1].

    Wilson (1927), "Probable inference, the law of succession, and statistical inference".

    Raises:
        ValueError: `total` is not positive or `correct` is outside [0, total].

    >>> low, high = wilson(113, 128)
    >>> f"{low:.4f} {high:.4f}"
    '0.8156 0.9277'
    """
    if total <= 0 or not 0 <= correct <= total:
        raise ValueError(
            f"{correct} of {total} is not a share; need 0 <= correct <= total, total > 0"
        )
    # Differs from scipy's quantile in the last digit, which published intervals keep.
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return score_interval(correct / total, total, z)


def score_interval(share: float, n_images: float, z: float) -> Interval:
    """Return Wilson's interval for a share seen on an effective number of images.

    `n_images` need not be whole: where answers are correlated, it is the number of independent
    images that would be as informative. `z` is the quantile of the wanted confidence.
    """
    centre = share + z * z / (2 * n_images)
    half = z * math.sqrt(share * (1 - share) / n_images + z * z / (4 * n_images * n_images))
    scale = 1 + z * z / n_images
    low = 0.0 if share == 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if share == 1 else min(1.0, (centre + half) / scale)
    return low, high
