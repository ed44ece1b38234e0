"""Over the whole room of statistics: what is printed is possible, and never contradicts itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.statistics_simulation import SECOND_RUNS, SEED_SPREADS, World, two_runs
from cnnbench.report.stats.differences import (
    Decision,
    Difference,
    decide,
    difference_of,
    difference_of_counts,
)
from cnnbench.report.stats.intervals import (
    Counts,
    Interval,
    Spread,
    bootstrap_both,
    mean_share,
    over_both,
    over_images,
    over_seeds,
    spread_of,
)
from cnnbench.report.stats.power import images_needed, images_needed_with_seeds
from cnnbench.report.stats.significance import mcnemar, sign_flip, t_test

often = settings(derandomize=True, deadline=None, max_examples=150)

sizes = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 40))
# Chances of 0 and 1 make networks that are always right or wrong; equal luck makes equal answers.
chances = st.sampled_from([0.0, 0.02, 0.5, 0.9, 0.98, 1.0])


@st.composite
def answers_of_two(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Answers `(S_a, N)` and `(S_b, N)` that agree from not at all to always."""
    s_a, s_b, n_images = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    same = draw(chances)
    luck = rng.random((max(s_a, s_b), n_images))
    other = np.where(rng.random(luck.shape) < same, luck, rng.random(luck.shape))
    return luck[:s_a] < draw(chances), other[:s_b] < draw(chances)


seed_counts = st.integers(1, 60).flatmap(
    lambda n: st.lists(st.tuples(st.integers(0, n), st.just(n)), min_size=1, max_size=5)
)
differences = st.one_of(
    answers_of_two().map(lambda both: difference_of(*both)),
    st.tuples(seed_counts, seed_counts).map(lambda both: difference_of_counts(*both)),
)


def contradicts(test: Decision | Difference) -> bool:
    low, high = test.interval if isinstance(test, Decision) else test.interval()
    separated = test.separated if isinstance(test, Decision) else test.p < 0.05
    return separated == (low <= 0 <= high)


def is_possible(test: Difference, interval: Interval) -> bool:
    low, high = interval
    shares = (test.p, test.p_networks, test.discordant)
    return -1 <= low <= test.difference <= high <= 1 and all(0 <= share <= 1 for share in shares)


@often
@given(differences)
def test_a_difference_and_its_interval_agree_and_are_possible(test: Difference) -> None:
    assert is_possible(test, test.interval())
    assert not contradicts(test)
    assert test.p >= test.p_networks


@often
@given(st.lists(differences, min_size=1, max_size=12))
def test_many_decisions_and_their_intervals_agree_and_are_possible(tests: list[Difference]) -> None:
    for decision in decide(tests):
        assert is_possible(decision.test, decision.interval)
        assert not contradicts(decision)
        assert decision.test.p <= decision.p_holm <= 1
        assert decision.networks_differ or not decision.separated


@pytest.mark.parametrize("n_images", [6, 20, 128, 1117])
@pytest.mark.parametrize("comparisons", [1, 3, 10])
def test_mcnemars_test_and_the_interval_agree_for_every_small_count(
    n_images: int, comparisons: int
) -> None:
    nothing = difference_of(*np.zeros((2, 1, n_images), dtype=bool))
    for only_a in range(min(n_images, 24) + 1):
        for only_b in range(min(n_images - only_a, 24) + 1):
            a, b = np.zeros((2, 1, n_images), dtype=bool)
            a[0, :only_a] = True
            b[0, only_a : only_a + only_b] = True
            decisions = decide([difference_of(a, b)] + [nothing] * (comparisons - 1))
            assert not any(contradicts(decision) for decision in decisions)
            assert decisions[0].separated == (mcnemar(a[0], b[0]) * comparisons < 0.05)


@often
@given(answers_of_two())
def test_turning_two_networks_round_turns_all_that_is_said_of_them(
    both: tuple[np.ndarray, np.ndarray],
) -> None:
    a, b = both
    of_a, of_b = counts_of(a), counts_of(b)
    for there, back in (
        (difference_of(a, b), difference_of(b, a)),
        (difference_of_counts(of_a, of_b), difference_of_counts(of_b, of_a)),
    ):
        low, high = there.interval()
        assert back.interval() == pytest.approx((-high, -low), abs=1e-12)
        assert (back.p, back.p_networks) == pytest.approx((there.p, there.p_networks), rel=1e-9)
        assert back.difference == pytest.approx(-there.difference, abs=1e-15)


def counts_of(is_correct: np.ndarray) -> Counts:
    return [(int(of_seed.sum()), len(of_seed)) for of_seed in is_correct]


@often
@given(answers_of_two())
def test_the_order_of_images_and_seeds_changes_nothing(
    both: tuple[np.ndarray, np.ndarray],
) -> None:
    a, b = both
    images = np.random.default_rng(0).permutation(a.shape[1])
    turned = difference_of(a[::-1, images], b[::-1, images])
    assert turned.p == pytest.approx(difference_of(a, b).p, rel=1e-6)
    assert turned.interval() == pytest.approx(difference_of(a, b).interval(), abs=1e-9)


@often
@given(answers_of_two())
def test_equal_answers_are_no_evidence_with_a_small_interval(
    both: tuple[np.ndarray, np.ndarray],
) -> None:
    a, _ = both
    (decision,) = decide([difference_of(a, a.copy())])
    low, high = decision.interval
    assert not decision.separated
    assert low == -high < 0
    spread = decision.test.spread
    assert spread.df >= min(spread.image_df, spread.seed_df or math.inf)


@often
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40), st.integers(1, 5)
)
def test_a_further_lead_is_never_less_sure(leads: list[tuple[bool, bool]], more: int) -> None:
    a, b = np.array(leads, dtype=bool).T[:, None, :]
    if a.sum() < b.sum():
        a, b = b, a
    ahead, behind = np.ones((1, more), dtype=bool), np.zeros((1, more), dtype=bool)
    before = difference_of(a, b)
    after = difference_of(np.hstack([a, ahead]), np.hstack([b, behind]))
    assert after.p <= before.p
    assert after.difference >= before.difference


@often
@given(differences)
def test_surer_intervals_are_wider(test: Difference) -> None:
    spans = [test.interval(confidence=level) for level in (0.5, 0.9, 0.95, 0.99)]
    widths = [high - low for low, high in spans]
    assert widths == sorted(widths)


# -- one network -----------------------------------------------------------------------------------


@often
@given(st.tuples(st.integers(1, 5), st.integers(1, 30)).flatmap(lambda size: arrays(bool, size)))
def test_every_interval_of_a_network_is_possible_and_holds_its_mean(right: np.ndarray) -> None:
    mean = mean_share(counts_of(right))
    intervals = [over_both(right), over_images(right), bootstrap_both(right, seed=0)]
    for low, high in [*intervals, over_seeds(right) or (0.0, 1.0)]:
        assert 0 <= low <= mean + 1e-12
        assert mean - 1e-12 <= high <= 1
    spread = spread_of(right)
    assert spread.total >= 0
    assert spread.df >= min(spread.image_df, spread.seed_df or math.inf)


@pytest.mark.parametrize("seeds", [1, 2, 5])
@pytest.mark.parametrize("value", [False, True])
def test_all_right_or_all_wrong_on_few_images_is_never_sure(seeds: int, value: bool) -> None:
    for n_images in (1, 2, 5):
        low, high = over_both(np.full((seeds, n_images), value))
        assert (high == 1 and low < 0.9) if value else (low == 0 and high > 0.1)


def test_one_image_and_several_seeds_prove_nothing() -> None:
    for a, b in (([1, 1], [0, 0]), ([1, 0], [0, 1]), ([1, 1, 1], [1, 0, 0]), ([1], [0, 0, 0])):
        test = difference_of(np.array(a, dtype=bool)[:, None], np.array(b, dtype=bool)[:, None])
        assert test.p > 0.1
        assert not contradicts(test)


# -- p-values --------------------------------------------------------------------------------------


@often
@given(
    arrays(np.int64, st.integers(1, 30), elements=st.integers(-6, 6)),
    st.floats(-1, 1),
    st.floats(0, 0.1),
    st.floats(0, 0.1),
    st.integers(1, 8),
)
def test_p_values_are_shares(
    leads: np.ndarray, difference: float, image: float, seed: float, seed_df: int
) -> None:
    spread = Spread(
        image_variance=image,
        image_df=len(leads),
        seed_variance=seed,
        seed_df=seed_df,
        residual_variance=seed / 2,
    )
    for p in (sign_flip(leads), t_test(difference, spread)):
        assert 0 <= p <= 1
    assert sign_flip(leads) == sign_flip(-leads)
    assert t_test(difference, spread) == t_test(-difference, spread)


# -- how many images -------------------------------------------------------------------------------


def test_the_smallest_test_sets_are_large_enough_for_the_exact_test() -> None:
    needed = images_needed(1.0, 1.0)
    assert needed == 6
    answers = np.ones(needed, dtype=bool)
    assert mcnemar(answers, ~answers) < 0.05 <= mcnemar(answers[1:], ~answers[1:])


@often
@given(st.floats(0.05, 1), st.floats(0.05, 1), st.integers(1, 45))
def test_fewer_images_are_needed_for_a_larger_difference_and_more_for_more_pairs(
    one: float, other: float, comparisons: int
) -> None:
    smaller, larger = sorted((one, other))
    assert images_needed(larger, 1.0) <= images_needed(smaller, 1.0)
    assert images_needed(larger, 1.0) <= images_needed(larger, 1.0, comparisons=comparisons)


@often
@given(answers_of_two(), st.integers(1, 10))
def test_fewer_images_are_needed_with_seeds_for_fewer_pairs(
    both: tuple[np.ndarray, np.ndarray], comparisons: int
) -> None:
    test = difference_of(*both)
    strict = images_needed_with_seeds(test, comparisons=comparisons)
    assert strict is None or (images_needed_with_seeds(test) or math.inf) <= strict


# -- by simulation; benchmarks/statistics_simulation.py prints more of it --------------------------


@pytest.mark.parametrize("second", SECOND_RUNS, ids=lambda second: second.name)
@pytest.mark.parametrize("seeds", [2, 3])
def test_two_runs_that_hardly_differ_are_told_so_with_a_narrow_interval(second, seeds) -> None:
    found = two_runs(np.random.default_rng(21), World(seed=0.05), second, seeds=seeds, draws=150)
    assert found["coverage"] >= 0.93
    assert found["contradictions"] == 0
    if second.other_luck < 1:
        assert found["half_width"] < 6
    if not second.gain:
        assert found["separated"] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("second", SECOND_RUNS, ids=lambda second: second.name)
@pytest.mark.parametrize("spread", SEED_SPREADS)
def test_the_interval_of_two_runs_covers_95_percent(second, spread: float) -> None:
    rng = np.random.default_rng(22)
    found = two_runs(rng, World(seed=spread), second, seeds=3, draws=2000)
    assert found["coverage"] >= 0.94
    assert found["contradictions"] == 0
    assert found["widest"] < 100
