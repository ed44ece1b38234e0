"""Two networks of which only the counts are known are still tested fairly."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.report.stats.differences import difference_of_counts
from cnnbench.report.stats.intervals import Counts, mean_share, wilson
from cnnbench.report.stats.significance import fisher

often = settings(derandomize=True, deadline=None, max_examples=150)

seed_counts = st.integers(1, 60).flatmap(
    lambda n: st.lists(st.tuples(st.integers(0, n), st.just(n)), min_size=1, max_size=5)
)


@pytest.mark.parametrize("seeds", [(1, 1), (2, 2), (3, 3), (1, 3), (5, 2)])
def test_all_right_against_all_wrong_is_established_by_counts(seeds: tuple[int, int]) -> None:
    test = difference_of_counts([(50, 50)] * seeds[0], [(0, 50)] * seeds[1])
    assert test.p < 1e-4
    assert test.interval()[0] > 0.5


@pytest.mark.parametrize("correct", [0, 25, 50])
def test_equal_counts_are_no_evidence_and_not_surely_equal(correct: int) -> None:
    test = difference_of_counts([(correct, 50)] * 3, [(correct, 50)] * 3)
    assert test.p == 1
    low, high = test.interval()
    assert low == -high
    assert high > 0.02


def test_one_seed_borrows_the_spread_of_the_others_also_by_counts() -> None:
    swinging: Counts = [(900, 1000), (600, 1000), (880, 1000)]
    borrowed = difference_of_counts(swinging, [(605, 1000)])
    assert borrowed.p > 0.05
    assert borrowed.spread.seed_variance == pytest.approx(
        4 * difference_of_counts(swinging, [(605, 1000)] * 3).spread.seed_variance
    )


def test_a_small_test_set_beside_a_large_one_keeps_its_own_uncertainty() -> None:
    low, high = difference_of_counts([(5, 10)], [(10_000, 10_000)]).interval()
    assert high - low > 0.5


@often
@given(seed_counts, seed_counts)
def test_counts_never_find_more_than_fisher_does(a: Counts, b: Counts) -> None:
    once = [(round(mean_share(counts) * counts[0][1]), counts[0][1]) for counts in (a, b)]
    assert difference_of_counts(a, b).p >= fisher(*once[0], *once[1])


@often
@given(counts=st.lists(st.tuples(st.integers(0, 30), st.just(30)), min_size=2, max_size=6))
def test_wilson_intervals_that_do_not_meet_are_established(counts: Counts) -> None:
    for a, b in combinations(counts, 2):
        if wilson(*a)[0] > wilson(*b)[1]:
            assert difference_of_counts([a], [b]).p < 0.05
