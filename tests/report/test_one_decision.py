"""Wherever a pair is named in a report, the words, letters, p-values and intervals agree."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from synthetic import FakeModel, FakeRun, build_run

from cnnbench.report.analysis.comparison import compare, comparison_data
from cnnbench.report.analysis.rows import read_rows, results_json
from cnnbench.report.sections.ablation import ablation_table, effects
from cnnbench.report.sections.ladder import ladder_sentences
from cnnbench.report.sections.pairs import pair_sentence
from cnnbench.schema.names import line_names
from cnnbench.store import RunFolder

VARIANTS = ("alexnet", "alexnet-no-lrn", "alexnet-tanh", "alexnet-pool2x2", "alexnet-no-dropout")


def random_run(path: Path, seed: int, *, budgets: tuple[str, ...] = ("2m",)) -> RunFolder:
    """Write a run whose networks differ by a little or by much, with 1 to 3 seeds each."""
    rng = np.random.default_rng(seed)
    test_images = int(rng.choice([12, 40, 128]))
    seeds = int(rng.integers(1, 4))
    models = [
        FakeModel(name=name, correct=int(correct), seed=each, budget=budget)
        for budget, name in product(budgets, VARIANTS)
        for share in [rng.uniform(0.4, 1)]
        for each, correct in enumerate(rng.binomial(test_images, share, seeds))
    ]
    return build_run(path, FakeRun(models=models, test_images=test_images, evaluations=1))


@pytest.mark.parametrize("seed", range(12))
def test_every_place_says_the_same_of_a_pair(tmp_path: Path, seed: int) -> None:
    comparison = compare(run := random_run(tmp_path, seed), read_rows(run))
    letters = {entry.label: set(letters) for entry, letters in comparison.lettered}
    (rung,) = comparison_data(comparison)
    table = ablation_table(effects(comparison, "alexnet"), "alexnet")
    established = {line[0]: line[5] == "yes" for line in table.rows}
    ends = {line[0]: line[3].split(" to ") for line in table.rows}
    for pair, data in zip(comparison.pairs, rung["pairs"], strict=True):
        assert data["separated"] is pair.separated is (data["p_holm"] < 0.05)
        assert pair.separated is not (data["low"] <= 0 <= data["high"])
        assert data["low"] <= data["difference"] <= data["high"]
        assert (" is better than " in pair_sentence(pair)) is pair.separated
        assert pair.separated is letters[pair.better].isdisjoint(letters[pair.worse])
        if not pair.separated:
            assert pair.needed is None or pair.needed > pair.test.n_images
        if "alexnet" in (pair.better, pair.worse):
            variant = pair.worse if pair.better == "alexnet" else pair.better
            assert established[variant] is pair.separated
            low, high = ends[variant]
            assert pair.separated is (low[0] == high[0] in "+\u2212")


@pytest.mark.parametrize("seed", range(4))
def test_a_crossing_is_established_where_both_of_its_ranks_are(tmp_path: Path, seed: int) -> None:
    run = random_run(tmp_path, seed, budgets=("15s", "30s"))
    comparison = compare(run, read_rows(run))
    lines = line_names(run.plan())
    proven = {
        (lines[pair.better], lines[pair.worse], str(rung.budget))
        for rung in comparison.rungs
        for pair in rung.pairs
        if pair.separated
    }
    for sentence in ladder_sentences(comparison, lines):
        words = sentence.split()
        if words[1] == "overtakes":
            assert (words[2], words[0], "15s") in proven
            assert (words[0], words[2], "30s") in proven


def test_a_list_in_a_row_holds_no_number_that_is_not_finite(tmp_path: Path) -> None:
    (row,) = read_rows(build_run(tmp_path, FakeRun(models=[FakeModel(name="a", correct=1)])))
    measured = row.model_copy(update={"canary_gflops": (float("nan"), 5.0)})
    assert json.loads(results_json([measured]))["rows"][0]["canary_gflops"] == [None, 5.0]
