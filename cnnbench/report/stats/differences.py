"""Is one training better than another, by how much, and which of many differences are established?

Each difference is decided once, in `decide`, and its interval follows the decision: it leaves out
zero exactly where the difference is established. Nothing else compares a p-value with a level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnbench.report.stats.intervals import (
    CorrectMask,
    Counts,
    Interval,
    Spread,
    images_only,
    mean_share,
    quantile,
    spread_of,
    spread_of_counts,
)
from cnnbench.report.stats.significance import ALPHA, fisher, holm, mcnemar, sign_flip, t_test

__all__ = ["Decision", "Difference", "decide", "difference_of", "difference_of_counts"]

_BEYOND_ZERO = 1e-9  # less than any difference of two counts


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

    def interval(self, *, confidence: float = 0.95) -> Interval:
        """Return the interval of this difference alone, over the seeds too where there are several.

        It leaves out zero exactly where `p` is below `1 - confidence`.
        """
        return _interval(self, self.p, alpha=round(1 - confidence, 12))


# -- many differences, one decision each -----------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What is decided of one difference among all that are tested together.

    `p_holm` is its p after Holm's correction over all of them, `p_networks_holm` the same of
    `p_networks`. The 95 % `interval` is of this difference, and leaves out zero exactly where it is
    established among all.
    """

    test: Difference
    p_holm: float
    p_networks_holm: float
    interval: Interval

    @property
    def separated(self) -> bool:
        """Whether the difference is established at the 5 % level; its interval then says so too."""
        return self.p_holm < ALPHA

    @property
    def networks_differ(self) -> bool:
        """Whether the trained networks are established to differ, whatever another seed gives."""
        return self.p_networks_holm < ALPHA


def decide(tests: Sequence[Difference]) -> list[Decision]:
    """Decide all differences that stand on one page together, with one correction for all."""
    corrected = holm([test.p for test in tests])
    of_networks = holm([test.p_networks for test in tests])
    return [
        Decision(
            test=test,
            p_holm=p_holm,
            p_networks_holm=p_networks_holm,
            interval=_interval(test, p_holm, alpha=ALPHA),
        )
        for test, p_holm, p_networks_holm in zip(tests, corrected, of_networks, strict=True)
    ]


def _interval(test: Difference, p: float, *, alpha: float) -> Interval:
    """Return Student's interval, which leaves out zero exactly where `p` is below `alpha`.

    The test may know more or less of zero than the variance does, because it is exact, or two tests
    at once, or corrected for many pairs. Then the end beside zero moves to zero or just beyond it.
    """
    size, sign = abs(test.difference), math.copysign(1.0, test.difference)
    half = quantile(1 - alpha / 2, test.spread.df) * math.sqrt(test.spread.total)
    near, far = size - half, size + half
    near = max(near, min(_BEYOND_ZERO, size)) if p < alpha else min(near, 0.0)
    low, high = sorted((sign * near, sign * far))
    return max(-1.0, low), min(1.0, high)


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
    """Return the spread of the difference of two trainings on the same images.

    Under the null the mean of the differences is zero, as in McNemar's own variance, and no degree
    of freedom is spent on it. One image on which the two differ is added, half to each side, so
    that networks that never differed are not taken for surely equal (Agresti and Min 2005).
    """
    n_images = a.shape[1]
    leads = a.mean(axis=0) - b.mean(axis=0)
    image_variance = (float(np.sum(leads**2)) + 1) / n_images**2
    return _with_seeds(image_variance, n_images, spread_of(a), spread_of(b), max(len(a), len(b)))


def _with_seeds(
    image_variance: float, image_df: float, a: Spread, b: Spread, most_seeds: int
) -> Spread:
    """Return the spread of a difference: to that over the images come those over the seeds.

    A network with one seed borrows the variance of the other one's seeds.
    """
    repeated = [spread for spread in (a, b) if spread.seed_df]
    if not repeated:
        return images_only(image_variance)
    scale = 1 if len(repeated) == 2 else 1 + most_seeds
    weight = sum(spread.seed_variance**2 / spread.seed_df for spread in repeated)
    variance = sum(spread.seed_variance for spread in repeated)
    df = sum(spread.seed_df for spread in repeated)
    return Spread(
        image_variance=image_variance,
        image_df=image_df,
        seed_variance=variance * scale,
        seed_df=variance**2 / weight if weight else df,  # Welch 1947
        residual_variance=sum(spread.residual_variance for spread in repeated) * scale,
    )


# -- from counts -----------------------------------------------------------------------------------


def difference_of_counts(a: Counts, b: Counts) -> Difference:
    """Test two trainings of which only each seed's (correct, total) is known, or other images.

    With one seed each by Fisher's test. With several, Fisher's and Student's t must both find the
    difference, and each network's images count once, as if all its seeds agreed on them, which
    finds rather less than there is.
    """
    a_top1, b_top1 = mean_share(a), mean_share(b)
    spread = _spread_apart(a, b)
    p = p_networks = fisher(*_counted_once(a), *_counted_once(b))
    if spread.seed_df:
        p = max(p_networks, t_test(a_top1 - b_top1, spread))
    return Difference(
        n_images=min(total for _, total in (*a, *b)),
        difference=a_top1 - b_top1,
        discordant=discordant_if_independent(a_top1, b_top1),
        spread=spread,
        p_networks=p_networks,
        p=p,
        paired=False,
    )


def _counted_once(counts: Counts) -> tuple[int, int]:
    """Return (correct, total) of the mean over the seeds, on the images of one seed."""
    total = min(total for _, total in counts)
    return round(mean_share(counts) * total), total


def _spread_apart(a: Counts, b: Counts) -> Spread:
    """Return the spread of the difference of two trainings that are not compared image by image.

    One right and one wrong answer are added to each, so that shares of 0 and 1 are not taken for
    sure (Agresti and Caffo 2000). The variance is the larger one of that of the two shares and
    that of one common share, which the test of their equality supposes.
    """
    totals = np.array([_counted_once(counts)[1] for counts in (a, b)])
    correct = np.array([mean_share(counts) for counts in (a, b)]) * totals
    shares = (correct + 1) / (totals + 2)
    common = (correct + 1).sum() / (totals + 2).sum()
    image_variance = max(
        float(np.sum(share * (1 - share) / totals)) for share in (shares, np.full(2, common))
    )
    spreads = spread_of_counts(a), spread_of_counts(b)
    return _with_seeds(image_variance, math.inf, *spreads, max(len(a), len(b)))


def discordant_if_independent(a_top1: float, b_top1: float) -> float:
    """Return the share of images on which one of two is right, if their mistakes are unrelated.

    Networks trained on the same images err together, so the real share is usually smaller.

    >>> round(discordant_if_independent(0.9, 0.8), 2)
    0.26
    """
    return a_top1 * (1 - b_top1) + b_top1 * (1 - a_top1)
