from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synthetic import FakeModel, FakeRun, build_run

from cnnbench.report.analysis.comparison import compare
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.analysis.sweeps import sweep_points, swept
from cnnbench.report.sections.sweeps import sweep_sentences
from cnnbench.report.write import write_report
from cnnbench.store import RunFolder

RATES = [
    FakeModel(name="alexnet", correct=40, lr=0.001),
    FakeModel(name="alexnet", correct=100, lr=0.01),
    FakeModel(name="alexnet", status="diverged", reason="the training loss became nan", lr=0.1),
]


def sweep(path: Path, models: Sequence[FakeModel]) -> RunFolder:
    return build_run(path, FakeRun(models=models))


def sentences_of(run: RunFolder, key: str) -> list[str]:
    comparison, table = compare(run, read_rows(run)), read_rows(run)
    return sweep_sentences(sweep_points(run.plan(), table, comparison, key), key, comparison)


def test_a_rate_is_called_worse_only_if_that_is_established(tmp_path: Path) -> None:
    models = [*RATES, FakeModel(name="alexnet", correct=98, lr=0.02)]
    sentence, diverged = sentences_of(sweep(tmp_path, models), "lr")
    assert sentence == (
        "alexnet: the highest score is at lr 0.01, 78.1 %; 0.001 is worse; "
        "0.02 cannot be told apart from it."
    )
    assert diverged == "alexnet at lr 0.1 diverged: the training loss became nan."


def test_two_rates_with_the_highest_score_are_both_named(tmp_path: Path) -> None:
    models = [FakeModel(name="alexnet", correct=90, lr=lr) for lr in (0.01, 0.02)]
    models.append(FakeModel(name="alexnet", correct=30, lr=0.04))
    assert sentences_of(sweep(tmp_path, models), "lr") == [
        "alexnet: the highest score is at lr 0.01 and 0.02 alike, 70.3 %; 0.04 is worse."
    ]


def test_a_rate_that_follows_the_batch_size_is_not_swept(tmp_path: Path) -> None:
    models = [FakeModel(name="alexnet", correct=60, lr=b / 3200, batch_size=b) for b in (16, 32)]
    run = sweep(tmp_path, models)
    assert swept(run.plan()) == ["batch size"]
    points = sweep_points(run.plan(), read_rows(run), compare(run, read_rows(run)), "batch size")
    assert [(point.line, point.text) for point in points] == [("alexnet", "16"), ("alexnet", "32")]


def test_a_grid_sweeps_both_of_its_settings(tmp_path: Path) -> None:
    models = [
        FakeModel(name="alexnet", correct=60 + b, lr=lr, batch_size=b)
        for lr in (0.1, 0.01)
        for b in (16, 32)
    ]
    run = sweep(tmp_path, models)
    assert swept(run.plan()) == ["lr", "batch size"]
    points = sweep_points(run.plan(), read_rows(run), compare(run, read_rows(run)), "lr")
    assert {point.line for point in points} == {"alexnet batch size 16", "alexnet batch size 32"}


def test_networks_with_their_own_rates_are_no_sweep(tmp_path: Path) -> None:
    models = [FakeModel(name="alexnet", correct=60), FakeModel(name="vgg11", correct=60, lr=0.02)]
    assert swept(sweep(tmp_path, models).plan()) == []


def test_epochs_are_swept_for_one_network(tmp_path: Path) -> None:
    models = [FakeModel(name="alexnet", correct=60, budget=b) for b in ("5ep", "10ep")]
    assert swept(sweep(tmp_path, models).plan()) == ["budget"]


def test_several_seeds_are_one_point(tmp_path: Path) -> None:
    models = [
        FakeModel(name="alexnet", correct=60 + seed, seed=seed, lr=lr)
        for seed in range(3)
        for lr in (0.1, 0.01)
    ]
    run = sweep(tmp_path, models)
    points = sweep_points(run.plan(), read_rows(run), compare(run, read_rows(run)), "lr")
    assert [point.top1 for point in points] == [61 / 128, 61 / 128]


def test_the_report_draws_the_sweep(tmp_path: Path) -> None:
    text = write_report(sweep(tmp_path, RATES)).read_text()
    assert "## Sweep of the learning rate" in text
    assert "the training loss became nan" in text
    assert (tmp_path / "figures" / "sweep-lr.svg").exists()
