"""Which of two trainings is better on the same test images, and how many images would tell?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.report.seeds import Difference, Spread, difference_of, t_test
from cnnbench.report.stats import (
    ALPHA,
    POWER,
    discordant_if_independent,
    fisher,
    holm,
    images_needed,
    tie_groups,
)

if TYPE_CHECKING:
    from cnnbench.report.contenders import Contender

_MOST_IMAGES = 10**9


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two contenders, the more accurate one first, and what is known of their difference.

    `p` decides: with one seed each it is McNemar's, with several it asks for another seed too.
    `p_networks` asks only about the networks that were trained. `p_holm` is `p` after Holm's
    correction over all pairs of the run. `needed` is how many test images would separate them, or
    None where no number would. `paired` is False where a row has no answers on the same images and
    only its counts could be compared.
    """

    better: str
    worse: str
    difference: float
    low: float
    high: float
    discordant: float
    p: float
    p_networks: float
    p_holm: float
    images: int
    seeds: tuple[int, int]
    needed: int | None
    paired: bool

    @property
    def separated(self) -> bool:
        """Whether the difference is established at the 5 % level."""
        return self.p_holm < ALPHA

    @property
    def networks_differ(self) -> bool:
        """Whether the trained networks differ, though another seed might turn them round."""
        return max(self.seeds) > 1 and self.p_networks < ALPHA and not self.separated


def pairs_of(rungs: Sequence[Sequence[Contender]]) -> list[list[Pair]]:
    """Test every pair within each group of contenders, corrected over the pairs of all groups.

    Each group is sorted, best first.
    """
    drafts = [[_Draft.of(*both) for both in combinations(rung, 2)] for rung in rungs]
    flat = [draft for group in drafts for draft in group]
    corrected = iter(holm([draft.test.p for draft in flat]))
    return [[draft.pair(next(corrected), len(flat)) for draft in group] for group in drafts]


def groups_of(contenders: Sequence[Contender], pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    """Return the largest groups of ranks that cannot be told apart."""
    rank = {one.label: index for index, one in enumerate(contenders)}
    separated = [(rank[pair.better], rank[pair.worse]) for pair in pairs if pair.separated]
    return tie_groups(len(contenders), separated)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draft:
    """A pair before the correction that needs all of them."""

    better: Contender
    worse: Contender
    test: Difference
    paired: bool

    @classmethod
    def of(cls, better: Contender, worse: Contender) -> _Draft:
        test, paired = difference_between(better, worse), on_same_images(better, worse)
        return cls(better=better, worse=worse, test=test, paired=paired)

    def pair(self, p_holm: float, comparisons: int) -> Pair:
        seeds = (len(self.better.answers), len(self.worse.answers))
        low, high = gap_interval(self.test)
        return Pair(
            better=self.better.label,
            worse=self.worse.label,
            difference=self.test.difference,
            low=low,
            high=high,
            discordant=self.test.discordant,
            p=self.test.p,
            p_networks=self.test.p_networks,
            p_holm=p_holm,
            images=self.test.images,
            seeds=seeds,
            needed=_needed(self.test, comparisons),
            paired=self.paired,
        )


def on_same_images(a: Contender, b: Contender) -> bool:
    """Tell whether two contenders have answers on the same images."""
    return a.right is not None and b.right is not None and a.images == b.images


def difference_between(a: Contender, b: Contender) -> Difference:
    """Test the difference a - b: on the same images where the answers are kept, else by counts."""
    first, second = a.right, b.right
    if first is not None and second is not None and a.images == b.images:
        return difference_of(first, second)
    return _from_counts(a, b)


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


def _needed(test: Difference, comparisons: int) -> int | None:
    if test.spread.seeds_df == 0:
        return images_needed(test.difference, test.discordant, comparisons=comparisons)
    return images_needed_with_seeds(test, comparisons=comparisons)


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


def _from_counts(a: Contender, b: Contender) -> Difference:
    """Test two contenders of which only the scores are known, or whose images differ.

    With one seed each by Fisher's test. With several, each network's images count once, as if all
    its seeds agreed on them, which finds rather less than there is.
    """
    gap, discordant = a.top1 - b.top1, discordant_if_independent(a.top1, b.top1)
    parts = [_spread_of_counts(one) for one in (a, b)]
    seeds = sum(part.seeds for part in parts)
    known = sum(part.seeds**2 / part.seeds_df for part in parts if part.seeds_df)
    spread = Spread(
        images=sum(part.images for part in parts),
        images_df=math.inf,
        seeds=seeds,
        seeds_df=seeds**2 / known if known else max(part.seeds_df for part in parts),
        residual=0.0,
    )
    if len(a.answers) == len(b.answers) == 1:
        (first,), (second,) = a.counts, b.counts
        p = fisher(*first, *second)
    else:
        p = t_test(gap, spread)
    return Difference(
        images=min(a.test_images, b.test_images),
        difference=gap,
        discordant=discordant,
        spread=spread,
        p_networks=p,
        p=p,
    )


def _spread_of_counts(one: Contender) -> Spread:
    shares = np.array([correct / total for correct, total in one.counts])
    several = len(shares) > 1
    return Spread(
        images=one.top1 * (1 - one.top1) / one.test_images,
        images_df=math.inf,
        seeds=float(shares.var(ddof=1) / len(shares)) if several else 0.0,
        seeds_df=len(shares) - 1,
        residual=0.0,
    )
