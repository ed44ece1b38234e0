"""Is one training better than another, by how much, and how many test images would show it?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnnbench.report.stats.intervals import CorrectMask, Spread, images_only, quantile, spread_of
from cnnbench.report.stats.significance import ALPHA, fisher, mcnemar, sign_flip, t_test

__all__ = ["POWER", "Difference", "difference_of", "difference_of_counts", "images_needed"]
__all__ += ["images_needed_with_seeds", "mean_share"]

POWER = 0.8
_MOST_IMAGES = 10**9


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What is known of the difference of two mean accuracies.

    `p_networks` asks whether these trained networks differ on images like these; `p` whether the
    two trainings do, whatever the seed. `discordant` is the mean share of images on which exactly
    one of two networks is right. `paired` is False where only counts were compared.
    """

    n_images: int
    difference: float
    discordant: float
    spread: Spread
    p_networks: float
    p: float
    paired: bool

    @property
    def several_seeds(self) -> bool:
        """Whether a network was trained more than once."""
        return self.spread.seed_df > 0

    def interval(self, *, confidence: float = 0.95) -> tuple[float, float]:
        """Return the interval of the difference, over the seeds too where there are several.

        One image on which the two differ is added, half to each side, so that networks that never
        differed are not taken for surely equal (Agresti and Min 2005).
        """
        t = quantile((1 + confidence) / 2, self.spread.df)
        half = t * math.sqrt(self.spread.total + 1 / self.n_images**2)
        return max(-1.0, self.difference - half), min(1.0, self.difference + half)


# -- on the same images ----------------------------------------------------------------------------


def difference_of(a: CorrectMask, b: CorrectMask) -> Difference:
    """Test two trainings on the same N images, with S_a and S_b seeds.

    With one seed each this is McNemar's exact test. With several, both of two tests must find the
    difference: the exact one that turns whole images round (`sign_flip`), and Student's t with the
    variance over seeds and images. A network with one seed borrows the other's spread over seeds.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{a.shape[1]} and {b.shape[1]} answers: not the same images")
    difference, spread = float(a.mean() - b.mean()), _paired_spread(a, b)
    if len(a) == len(b) == 1:
        p = p_networks = mcnemar(a[0], b[0])
    else:
        p_networks = sign_flip(a.sum(axis=0) * len(b) - b.sum(axis=0) * len(a))
        p = max(p_networks, t_test(difference, spread))
    a_share, b_share = a.mean(axis=0), b.mean(axis=0)
    return Difference(
        n_images=a.shape[1],
        difference=difference,
        discordant=float((a_share * (1 - b_share) + b_share * (1 - a_share)).mean()),
        spread=spread,
        p_networks=p_networks,
        p=p,
        paired=True,
    )


def _paired_spread(a: CorrectMask, b: CorrectMask) -> Spread:
    n_images = a.shape[1]
    # Under the null the mean of the differences is zero, as in McNemar's own variance.
    image_variance = float(np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)) / n_images**2
    repeated = [spread for spread in (spread_of(a), spread_of(b)) if spread.seed_df]
    if not repeated:
        return images_only(image_variance)
    if len(repeated) == 1:  # the one seed borrows the variance of the other network's seeds
        scale = 1 + max(len(a), len(b))
        seed_variance, seed_df = repeated[0].seed_variance * scale, repeated[0].seed_df
        residual_variance = repeated[0].residual_variance * scale
    else:
        seed_variance, seed_df = _summed_seeds(repeated)
        residual_variance = sum(spread.residual_variance for spread in repeated)
    return Spread(
        image_variance=image_variance,
        image_df=n_images - 1,
        seed_variance=seed_variance,
        seed_df=seed_df,
        residual_variance=residual_variance,
    )


def _summed_seeds(spreads: Sequence[Spread]) -> tuple[float, float]:
    """Return the seeds' variance of a difference and its degrees of freedom (Welch 1947)."""
    variance = sum(spread.seed_variance for spread in spreads)
    weight = sum(spread.seed_variance**2 / spread.seed_df for spread in spreads if spread.seed_df)
    return variance, variance**2 / weight if weight else sum(spread.seed_df for spread in spreads)


# -- from counts -----------------------------------------------------------------------------------

Counts = Sequence[tuple[int, int]]


def difference_of_counts(a: Counts, b: Counts) -> Difference:
    """Test two trainings of which only each seed's (correct, total) is known, or other images.

    With one seed each by Fisher's test. With several, each network's images count once, as if all
    its seeds agreed on them, which finds rather less than there is.
    """
    a_top1, b_top1 = mean_share(a), mean_share(b)
    spreads = [_spread_of_counts(counts) for counts in (a, b)]
    seed_variance, seed_df = _summed_seeds(spreads)
    spread = replace(
        images_only(sum(spread.image_variance for spread in spreads)),
        seed_variance=seed_variance,
        seed_df=seed_df,
    )
    p = fisher(*a[0], *b[0]) if len(a) == len(b) == 1 else t_test(a_top1 - b_top1, spread)
    return Difference(
        n_images=min(total for _, total in (*a, *b)),
        difference=a_top1 - b_top1,
        discordant=discordant_if_independent(a_top1, b_top1),
        spread=spread,
        p_networks=p,
        p=p,
        paired=False,
    )


def mean_share(counts: Counts) -> float:
    """Return the mean over the seeds of the share of test images that were right."""
    return float(np.mean([correct / total for correct, total in counts]))


def _spread_of_counts(counts: Counts) -> Spread:
    shares = np.array([correct / total for correct, total in counts])
    mean = float(shares.mean())
    alone = images_only(mean * (1 - mean) / min(total for _, total in counts))
    if len(shares) == 1:
        return alone
    seed_variance = float(shares.var(ddof=1) / len(shares))
    return replace(alone, seed_variance=seed_variance, seed_df=len(shares) - 1)


def discordant_if_independent(a_top1: float, b_top1: float) -> float:
    """Return the share of images on which one of two is right, if their mistakes are unrelated.

    Networks trained on the same images err together, so the real share is usually smaller.

    >>> round(discordant_if_independent(0.9, 0.8), 2)
    0.26
    """
    return a_top1 * (1 - b_top1) + b_top1 * (1 - a_top1)


# -- how many images would tell --------------------------------------------------------------------


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
    d = abs(difference)
    if d == 0:
        return None
    s = max(discordant, d)
    z_alpha, z_power = quantile(1 - alpha / (2 * comparisons)), quantile(power)
    root = z_alpha * math.sqrt(s) + z_power * math.sqrt(s - d * d)
    return math.ceil((root / d) ** 2 + 1 / d)


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
