"""How sure can one be of a training that was repeated with several seeds on the same test images?

Every seed is tested on the same images, so the answers are crossed: an image that is hard for one
seed is hard for the next, and a seed that went well does well on every image. Counting all answers
as independent would make an interval too narrow. Three questions have three answers here:

- another seed, on these images: the spread of the seeds' scores (Student's t);
- these trained networks, on other images: the spread of the images' shares (Wilson's interval with
  an effective number of images);
- another seed, on other images, which is what "this network is better" means: both together, as in
  studies where several readers judge the same cases (Gallas, Pennello and Myers 2007, "Multireader
  multicase variance analysis for binary data"). This one decides.

Everywhere `right` is `(S, N)`: which of N images each of S seeds got right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnbench.report.stats.intervals import score_interval
from cnnbench.report.stats.tests import mcnemar


def gap_interval(test: Difference, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a difference, over the seeds too where there are several.

    One image on which the two differ is added, half to each side, so that networks that never
    differed are not taken for surely equal (Agresti and Min 2005).
    """
    from scipy.special import ndtri, stdtrit

    level, df = (1 + confidence) / 2, test.spread.df
    quantile = float(ndtri(level) if math.isinf(df) else stdtrit(df, level))
    half = quantile * math.sqrt(test.spread.total + 1 / test.images**2)
    return max(-1.0, test.difference - half), min(1.0, test.difference + half)


Right = npt.NDArray[np.bool_]
_EXACT_UP_TO = 2000  # discordant images; beyond that the normal distribution is as good
_RESAMPLES = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The variance of a mean over seeds and images, by where it comes from.

    `images` and `seeds` each hold the `residual` too: luck that is neither the image's nor the
    seed's. `images_df` and `seeds_df` say how well each is known.
    """

    images: float
    images_df: float
    seeds: float
    seeds_df: float
    residual: float

    @property
    def beyond_images(self) -> float:
        """The part that more test images would not make smaller."""
        return max(0.0, self.seeds - self.residual)

    @property
    def total(self) -> float:
        """The variance over new seeds and new images."""
        return self.images + self.beyond_images

    @property
    def df(self) -> float:
        """Degrees of freedom of `total` (Satterthwaite 1946)."""
        known = self.images**2 / self.images_df
        known += self.seeds**2 / self.seeds_df if self.seeds_df else 0.0
        return self.total**2 / known if known else self.images_df


def spread_of(right: Right) -> Spread:
    """Split the variance of the mean share of right answers; needs two images or more."""
    seeds, images = right.shape
    share = right.astype(np.float64)
    of_image, of_seed, mean = share.mean(axis=0), share.mean(axis=1), share.mean()
    if seeds == 1:
        # Divided by N and not N - 1, so that one seed has exactly Wilson's interval.
        alone = float(of_image.var() / images)
        return Spread(images=alone, images_df=math.inf, seeds=0.0, seeds_df=0.0, residual=0.0)
    left = share - of_image - of_seed[:, None] + mean
    freedom = (seeds - 1) * (images - 1)
    return Spread(
        images=float(of_image.var(ddof=1) / images),
        images_df=images - 1,
        seeds=float(of_seed.var(ddof=1) / seeds),
        seeds_df=seeds - 1,
        residual=float(np.sum(left**2)) / freedom / (seeds * images),
    )


# -- intervals ------------------------------------------------------------------------------------


def over_seeds(right: Right, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Return Student's interval for the mean of another seed on these images; None for one seed.

    >>> low, high = over_seeds(np.arange(30).reshape(1, 30) < np.array([[20], [22], [24]]))
    >>> f"{low:.3f} {high:.3f}"
    '0.568 0.899'
    """
    scores = right.mean(axis=1)
    if len(scores) < 2:
        return None
    half = _t_quantile(confidence, len(scores) - 1) * math.sqrt(scores.var(ddof=1) / len(scores))
    mean = float(scores.mean())
    return max(0.0, mean - half), min(1.0, mean + half)


def over_images(right: Right, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for these networks on other images.

    The number of images that counts lies between N, where the seeds agree on every image, and
    S * N, where they have nothing in common.
    """
    spread = spread_of(right)
    return _score(right, spread.images, math.inf, confidence)


def over_both(right: Right, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval for another seed on other images.

    It is Wilson's with an effective number of images and Student's t; for one seed it is Wilson's,
    because one seed says nothing of others.
    """
    spread = spread_of(right)
    return _score(right, spread.total, spread.df, confidence)


def _score(right: Right, variance: float, df: float, confidence: float) -> tuple[float, float]:
    seeds, images = right.shape
    share = float(right.mean())
    counted = share * (1 - share) / variance if variance > 0 else float(images)
    return score_interval(share, min(counted, seeds * images), _t_quantile(confidence, df))


def bootstrap_both(right: Right, *, seed: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval over resampled seeds and resampled images.

    Both are drawn anew with replacement (Owen 2007, "The pigeonhole bootstrap"). Images with the
    same answers are alike, so their numbers are drawn instead of the images.
    """
    rng = np.random.default_rng(seed)
    seeds, images = right.shape
    patterns, counts = np.unique(right, axis=1, return_counts=True)
    drawn = rng.multinomial(images, counts / images, _RESAMPLES) / images
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), _RESAMPLES) / seeds
    means = np.sum((weights @ patterns) * drawn, axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _t_quantile(confidence: float, df: float) -> float:
    from scipy.special import ndtri, stdtrit

    level = (1 + confidence) / 2
    return float(ndtri(level) if math.isinf(df) else stdtrit(df, level))


# -- two networks ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What is known of the difference of two mean accuracies on the same images.

    `p_networks` asks whether these trained networks differ on images like these; `p` whether the
    two trainings do, whatever the seed. `discordant` is the mean share of images on which exactly
    one of two networks is right; `images` is N.
    """

    images: int
    difference: float
    discordant: float
    spread: Spread
    p_networks: float
    p: float


def difference_of(a: Right, b: Right) -> Difference:
    """Test two trainings on the same N images, with S_a and S_b seeds.

    With one seed each this is McNemar's exact test. With several, both of two tests must find the
    difference: the exact one that turns whole images round (`sign_flip`), and Student's t with the
    variance over seeds and images. A network with one seed borrows the other's spread over seeds.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{a.shape[1]} and {b.shape[1]} answers: not the same images")
    gap = float(a.mean() - b.mean())
    apart = a.mean(axis=0) * (1 - b.mean(axis=0)) + b.mean(axis=0) * (1 - a.mean(axis=0))
    discordant, spread = float(apart.mean()), _spread_of_difference(a, b)
    if len(a) == len(b) == 1:
        p = mcnemar(a[0], b[0])
        return Difference(
            images=a.shape[1],
            difference=gap,
            discordant=discordant,
            spread=spread,
            p_networks=p,
            p=p,
        )
    turns = a.sum(axis=0) * len(b) - b.sum(axis=0) * len(a)
    networks = sign_flip(turns)
    return Difference(
        images=a.shape[1],
        difference=gap,
        discordant=discordant,
        spread=spread,
        p_networks=networks,
        p=max(networks, t_test(gap, spread)),
    )


def _spread_of_difference(a: Right, b: Right) -> Spread:
    images = a.shape[1]
    gaps = a.mean(axis=0) - b.mean(axis=0)
    parts = [part for part in (spread_of(a), spread_of(b)) if part.seeds_df]
    if not parts:
        alone = float(np.sum(gaps**2)) / images**2
        return Spread(images=alone, images_df=math.inf, seeds=0.0, seeds_df=0.0, residual=0.0)
    counts = (len(a), len(b))
    if len(parts) == 1:  # the one seed borrows the variance of the other network's seeds
        scale = 1 + max(counts)
        seeds, residual, df = parts[0].seeds * scale, parts[0].residual * scale, parts[0].seeds_df
    else:
        seeds, residual = (sum(getattr(p, key) for p in parts) for key in ("seeds", "residual"))
        known = sum(part.seeds**2 / part.seeds_df for part in parts)
        df = seeds**2 / known if known else sum(part.seeds_df for part in parts)
    # Under the null the mean of the gaps is zero, as in McNemar's own variance.
    return Spread(
        images=float(np.sum(gaps**2)) / images**2,
        images_df=images - 1,
        seeds=seeds,
        seeds_df=df,
        residual=residual,
    )


def t_test(difference: float, spread: Spread) -> float:
    """Return Student's two-sided p-value of a difference with this variance."""
    from scipy.special import ndtr, stdtr

    if difference == 0 or spread.total == 0:
        return 1.0
    t = -abs(difference) / math.sqrt(spread.total)
    return min(1.0, 2.0 * float(ndtr(t) if math.isinf(spread.df) else stdtr(spread.df, t)))


def sign_flip(turns: npt.NDArray[np.int64]) -> float:
    """Return the exact two-sided p-value that images lead as often one way as the other.

    `turns` is `(N,)`: for every image by how many answers one network leads. If the networks are
    equal, each image could as well lead the other way; all seeds of an image turn together. With
    one seed it is McNemar's exact test. Past two thousand images with a lead, the normal
    distribution stands for the exact one.

    >>> round(sign_flip(np.array([1] * 8 + [-1] * 1)), 6)
    0.039062
    """
    sizes = np.abs(turns[turns != 0])
    total = abs(int(turns.sum()))
    if total == 0:
        return 1.0
    sizes //= np.gcd.reduce(sizes)
    total = abs(int(np.sum(np.sign(turns[turns != 0]) * sizes)))
    if len(sizes) > _EXACT_UP_TO:
        from scipy.special import ndtr

        return min(1.0, 2.0 * float(ndtr(-total / math.sqrt(float(np.sum(sizes**2))))))
    chances = np.ones(1)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        chances = np.convolve(chances, _turned(int(size), int(count)))
    # Index k of `chances` is a lead of 2 k - sum(sizes).
    tail = (int(sizes.sum()) - total) // 2
    return min(1.0, 2.0 * float(chances[: tail + 1].sum()))


def _turned(size: int, count: int) -> npt.NDArray[np.float64]:
    """Return the chances that 0, 1, ... of `count` images of one size lead one way."""
    from scipy.special import gammaln

    k = np.arange(count + 1)
    logs = gammaln(count + 1) - gammaln(k + 1) - gammaln(count - k + 1) - count * math.log(2)
    chances = np.zeros(size * count + 1)
    chances[::size] = np.exp(logs)
    return chances
