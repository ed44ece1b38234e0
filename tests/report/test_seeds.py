from __future__ import annotations

import doctest
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t as student
from synthetic import FakeModel, FakeRun, build_run

from benchmarks.statistics_simulation import (
    SEED_SPREADS,
    World,
    coverage,
    draw_answers,
    false_winners,
)
from cnnbench.report.analysis.comparison import compare, compare_rungs, comparison_data
from cnnbench.report.analysis.entries import Answers, Entry
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.headline import headline_sentences
from cnnbench.report.sections.pairs import comparison_notes, pair_sentence
from cnnbench.report.sections.seeds import seeds_sentences, seeds_table
from cnnbench.report.stats import differences, intervals, power, significance
from cnnbench.report.stats.differences import Difference, difference_of
from cnnbench.report.stats.intervals import (
    bootstrap_both,
    over_both,
    over_images,
    over_seeds,
    spread_of,
    wilson,
)
from cnnbench.report.stats.power import images_needed_with_seeds
from cnnbench.report.stats.significance import mcnemar, sign_flip
from cnnbench.schema.result import Row

quick = settings(derandomize=True, deadline=None, max_examples=60)
one_seed = st.integers(2, 60).flatmap(lambda n: arrays(np.bool_, (1, n)))
leads = st.lists(st.integers(-3, 3), min_size=1, max_size=9).map(np.array)


@pytest.mark.parametrize("module", [differences, intervals, power, significance])
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@quick
@given(one_seed)
def test_with_one_seed_every_interval_is_wilsons(right: np.ndarray) -> None:
    expected = pytest.approx(wilson(int(right.sum()), right.size), abs=1e-9)
    assert over_both(right) == expected
    assert over_images(right) == expected
    assert over_seeds(right) is None


@quick
@given(leads)
def test_turning_images_round_equals_counting_every_turn(turns: np.ndarray) -> None:
    sums = [abs(int(np.dot(signs, turns))) for signs in product((-1, 1), repeat=len(turns))]
    expected = np.mean(np.array(sums) >= abs(int(turns.sum())))
    assert sign_flip(turns) == pytest.approx(expected, abs=1e-12)


@quick
@given(st.integers(2, 60).flatmap(lambda n: arrays(np.bool_, (2, n))))
def test_with_one_seed_the_test_is_mcnemars(both: np.ndarray) -> None:
    a, b = both
    assert difference_of(a[None], b[None]).p == mcnemar(a, b)
    turned = a.astype(np.int64) - b.astype(np.int64)
    assert sign_flip(turned) == pytest.approx(mcnemar(a, b), abs=1e-9)


def test_many_images_are_turned_by_the_normal_distribution_without_a_jump() -> None:
    rng = np.random.default_rng(2)
    turns = rng.choice([-2, -1, 1, 2], 1990, p=[0.2, 0.27, 0.31, 0.22])
    more = np.concatenate([turns, [1, -1] * 10])
    assert sign_flip(more) == pytest.approx(sign_flip(turns), rel=0.05)


def test_the_interval_over_seeds_is_students() -> None:
    right = np.arange(100) < np.array([[70], [74], [81]])
    expected = student.interval(0.95, 2, loc=0.75, scale=np.std([0.7, 0.74, 0.81], ddof=1) / 3**0.5)
    assert over_seeds(right) == pytest.approx(expected)


def test_seeds_that_agree_on_every_image_count_the_images_once() -> None:
    right = np.repeat([np.arange(200) < 150], 3, axis=0)
    low, high = over_both(right)
    assert (low, high) == pytest.approx(wilson(150, 200), abs=0.003)


def test_perfect_seeds_are_not_certain() -> None:
    assert over_both(np.ones((3, 50), dtype=bool))[0] < 0.94


def test_the_parts_of_the_variance_are_found_again() -> None:
    rng = np.random.default_rng(5)
    world = World(seed=0.0, image=0.0, own=0.0)
    spreads = [
        spread_of(*draw_answers(rng, world, networks=1, seeds=4, images=300, accuracy=0.7))
        for _ in range(300)
    ]
    luck = 0.21 / (4 * 300)
    for part in ("image_variance", "seed_variance", "residual_variance"):
        assert np.mean([getattr(s, part) for s in spreads]) == pytest.approx(luck, rel=0.1)


def test_the_bootstrap_repeats_with_its_seed_and_holds_the_mean() -> None:
    right = np.random.default_rng(0).uniform(size=(3, 90)) < 0.6
    low, high = bootstrap_both(right, seed=3)
    assert (low, high) == bootstrap_both(right, seed=3)
    assert low < right.mean() < high


def test_seeds_that_swing_hide_a_difference_that_the_networks_show() -> None:
    swinging = np.arange(1000) < np.array([[900], [600], [880]])
    steady = np.arange(1000)[::-1] < np.array([[600], [610], [605]])
    difference = difference_of(swinging, steady)
    assert difference.p_networks < 0.001
    assert difference.p > 0.05


def test_one_seed_borrows_the_spread_of_the_others() -> None:
    several = np.arange(1000) < np.array([[900], [600], [880]])
    alone = np.arange(1000)[None, ::-1] < 605
    assert difference_of(several, alone).p > difference_of(several[:1], alone).p


def test_answers_on_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not the same images"):
        difference_of(np.ones((1, 3), dtype=bool), np.ones((1, 4), dtype=bool))


# -- by simulation; benchmarks/statistics_simulation.py prints more of it -------------------------


def short_and_long(short: int, long: int) -> pytest.MarkDecorator:
    """Run a simulation with a few draws, and with `pytest -m slow` with many."""
    return pytest.mark.parametrize("draws", [short, pytest.param(long, marks=pytest.mark.slow)])


@pytest.mark.parametrize("spread", [0.15, 0.4])
def test_only_the_interval_for_seeds_and_images_covers_about_95_percent(spread: float) -> None:
    rng = np.random.default_rng(11)
    covered = coverage(rng, World(seed=spread), seeds=3, draws=200)
    assert 0.91 <= covered["both"] <= 0.985  # within 2.6 standard errors
    assert covered["images"] < 0.85
    assert coverage(rng, World(seed=spread), seeds=1, draws=100)["both"] < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.05, 0.15, 0.4])
def test_the_interval_for_seeds_and_images_covers_95_percent(spread: float) -> None:
    rng = np.random.default_rng(11)
    covered = coverage(rng, World(seed=spread), seeds=3, draws=1000)
    assert 0.935 <= covered["both"] <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_covers_94_to_96_percent_on_average(seeds: int) -> None:
    rng = np.random.default_rng(18)
    covered = [
        coverage(rng, World(seed=spread), seeds=seeds, draws=500)["both"] for spread in SEED_SPREADS
    ]
    assert 0.94 <= np.mean(covered) <= 0.96


@pytest.mark.slow
def test_one_seed_covers_the_network_but_not_the_training() -> None:
    rng = np.random.default_rng(12)
    assert 0.94 <= coverage(rng, World(seed=0.0), seeds=1, draws=2000)["both"] <= 0.96
    assert coverage(rng, World(seed=0.4), seeds=1, draws=500)["both"] < 0.7


@short_and_long(40, 400)
@pytest.mark.parametrize("spread", [0.0, 0.15, 0.4])
def test_three_seeds_declare_a_false_winner_in_at_most_5_percent(spread: float, draws: int) -> None:
    rng = np.random.default_rng(13)
    assert false_winners(rng, World(seed=spread), seeds=3, draws=draws)[0] <= 0.05


@short_and_long(100, 500)
def test_one_seed_declares_a_false_winner_in_at_most_5_percent(draws: int) -> None:
    rng = np.random.default_rng(14)
    assert false_winners(rng, World(seed=0.0), seeds=1, draws=draws)[0] <= 0.05


def test_asking_about_the_networks_alone_finds_what_a_new_seed_would_turn() -> None:
    rng = np.random.default_rng(15)
    decided, networks = false_winners(rng, World(seed=0.4), seeds=3, draws=40)
    assert decided <= 0.05 < 0.5 < networks


@short_and_long(100, 300)
def test_the_images_needed_with_seeds_find_the_difference_in_four_of_five_runs(draws: int) -> None:
    rng = np.random.default_rng(17)
    world = World(seed=0.03)

    def draw(images: int) -> Difference:
        a, b = (
            draw_answers(rng, world, networks=1, seeds=3, images=images, accuracy=accuracy)[0]
            for accuracy in (0.75, 0.68)
        )
        return difference_of(a, b)

    many = [draw(2000) for _ in range(60)]
    parts = ("image_variance", "seed_variance", "residual_variance")
    means = {part: np.mean([getattr(test.spread, part) for test in many]) for part in parts}
    typical = replace(many[0], difference=0.07, spread=replace(many[0].spread, **means))
    needed = images_needed_with_seeds(typical)
    assert needed is not None
    assert 0.7 <= np.mean([draw(needed).p < 0.05 for _ in range(draws)]) <= 0.9


@short_and_long(40, 150)
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_headline_names_no_winner_among_equals(tmp_path: Path, seeds: int, draws: int) -> None:
    row = read_rows(build_run(tmp_path, FakeRun(models=(FakeModel(name="a", correct=1),))))[0]
    rng = np.random.default_rng(16)
    world = World(seed=0.0 if seeds == 1 else 0.2)
    named = 0
    for _ in range(draws):
        four = draw_answers(rng, world, networks=4, seeds=seeds, images=128, accuracy=0.8)
        entries = [entry(f"net{index}", right, row) for index, right in enumerate(four)]
        comparison = compare_rungs([entries], budgets=[None])
        sentences = " ".join(headline_sentences(comparison, [], {}))
        named += any(word in sentences for word in ("is best", "better than"))
    assert named / draws <= 0.05


def entry(label: str, right: np.ndarray, row: Row) -> Entry:
    labels = np.arange(right.shape[1]) % 4  # so that chance is a quarter
    answers = {}
    for seed, of_seed in enumerate(right):
        counts = {
            "correct": int(of_seed.sum()),
            "test_images": len(of_seed),
            "top1": of_seed.mean(),
        }
        answers[seed] = Answers(
            row=row.model_copy(update=counts),
            labels=labels,
            predicted=np.where(of_seed, labels, labels + 1),
            images_digest="same",
        )
    return Entry(label=label, answers=answers, planned_seeds=len(right))


# -- what a report says of it ---------------------------------------------------------------------

THREE_SEEDS = FakeRun(
    models=[
        FakeModel(name=name, correct=correct + 2 * seed, seed=seed)
        for seed, name, correct in product(range(3), ("a", "b", "c"), (0,))
        for correct in [{"a": 110, "b": 106, "c": 50}[name]]
    ]
)


def test_a_group_has_its_mean_and_every_interval(tmp_path: Path) -> None:
    run = build_run(tmp_path, THREE_SEEDS)
    table = seeds_table(compare(run, read_rows(run)))
    assert table is not None
    assert [line[:4] for line in table.rows] == [
        ("a", "3", "87.5", "85.9\u201389.1"),
        ("b", "3", "84.4", "82.8\u201385.9"),
        ("c", "3", "40.6", "39.1\u201342.2"),
    ]
    assert table.rows[2][-1] == "b"


def test_a_run_with_one_seed_has_no_table_of_groups(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=(FakeModel(name="a", correct=90),)))
    assert seeds_table(compare(run, read_rows(run))) is None


def test_a_seed_that_failed_is_missed_in_the_mean(tmp_path: Path) -> None:
    models = [FakeModel(name="a", correct=90 + seed, seed=seed) for seed in range(2)]
    models.append(FakeModel(name="a", status="diverged", reason="nan", seed=2))
    run = build_run(tmp_path, FakeRun(models=models))
    comparison = compare(run, read_rows(run))
    table = seeds_table(comparison)
    assert table is not None
    assert table.rows[0][1] == "2 of 3"
    assert "a has 2 of 3 seeds" in seeds_sentences(comparison)[-1]


def test_the_notes_name_the_test_for_several_seeds(tmp_path: Path) -> None:
    run = build_run(tmp_path, THREE_SEEDS)
    comparison = compare(run, read_rows(run))
    assert "another seed on other images" in comparison_notes(comparison)[0]
    pairs = {(pair.better, pair.worse): pair_sentence(pair) for pair in comparison.pairs}
    assert "cannot be told apart with 128 test images and 3 seeds" in pairs["a", "b"]
    assert pairs["b", "c"].startswith("b is better than c by 43.8 points")


def test_swinging_seeds_ask_for_more_seeds_and_not_for_images(tmp_path: Path) -> None:
    models = [
        FakeModel(name=name, correct=correct, seed=seed)
        for name, scores in {"a": (120, 60, 118), "b": (70, 71, 72)}.items()
        for seed, correct in enumerate(scores)
    ]
    run = build_run(tmp_path, FakeRun(models=models))
    (pair,) = compare(run, read_rows(run)).pairs
    assert pair.needed is None
    assert pair_sentence(pair).endswith("because the seeds differ too much: more seeds might.")


def test_lost_answers_leave_a_test_of_the_counts_over_the_seeds(tmp_path: Path) -> None:
    run = build_run(tmp_path, THREE_SEEDS)
    for cell in run.plan().cells:
        (run.cell(cell).path / "predictions.npz").unlink()
    comparison = compare(run, read_rows(run))
    assert [pair.separated for pair in comparison.pairs] == [False, True, True]
    assert not any(pair.test.paired for pair in comparison.pairs)


def test_the_data_of_a_comparison_holds_every_pair_and_seed(tmp_path: Path) -> None:
    run = build_run(tmp_path, THREE_SEEDS)
    (rung,) = comparison_data(compare(run, read_rows(run)))
    assert [len(group["seeds"]) for group in rung["groups"]] == [3, 3, 3]
    labels = [group["label"] for group in rung["groups"]]
    assert [(p["better"], p["worse"]) for p in rung["pairs"]] == list(combinations(labels, 2))
