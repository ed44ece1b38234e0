from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report.analysis.comparison import MOST_COMPARED, Comparison, compare
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.headline import headline
from cnnbench.report.sections.pairs import comparison_notes, pair_sentence
from cnnbench.schema.names import labels
from cnnbench.schema.result import Status
from cnnbench.store import RunFolder


def run_with(path: Path, scores: dict[str, int]) -> RunFolder:
    models = [FakeModel(name=name, correct=correct) for name, correct in scores.items()]
    return build_run(path, FakeRun(models=models))


def comparison(run: RunFolder) -> Comparison:
    return compare(run, read_rows(run))


def test_a_separated_winner_is_named_and_the_ties_below_it(tmp_path: Path) -> None:
    assert headline(build_run(tmp_path, FOUR)) == [
        "resnet18 is best: 80.5 % right (103 of 128, 95 % interval 72.8 to 86.4 %).",
        "googlenet and alexnet cannot be told apart with 128 test images.",
        "vgg11 (17.2 %) cannot be told from chance: always naming the largest class would be right "
        "for 17.2 % of the test images.",
    ]


def test_two_photos_make_no_winner(tmp_path: Path) -> None:
    sentences = headline(run_with(tmp_path, {"alexnet": 113, "vgg11": 111}))
    assert sentences[0] == (
        "There is no winner: alexnet and vgg11 cannot be told apart with 128 test images."
    )
    assert not any("best" in sentence for sentence in sentences)


def test_a_tie_at_the_top_is_better_than_what_it_beats(tmp_path: Path) -> None:
    sentences = headline(run_with(tmp_path, {"a": 110, "b": 108, "c": 60}))
    assert sentences == [
        "There is no single winner: a and b cannot be told apart with 128 test images.",
        "a and b are both better than c.",
    ]


def test_a_full_order_is_said_when_every_pair_is_separated(tmp_path: Path) -> None:
    assert headline(run_with(tmp_path, {"c": 40, "a": 120, "b": 80}))[1] == (
        "Every pair can be told apart: a > b > c."
    )


@pytest.mark.parametrize(("budget", "told"), [("2m", True), ("3000img", False)])
def test_seeds_that_a_machine_treated_differently_are_told(
    tmp_path: Path, budget: str, told: bool
) -> None:
    models = [
        FakeModel(name=name, correct=60 + seed, seed=seed, images_per_second=rate)
        for name, rates in (("a", (40.0, 10.0, 41.0)), ("b", (40.0, 39.0, 41.0)))
        for seed, rate in enumerate(rates)
    ]
    text = " ".join(headline(build_run(tmp_path, FakeRun(models=models, budget=budget))))
    assert ("a (10.0 to 41.0)" in text) == told
    assert "b (" not in text


def test_one_finished_network_is_compared_with_nothing(tmp_path: Path) -> None:
    models = (FakeModel(name="a", correct=90), FakeModel(name="b", status="oom", reason="x"))
    assert headline(build_run(tmp_path, FakeRun(models=models))) == [
        "a: 70.3 % right (90 of 128, 95 % interval 61.9 to 77.5 %). "
        "There is nothing to compare it with.",
        "b ran out of memory.",
    ]


def test_nothing_finished_says_so(tmp_path: Path) -> None:
    models = [FakeModel(name=name, status="planned") for name in "abc"]
    assert headline(build_run(tmp_path, FakeRun(models=models))) == [
        "None of 3 cells has finished, so nothing can be said yet.",
        "a, b and c have not started.",
    ]


def test_what_became_of_some_seeds_is_not_said_of_the_network(tmp_path: Path) -> None:
    statuses: dict[int, Status] = {0: "done", 1: "failed", 2: "killed", 4: "running"}
    models = [
        FakeModel(name="a", seed=seed, status=statuses.get(seed, "planned"), correct=90, reason="x")
        for seed in range(12)
    ]
    _, *sentences = headline(build_run(tmp_path, FakeRun(models=models)))
    assert sentences == [
        "a seed 1 failed.",
        "a seeds 2 and 4 were stopped before their end.",
        "8 seeds of a have not started.",
    ]


@pytest.mark.parametrize(
    ("status", "said"), [("planned", "a is ahead so far: "), ("failed", "a is ahead: ")]
)
def test_a_network_of_which_seeds_are_missing_is_not_called_best(
    tmp_path: Path, status: Status, said: str
) -> None:
    a = [FakeModel(name="a", seed=seed, status=status) for seed in range(1, 6)]
    b = [FakeModel(name="b", seed=seed, correct=40 + seed) for seed in range(6)]
    run = build_run(tmp_path, FakeRun(models=[FakeModel(name="a", correct=110), *a, *b]))
    first = headline(run)[0]
    assert first.startswith(said)
    assert first.endswith("(110 of 128, 95 % interval 78.9 to 90.9 %; 1 of 6 seeds).")


def test_a_rival_that_is_not_finished_leaves_the_ranking_open(tmp_path: Path) -> None:
    models = [*FOUR.models[:3], FakeModel(name="resnet18", status="running")]
    text = " ".join(headline(build_run(tmp_path, FakeRun(models=models))))
    assert "There is no single winner yet" in text


def test_a_rival_that_ran_out_of_memory_does_not(tmp_path: Path) -> None:
    models = [FOUR.models[3], FOUR.models[2], FakeModel(name="b", status="oom", reason="x")]
    assert headline(build_run(tmp_path, FakeRun(models=models)))[0].startswith("resnet18 is best")


def test_two_equal_highest_scores_are_both_named(tmp_path: Path) -> None:
    sentences = headline(run_with(tmp_path, {"a": 90, "b": 88, "c": 90}))
    assert sentences[1].startswith("The highest score is that of a and c alike: 70.3 % right (90")


def test_equal_scores_are_a_tie_that_no_number_of_images_separates(tmp_path: Path) -> None:
    run = run_with(tmp_path, {"a": 90, "b": 90})
    (pair,) = comparison(run).pairs
    assert pair.needed is None
    assert pair_sentence(pair).endswith("their scores are equal.")


def test_a_pair_says_how_many_images_it_would_take(tmp_path: Path) -> None:
    (pair,) = comparison(run_with(tmp_path, {"alexnet": 113, "vgg11": 111})).pairs
    sentence = pair_sentence(pair)
    assert sentence.startswith(
        "alexnet and vgg11 cannot be told apart with 128 test images (Holm's p = "
    )
    assert "would separate a difference of this size, 1.6 points" in sentence


def test_networks_on_other_images_are_not_paired(tmp_path: Path) -> None:
    run = run_with(tmp_path, {"a": 120, "b": 60})
    folder = run.cell(run.plan().cells[1])
    kept = folder.predictions()
    assert kept is not None
    folder.write_predictions(replace(kept, names=tuple(f"other/{n}" for n in kept.names)))
    compared = comparison(run)
    assert not compared.pairs[0].test.paired
    assert any("Fisher" in note for note in comparison_notes(compared))


def test_lost_predictions_leave_the_counts_to_compare(tmp_path: Path) -> None:
    run = run_with(tmp_path, {"a": 120, "b": 60})
    for cell in run.plan().cells:
        (run.cell(cell).path / "predictions.npz").unlink()
    compared = comparison(run)
    assert compared.pairs[0].separated
    assert not compared.pairs[0].test.paired
    assert compared.largest_class is None


@pytest.mark.parametrize(("second", "separated"), [([60, 58, 62], True), ([60, 58, 110], False)])
def test_with_several_seeds_every_seed_must_agree(
    tmp_path: Path, second: Sequence[int], separated: bool
) -> None:
    models = [FakeModel(name="a", correct=100 + seed, seed=seed) for seed in range(3)]
    models += [FakeModel(name="b", correct=c, seed=seed) for seed, c in enumerate(second)]
    (pair,) = comparison(build_run(tmp_path, FakeRun(models=models))).pairs
    assert pair.separated is separated


def test_a_crowd_is_compared_as_far_as_anybody_reads(tmp_path: Path) -> None:
    compared = comparison(run_with(tmp_path, {f"m{n}": 50 + n for n in range(MOST_COMPARED + 2)}))
    assert (len(compared.entries), compared.left_out) == (MOST_COMPARED, 2)
    assert compared.entries[0].label == f"m{MOST_COMPARED + 1}"
    assert "Only the best 60 of 62 finished contenders" in comparison_notes(compared)[-1]


def test_cells_that_differ_in_a_setting_are_named_by_it(tmp_path: Path) -> None:
    models = [FakeModel(name="alexnet", correct=60, lr=lr) for lr in (0.1, 0.01)]
    models += [FakeModel(name="vgg11", correct=60, lr=0.01)]
    plan = build_run(tmp_path, FakeRun(models=models)).plan()
    assert list(labels(plan).values()) == ["alexnet lr 0.1", "alexnet lr 0.01", "vgg11"]
