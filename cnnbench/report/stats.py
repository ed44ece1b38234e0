"""How sure can one be of an accuracy, and which of two networks is really better?

The closed forms are written out here because importing statsmodels takes seconds and a report is
drawn after every run; the tests hold each of them against scipy or its definition.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

ALPHA = 0.05
POWER = 0.8
_FAR = 40.0  # standard deviations


def wilson(correct: int, total: int, *, confidence: float = 0.95) -> tuple[float, float]:
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
    return score_interval(correct / total, total, NormalDist().inv_cdf((1 + confidence) / 2))


def score_interval(share: float, images: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's interval for a share seen on an effective number of images.

    `images` need not be whole: where answers are correlated, it is the number of independent ones
    that would be as informative.
    """
    z = quantile
    centre = share + z * z / (2 * images)
    half = z * math.sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 1 + z * z / images
    low = 0.0 if share == 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if share == 1 else min(1.0, (centre + half) / scale)
    return low, high


def mcnemar(a_right: npt.NDArray[np.bool_], b_right: npt.NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value that two networks are equally often right.

    Both arrays `(N,)` say for the same images in the same order which network was right. Only the
    images on which they differ count: under equality each is a fair coin (McNemar 1947).

    >>> a = np.array([True] * 9 + [False] * 1)
    >>> b = np.array([False] * 8 + [True] * 2)
    >>> mcnemar(a, b)
    0.0390625
    """
    if a_right.shape != b_right.shape:
        raise ValueError(f"{a_right.shape} and {b_right.shape}: not the same images")
    from scipy.special import bdtr

    only_a = int(np.count_nonzero(a_right & ~b_right))
    only_b = int(np.count_nonzero(b_right & ~a_right))
    if only_a == only_b:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def fisher(a_correct: int, a_total: int, b_correct: int, b_total: int) -> float:
    """Return Fisher's exact two-sided p-value for two shares known only as counts.

    It takes the two as independent samples, so on the same images it is weaker than `mcnemar`.

    >>> f"{fisher(113, 128, 111, 128):.2f}"
    '0.85'
    """
    from scipy.special import gammaln  # all of scipy.stats takes over a second to import

    def ways(total: int, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = (
            gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
        )
        return found

    correct, total = a_correct + b_correct, a_total + b_total
    mean = a_total * correct / total
    variance = mean * (total - correct) * b_total / total / max(1, total - 1)
    reach = _FAR * math.sqrt(variance) + 1  # nothing beyond it adds to a sum of doubles
    least = max(0, correct - b_total, math.floor(mean - reach))
    most = min(correct, a_total, math.ceil(mean + reach))
    if not least <= a_correct <= most:
        return 0.0
    a_might = np.arange(least, most + 1)
    all_ways = ways(total, np.array([correct]))
    chances = np.exp(ways(a_total, a_might) + ways(b_total, correct - a_might) - all_ways)
    seen = chances[a_correct - a_might[0]]
    # Tables exactly as likely as the one seen count too, whatever their last digits.
    return min(1.0, float(chances[chances <= seen * (1 + 1e-7)].sum()))


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that any false alarm among them keeps its probability.

    Holm (1979), "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(pvalues, dtype=float)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(value) for value in adjusted]


def tie_groups(count: int, separated: Collection[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Return the largest groups of ranks within which no pair is separated, best rank first.

    Two ranks share a group exactly when they are not separated, so the groups lose nothing:
    where ranks 0 and 2 are tied but 0 and 1 are not, they are (0, 2) and (1, 2). Every rank is in
    at least one group. Built by insert and absorb (Piepho 2004, "An algorithm for a letter-based
    representation of all-pairwise comparisons").

    >>> tie_groups(4, {(0, 2), (0, 3), (1, 3)})
    [(0, 1), (1, 2), (2, 3)]
    """
    groups = {frozenset(range(count))} if count else set()
    for first, second in separated:
        both = {group for group in groups if first in group and second in group}
        groups -= both
        groups |= {group - {rank} for group in both for rank in (first, second)}
        groups = {group for group in groups if not any(group < other for other in groups)}
    return sorted(tuple(sorted(group)) for group in groups)


def letters(count: int, groups: Sequence[tuple[int, ...]]) -> list[str]:
    """Return for every rank the letters of its groups: ranks that share a letter are tied.

    >>> letters(4, [(0, 1), (1, 2), (3,)])
    ['a', 'ab', 'b', 'c']
    """
    return [
        "".join(_letter(index) for index, group in enumerate(groups) if rank in group)
        for rank in range(count)
    ]


def _letter(index: int) -> str:
    return chr(ord("a") + index) if index < 26 else f"({index + 1})"


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
