"""How probable would such a difference be among equals, and which of many networks are tied?"""

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from cnnbench.report.stats.intervals import CorrectMask, Spread

__all__ = ["ALPHA", "fisher", "holm", "letters", "mcnemar", "sign_flip", "t_test", "tie_groups"]

ALPHA = 0.05
_EXACT_UP_TO = 2000  # discordant images; beyond that the normal distribution is as good
_FAR = 40.0  # standard deviations


# -- two networks ----------------------------------------------------------------------------------


def mcnemar(a: CorrectMask, b: CorrectMask) -> float:
    """Return the exact two-sided p-value that two networks are equally often right.

    Both arrays `(N,)` say for the same images in the same order which network was right. Only the
    images on which they differ count: under equality each is a fair coin (McNemar 1947).

    >>> a = np.array([True] * 9 + [False] * 1)
    >>> b = np.array([False] * 8 + [True] * 2)
    >>> mcnemar(a, b)
    0.0390625
    """
    if a.shape != b.shape:
        raise ValueError(f"{a.shape} and {b.shape}: not the same images")
    from scipy.special import bdtr

    only_a = int(np.count_nonzero(a & ~b))
    only_b = int(np.count_nonzero(b & ~a))
    if only_a == only_b:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def sign_flip(leads: npt.NDArray[np.int64]) -> float:
    """Return the exact two-sided p-value that images lead as often one way as the other.

    `leads` is `(N,)`: for every image by how many answers one network leads. If the networks are
    equal, each image could as well lead the other way; all seeds of an image turn together. With
    one seed it is McNemar's exact test. Past two thousand images with a lead, the normal
    distribution stands for the exact one.

    >>> round(sign_flip(np.array([1] * 8 + [-1] * 1)), 6)
    0.039062
    """
    leads = leads[leads != 0]
    if leads.sum() == 0:
        return 1.0
    leads = leads // np.gcd.reduce(leads)
    sizes, total = np.abs(leads), abs(int(leads.sum()))
    if len(sizes) > _EXACT_UP_TO:
        from scipy.special import ndtr

        return min(1.0, 2.0 * float(ndtr(-total / math.sqrt(float(np.sum(sizes**2))))))
    chances = np.ones(1)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        chances = np.convolve(chances, _flip_chances(int(size), int(count)))
    # Index k of `chances` is a lead of 2 k - sum(sizes).
    tail = (int(sizes.sum()) - total) // 2
    return min(1.0, 2.0 * float(chances[: tail + 1].sum()))


def _flip_chances(size: int, count: int) -> npt.NDArray[np.float64]:
    """Return the chances that 0, 1, ... of `count` images of one size lead one way."""
    chances = np.zeros(size * count + 1)
    logs = _log_choose(count, np.arange(count + 1)) - count * math.log(2)
    chances[::size] = np.exp(logs)
    return chances


def t_test(difference: float, spread: Spread) -> float:
    """Return Student's two-sided p-value of a difference with this variance."""
    from scipy.special import ndtr, stdtr

    if difference == 0:
        return 1.0
    t = -abs(difference) / math.sqrt(spread.total) if spread.total else -math.inf
    return min(1.0, 2.0 * float(ndtr(t) if math.isinf(spread.df) else stdtr(spread.df, t)))


def fisher(a_correct: int, a_total: int, b_correct: int, b_total: int) -> float:
    """Return Fisher's exact two-sided p-value for two shares known only as counts.

    It takes the two as independent samples, so on the same images it is weaker than `mcnemar`.

    >>> f"{fisher(113, 128, 111, 128):.2f}"
    '0.85'
    """
    correct, total = a_correct + b_correct, a_total + b_total
    mean = a_total * correct / total
    variance = mean * (total - correct) * b_total / total / max(1, total - 1)
    reach = _FAR * math.sqrt(variance) + 1  # nothing beyond it adds to a sum of doubles
    least = max(0, correct - b_total, math.floor(mean - reach))
    most = min(correct, a_total, math.ceil(mean + reach))
    if not least <= a_correct <= most:
        return 0.0
    possible = np.arange(least, most + 1)
    all_ways = _log_choose(total, np.array([correct]))
    ways = _log_choose(a_total, possible) + _log_choose(b_total, correct - possible)
    chances = np.exp(ways - all_ways)
    observed = chances[a_correct - possible[0]]
    # Tables exactly as likely as the observed one count too, whatever their last digits.
    return min(1.0, float(chances[chances <= observed * (1 + 1e-7)].sum()))


def _log_choose(total: int, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the logarithms of the numbers of ways to choose so many of `total`."""
    from scipy.special import gammaln

    ways: npt.NDArray[np.float64] = (
        gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
    )
    return ways


# -- many pairs ------------------------------------------------------------------------------------


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
