"""How sure is one accuracy, and who shares a letter with whom?"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from statistics import NormalDist


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
