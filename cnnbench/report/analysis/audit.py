"""What do the accuracies of a table establish, whoever printed it?

Only a count can be tested. A printed percentage stands for all counts that round to it; where that
is not one, a pair is tested with the two counts that lie closest together, so nothing is
established that a likelier count would not establish as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from cnnbench.report.stats.differences import (
    Decision,
    Difference,
    decide,
    difference_of,
    difference_of_counts,
)
from cnnbench.report.stats.intervals import CorrectMask, Counts, Interval, over_both, wilson
from cnnbench.report.stats.power import images_needed
from cnnbench.report.stats.significance import letters, tie_groups

__all__ = ["Audit", "Claim", "JudgedPair", "judged"]

_DRAWS, _SEED = 20_000, 0  # the same table gives the same chance


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a table says of one model: right answers of `n_images`, `lowest` to `highest` of them.

    `printed` is the figure as it stands there. With several `seeds` the counts are of their mean,
    and `deviation`, a share, is that of their scores. `is_correct` is `(S, N)`, the answers of each
    seed, where there are predictions. `is_possible` is False where no count gives the figure.
    """

    name: str
    n_images: int
    lowest: int
    highest: int
    printed: str
    seeds: int = 1
    deviation: float | None = None
    is_correct: CorrectMask | None = None
    is_possible: bool = True

    @property
    def correct(self) -> int:
        """The count in the middle of those that are possible."""
        return (self.lowest + self.highest) // 2

    @property
    def top1(self) -> float:
        """The share of right answers that the middle count gives."""
        return self.correct / self.n_images

    @property
    def interval(self) -> Interval:
        """The 95 % interval for other images, and other seeds where their answers are known."""
        if self.is_correct is not None:
            return over_both(self.is_correct)
        return wilson(self.lowest, self.n_images)[0], wilson(self.highest, self.n_images)[1]

    def counts(self, correct: int) -> Counts:
        """Return a count for each seed, as far apart as the printed deviation says."""
        if self.seeds == 1 or not self.deviation:
            return [(correct, self.n_images)]
        places = np.linspace(-1.0, 1.0, self.seeds)
        spread = places / places.std(ddof=1) * self.deviation * self.n_images
        around = np.clip(np.rint(correct + spread), 0, self.n_images)
        return [(int(count), self.n_images) for count in around]


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedPair:
    """Two claims, the better first; `needed` is how many images would separate them, if any do."""

    better: str
    worse: str
    decision: Decision
    needed: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """A table judged: the claims best first, each with its letter, and every pair.

    `winner` is the model with the best figure, None where two share it; it `is_established` where
    it is better than each other model after Holm's correction. `chance_of_another` is how probable
    it is that the best is another one.
    """

    claims: tuple[Claim, ...]
    letters: tuple[str, ...]
    pairs: tuple[JudgedPair, ...]
    winner: str | None
    is_established: bool
    chance_of_another: float

    @property
    def is_paired(self) -> bool:
        """Whether the models' answers to the same images are known."""
        return all(pair.decision.test.paired for pair in self.pairs)


def judged(claims: Sequence[Claim]) -> Audit:
    """Test every pair of at least two claims, with one correction for all."""
    ranked = sorted(claims, key=lambda claim: -claim.top1)
    pairs = list(combinations(ranked, 2))
    decisions = decide([_difference(*pair) for pair in pairs])
    judged_pairs = tuple(
        JudgedPair(
            better=better.name,
            worse=worse.name,
            decision=decision,
            needed=_needed(decision, len(pairs)),
        )
        for (better, worse), decision in zip(pairs, decisions, strict=True)
    )
    rank = {claim.name: place for place, claim in enumerate(ranked)}
    separated = [(rank[p.better], rank[p.worse]) for p in judged_pairs if p.decision.separated]
    best = ranked[0]
    winner = None if ranked[1].top1 == best.top1 else best.name
    of_winner = [pair for pair in judged_pairs if winner in (pair.better, pair.worse)]
    return Audit(
        claims=tuple(ranked),
        letters=tuple(letters(len(ranked), tie_groups(len(ranked), separated))),
        pairs=judged_pairs,
        winner=winner,
        is_established=bool(of_winner) and all(pair.decision.separated for pair in of_winner),
        chance_of_another=_chance_of_another(ranked),
    )


def _difference(better: Claim, worse: Claim) -> Difference:
    if better.is_correct is not None and worse.is_correct is not None:
        return difference_of(better.is_correct, worse.is_correct)
    low, high = better.lowest, worse.highest
    if low / better.n_images < high / worse.n_images:  # the two figures may mean the same share
        low, high = better.correct, worse.correct
    return difference_of_counts(better.counts(low), worse.counts(high))


def _needed(decision: Decision, comparisons: int) -> int | None:
    test = decision.test
    needed = images_needed(test.difference, test.discordant, comparisons=comparisons)
    return needed if needed is None or decision.separated else max(needed, test.n_images + 1)


def _chance_of_another(ranked: Sequence[Claim]) -> float:
    """Return how probable it is that the first of the ranked is not the best of them.

    From counts each share is drawn from its posterior under Jeffreys' prior, independently. Where
    the same images were answered, the images are weighed anew (the Bayesian bootstrap), so that
    what is hard for one model is hard for the others. Seeds are taken as they are.
    """
    rng = np.random.default_rng(_SEED)
    masks = [claim.is_correct for claim in ranked]
    known = [mask.mean(axis=0) for mask in masks if mask is not None]
    if len(known) == len(ranked) and len({len(mask) for mask in known}) == 1:
        patterns, times = np.unique(np.stack(known), axis=1, return_counts=True)
        drawn: npt.NDArray[np.float64] = rng.dirichlet(times, size=_DRAWS) @ patterns.T
    else:
        drawn = np.column_stack(
            [rng.beta(c.correct + 0.5, c.n_images - c.correct + 0.5, _DRAWS) for c in ranked]
        )
    return float((drawn.argmax(axis=1) != 0).mean())
