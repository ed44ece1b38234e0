"""How sure is the accuracy of one network, over other test images and over other seeds?

Every seed is tested on the same images, so the answers are crossed: an image that is hard for one
seed is hard for the next, and a seed that went well does well on every image. Counting all answers
as independent would make an interval too narrow. Three questions have three answers here:

- another seed, on these images: the spread of the seeds' scores (Student's t);
- these trained networks, on other images: the spread of the images' shares (Wilson's interval with
  an effective number of images);
- another seed, on other images, which is what "this network is better" means: both together, as in
  studies where several readers judge the same cases (Gallas, Pennello and Myers 2007, "Multireader
  multicase variance analysis for binary data"). This one decides.

Everywhere `is_correct` is `(S, N)`: which of N images each of S seeds got right.

The closed forms in this room are written out because importing statsmodels or scipy.stats takes
seconds and a report is drawn after every run; the tests hold each against scipy or its definition.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cnnbench.base.wilson import Interval, score_interval, wilson

__all__ = ["CorrectMask", "Counts", "Interval", "Spread", "bootstrap_both", "images_only"]
__all__ += ["mean_share", "over_both", "over_images", "over_seeds", "quantile", "score_interval"]
__all__ += ["spread_of", "spread_of_counts", "wilson"]

CorrectMask = npt.NDArray[np.bool_]
Counts = Sequence[tuple[int, int]]  # (correct, total) of each seed
_RESAMPLES = 4000


def quantile(level: float, df: float = math.inf) -> float:
    """Return a quantile of Student's t, or of the normal distribution for infinite `df`.

    >>> f"{quantile(0.975):.3f} {quantile(0.975, 2):.3f}"
    '1.960 4.303'
    """
    from scipy.special import ndtri, stdtrit

    return float(ndtri(level) if math.isinf(df) else stdtrit(df, level))


# -- where the variance comes from -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The variance of a mean over seeds and images, by where it comes from.

    `image_variance` and `seed_variance` each hold the `residual_variance` too: luck that is neither
    the image's nor the seed's. `image_df` and `seed_df` say how well each is known; `seed_df` is 0
    where there is one seed.
    """

    image_variance: float
    image_df: float
    seed_variance: float
    seed_df: float
    residual_variance: float

    @property
    def beyond_images(self) -> float:
        """The part that more test images would not make smaller."""
        return max(0.0, self.seed_variance - self.residual_variance)

    @property
    def total(self) -> float:
        """The variance over new seeds and new images."""
        return self.image_variance + self.beyond_images

    @property
    def df(self) -> float:
        """Degrees of freedom of `total` (Satterthwaite 1946), or the fewest that a part has.

        `total` can be smaller than `seed_variance`, from which the residual was taken away, and the
        formula alone would then fall to zero; Hillis (2007) has the same bound.
        """
        weight = self.image_variance**2 / self.image_df
        weight += self.seed_variance**2 / self.seed_df if self.seed_df else 0.0
        fewest = min(self.image_df, self.seed_df or math.inf)
        return max(self.total**2 / weight, fewest) if weight else self.image_df


def images_only(image_variance: float) -> Spread:
    """Return the spread of a single seed, which says nothing about other seeds."""
    return Spread(
        image_variance=image_variance,
        image_df=math.inf,
        seed_variance=0.0,
        seed_df=0.0,
        residual_variance=0.0,
    )


def mean_share(counts: Counts) -> float:
    """Return the mean over the seeds of the share of test images that were right."""
    return float(np.mean([correct / total for correct, total in counts]))


def spread_of_counts(counts: Counts) -> Spread:
    """Return the spread where it is not known which images each seed got right.

    The images count once, as if all seeds agreed on them: it is rather too large than too small.
    """
    shares = np.array([correct / total for correct, total in counts])
    mean = float(shares.mean())
    alone = images_only(mean * (1 - mean) / min(total for _, total in counts))
    if len(shares) == 1:
        return alone
    seed_variance = float(shares.var(ddof=1) / len(shares))
    return replace(alone, seed_variance=seed_variance, seed_df=len(shares) - 1)


def spread_of(is_correct: CorrectMask) -> Spread:
    """Split the variance of the mean share of right answers.

    One seed, or several on a single image, show no more than their counts do.
    """
    n_seeds, n_images = is_correct.shape
    if n_seeds == 1 or n_images == 1:
        return spread_of_counts([(int(of_seed.sum()), n_images) for of_seed in is_correct])
    share = is_correct.astype(np.float64)
    of_image, of_seed, mean = share.mean(axis=0), share.mean(axis=1), share.mean()
    residuals = share - of_image - of_seed[:, None] + mean
    df = (n_seeds - 1) * (n_images - 1)
    return Spread(
        image_variance=float(of_image.var(ddof=1) / n_images),
        image_df=n_images - 1,
        seed_variance=float(of_seed.var(ddof=1) / n_seeds),
        seed_df=n_seeds - 1,
        residual_variance=float(np.sum(residuals**2)) / df / (n_seeds * n_images),
    )


# -- the mean over several seeds -------------------------------------------------------------------


def over_seeds(is_correct: CorrectMask, *, confidence: float = 0.95) -> Interval | None:
    """Return Student's interval for the mean of another seed on these images; None for one seed.

    >>> low, high = over_seeds(np.arange(30).reshape(1, 30) < np.array([[20], [22], [24]]))
    >>> f"{low:.3f} {high:.3f}"
    '0.568 0.899'
    """
    scores = is_correct.mean(axis=1)
    if len(scores) < 2:
        return None
    t = quantile((1 + confidence) / 2, len(scores) - 1)
    half = t * math.sqrt(scores.var(ddof=1) / len(scores))
    mean = float(scores.mean())
    return max(0.0, mean - half), min(1.0, mean + half)


def over_images(is_correct: CorrectMask, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's interval for these networks on other images.

    The number of images that counts lies between N, where the seeds agree on every image, and
    S * N, where they have nothing in common.
    """
    z = quantile((1 + confidence) / 2)
    return _effective_wilson(is_correct, spread_of(is_correct).image_variance, z)


def over_both(is_correct: CorrectMask, *, confidence: float = 0.95) -> Interval:
    """Return the interval for another seed on other images.

    It is Wilson's with an effective number of images and Student's t; for one seed it is Wilson's,
    because one seed says nothing about others.
    """
    spread = spread_of(is_correct)
    t = quantile((1 + confidence) / 2, spread.df)
    return _effective_wilson(is_correct, spread.total, t)


def _effective_wilson(is_correct: CorrectMask, variance: float, z: float) -> Interval:
    """Return Wilson's interval on as many independent images as would have this variance."""
    n_seeds, n_images = is_correct.shape
    share = float(is_correct.mean())
    effective = share * (1 - share) / variance if variance > 0 else float(n_images)
    return score_interval(share, min(effective, n_seeds * n_images), z)


def bootstrap_both(is_correct: CorrectMask, *, seed: int, confidence: float = 0.95) -> Interval:
    """Return the percentile interval over resampled seeds and resampled images.

    Both are drawn anew with replacement (Owen 2007, "The pigeonhole bootstrap"). Images with the
    same answers are alike, so their numbers are drawn instead of the images.
    """
    rng = np.random.default_rng(seed)
    n_seeds, n_images = is_correct.shape
    patterns, counts = np.unique(is_correct, axis=1, return_counts=True)
    images = rng.multinomial(n_images, counts / n_images, _RESAMPLES)
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), _RESAMPLES)
    # Whole numbers until the division, so that seeds that are always right have a share of 1.
    means = np.sum((seeds @ patterns) * images, axis=1) / (n_seeds * n_images)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
