from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtr
from scipy.stats import binomtest, fisher_exact

from cnnbench.report.stats.differences import discordant_if_independent
from cnnbench.report.stats.intervals import wilson
from cnnbench.report.stats.power import images_needed
from cnnbench.report.stats.significance import ALPHA, fisher, holm, letters, mcnemar, tie_groups

quick = settings(derandomize=True, deadline=None, max_examples=60)
counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
pair_sets = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        st.just(n), st.sets(st.sampled_from(list(combinations(range(max(n, 2)), 2))))
    ).map(lambda made: (made[0], {pair for pair in made[1] if pair[1] < made[0]}))
)


@quick
@given(counts)
def test_wilson_equals_scipys(count: tuple[int, int]) -> None:
    expected = binomtest(*count).proportion_ci(method="wilson")
    assert wilson(*count) == pytest.approx((expected.low, expected.high), abs=1e-12)


@quick
@given(counts)
def test_wilson_holds_the_share_and_stays_within_zero_and_one(count: tuple[int, int]) -> None:
    low, high = wilson(*count)
    assert 0.0 <= low <= count[0] / count[1] <= high <= 1.0


@pytest.mark.parametrize(("correct", "total"), [(1, 0), (-1, 10), (11, 10)])
def test_wilson_refuses_what_is_no_share(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        wilson(correct, total)


def test_wilson_covers_about_95_percent_over_accuracies_and_test_sizes() -> None:
    rng = np.random.default_rng(20)
    covered = []
    for total in (50, 128, 500, 2000):
        intervals = np.array([wilson(correct, total) for correct in range(total + 1)])
        for share in rng.uniform(0.05, 0.99, 60):
            low, high = intervals[rng.binomial(total, share, 500)].T
            covered.append(np.mean((low <= share) & (share <= high)))
    assert 0.94 <= np.mean(covered) <= 0.96


@quick
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=300))
def test_mcnemar_equals_scipys_binomial_test(answers: list[tuple[bool, bool]]) -> None:
    a, b = np.array(answers, dtype=bool).T
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(b, a) == mcnemar(a, b)


def test_mcnemar_refuses_different_numbers_of_images() -> None:
    with pytest.raises(ValueError, match="not the same images"):
        mcnemar(np.ones(3, dtype=bool), np.ones(4, dtype=bool))


@quick
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_rejects(pvalues: list[float], alpha: float) -> None:
    rejected = set()
    for step, index in enumerate(np.argsort(pvalues, kind="stable")):
        if pvalues[index] * (len(pvalues) - step) > alpha:
            break
        rejected.add(int(index))
    assert {index for index, p in enumerate(holm(pvalues)) if p <= alpha} == rejected


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]) == []


def test_a_false_winner_among_equals_is_rare() -> None:
    rng = np.random.default_rng(4)
    declared = 0
    for _ in range(200):
        ease = rng.uniform(size=128)
        right = [rng.uniform(size=128) < 0.4 + 0.6 * ease for _ in range(4)]
        pvalues = [mcnemar(a, b) for a, b in combinations(right, 2)]
        declared += min(holm(pvalues)) < ALPHA
    assert declared / 200 <= 0.05


@quick
@given(pair_sets)
def test_ranks_share_a_group_exactly_when_they_are_not_separated(
    made: tuple[int, set[tuple[int, int]]],
) -> None:
    count, separated = made
    groups = tie_groups(count, separated)
    for pair in combinations(range(count), 2):
        assert any(set(pair) <= set(group) for group in groups) == (pair not in separated)
    assert {rank for group in groups for rank in group} == set(range(count))


@quick
@given(pair_sets)
def test_no_group_holds_another(made: tuple[int, set[tuple[int, int]]]) -> None:
    groups = [set(group) for group in tie_groups(*made)]
    assert not any(a < b for a in groups for b in groups)


def test_letters_go_on_after_z() -> None:
    groups = [(rank,) for rank in range(28)]
    assert letters(28, groups)[25:] == ["z", "(27)", "(28)"]


@pytest.mark.parametrize(("difference", "discordant"), [(0.03, 0.15), (0.1, 0.2), (0.2, 0.3)])
def test_the_images_needed_find_the_difference_in_four_of_five_runs(
    difference: float, discordant: float
) -> None:
    needed = images_needed(difference, discordant)
    assert needed is not None
    shares = [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant]
    draws = np.random.default_rng(1).multinomial(needed, shares, 4000)
    fewer, either = draws[:, :2].min(axis=1), draws[:, :2].sum(axis=1)
    power = np.mean(2 * bdtr(fewer, either, 0.5) < ALPHA)
    assert 0.77 <= power <= 0.84


def test_no_number_of_images_separates_equals() -> None:
    assert images_needed(0.0, 0.1) is None


def test_more_comparisons_need_more_images() -> None:
    one, six = (images_needed(0.1, 0.2, comparisons=count) for count in (1, 6))
    assert one is not None
    assert six is not None
    assert six > one


@quick
@given(st.integers(1, 400), st.integers(1, 400), st.floats(0, 1), st.floats(0, 1))
def test_fishers_p_value_is_scipys(a_total: int, b_total: int, a: float, b: float) -> None:
    a_correct, b_correct = round(a * a_total), round(b * b_total)
    table = [[a_correct, a_total - a_correct], [b_correct, b_total - b_correct]]
    ours = fisher(a_correct, a_total, b_correct, b_total)
    assert ours == pytest.approx(float(fisher_exact(table).pvalue), rel=1e-8, abs=1e-12)


def test_fisher_is_quick_and_sure_for_a_million_images() -> None:
    assert fisher(500_000, 1_000_000, 500_003, 1_000_000) == pytest.approx(0.99774, abs=1e-5)
    assert fisher(0, 10**8, 10**8, 10**8) == 0.0


def test_fisher_gives_the_articles_smallest_difference_no_weight() -> None:
    assert fisher(113, 128, 111, 128) == pytest.approx(0.85, abs=0.005)


def test_independent_mistakes_give_the_largest_discordant_share() -> None:
    assert discordant_if_independent(1.0, 0.0) == 1.0
    assert discordant_if_independent(1.0, 1.0) == 0.0
