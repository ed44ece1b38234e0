"""Which of two trainings is better on the same test images, and how many images would tell?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.report.stats.intervals import tie_groups
from cnnbench.report.stats.power import (
    discordant_if_independent,
    images_needed,
    images_needed_with_seeds,
)
from cnnbench.report.stats.seeds import Difference, Spread, difference_of, gap_interval, t_test
from cnnbench.report.stats.tests import ALPHA, fisher, holm

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Entry


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


def pairs_of(rungs: Sequence[Sequence[Entry]]) -> list[list[Pair]]:
    """Test every pair within each group of contenders, corrected over the pairs of all groups.

    Each group is sorted, best first.
    """
    drafts = [[_Draft.of(*both) for both in combinations(rung, 2)] for rung in rungs]
    flat = [draft for group in drafts for draft in group]
    corrected = iter(holm([draft.test.p for draft in flat]))
    return [[draft.pair(next(corrected), len(flat)) for draft in group] for group in drafts]


def groups_of(entries: Sequence[Entry], pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    """Return the largest groups of ranks that cannot be told apart."""
    rank = {one.label: index for index, one in enumerate(entries)}
    separated = [(rank[pair.better], rank[pair.worse]) for pair in pairs if pair.separated]
    return tie_groups(len(entries), separated)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draft:
    """A pair before the correction that needs all of them."""

    better: Entry
    worse: Entry
    test: Difference
    paired: bool

    @classmethod
    def of(cls, better: Entry, worse: Entry) -> _Draft:
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


def on_same_images(a: Entry, b: Entry) -> bool:
    """Tell whether two contenders have answers on the same images."""
    return a.right is not None and b.right is not None and a.images == b.images


def difference_between(a: Entry, b: Entry) -> Difference:
    """Test the difference a - b: on the same images where the answers are kept, else by counts."""
    first, second = a.right, b.right
    if first is not None and second is not None and a.images == b.images:
        return difference_of(first, second)
    return _from_counts(a, b)


def _needed(test: Difference, comparisons: int) -> int | None:
    if test.spread.seeds_df == 0:
        return images_needed(test.difference, test.discordant, comparisons=comparisons)
    return images_needed_with_seeds(test, comparisons=comparisons)


def _from_counts(a: Entry, b: Entry) -> Difference:
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


def _spread_of_counts(one: Entry) -> Spread:
    shares = np.array([correct / total for correct, total in one.counts])
    several = len(shares) > 1
    return Spread(
        images=one.top1 * (1 - one.top1) / one.test_images,
        images_df=math.inf,
        seeds=float(shares.var(ddof=1) / len(shares)) if several else 0.0,
        seeds_df=len(shares) - 1,
        residual=0.0,
    )
