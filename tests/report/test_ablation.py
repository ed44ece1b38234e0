from __future__ import annotations

from pathlib import Path

from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report.analysis.comparison import compare
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.ablation import ablation_sentences, ablation_table, base_of, effects
from cnnbench.report.write import write_report
from cnnbench.store import RunFolder

SCORES = {"alexnet": 100, "alexnet-no-lrn": 101, "alexnet-tanh": 60, "alexnet-pool2x2": 98}


def ablated(path: Path) -> RunFolder:
    models = [FakeModel(name=name, correct=correct) for name, correct in SCORES.items()]
    return build_run(path, FakeRun(models=models))


def test_variants_of_the_first_network_are_an_ablation(tmp_path: Path) -> None:
    assert base_of(ablated(tmp_path).plan()) == "alexnet"


def test_other_networks_are_no_ablation(tmp_path: Path) -> None:
    assert base_of(build_run(tmp_path, FOUR).plan()) is None


def test_an_effect_stands_beside_the_papers_claim(tmp_path: Path) -> None:
    run = ablated(tmp_path)
    table = ablation_table(effects(compare(run, read_rows(run)), "alexnet"), "alexnet")
    lines = {line[0]: line for line in table.rows}
    assert lines["alexnet-no-lrn"][1] == "local response normalisation"
    assert lines["alexnet-no-lrn"][2] == "\u22120.8"
    assert lines["alexnet-no-lrn"][6] == "+1.4"
    assert lines["alexnet-pool2x2"][6] == "+0.4"
    assert lines["alexnet-tanh"][5:7] == ("yes", "\u2013")


def test_an_effect_lies_within_its_interval(tmp_path: Path) -> None:
    run = ablated(tmp_path)
    for effect in effects(compare(run, read_rows(run)), "alexnet"):
        low, high = effect.interval
        assert low < effect.difference < high


def test_only_established_effects_are_called_effects(tmp_path: Path) -> None:
    run = ablated(tmp_path)
    sentences = ablation_sentences(effects(compare(run, read_rows(run)), "alexnet"), "alexnet")
    assert sentences[0] == "alexnet gets 31.2 points more than alexnet-tanh (Holm's p < 0.001)."
    assert sentences[1].startswith(
        "No effect is established against alexnet-pool2x2, alexnet-no-lrn"
    )


def test_an_ablation_whose_base_failed_has_no_effects(tmp_path: Path) -> None:
    models = [
        FakeModel(name="alexnet", status="oom", reason="no room"),
        FakeModel(name="alexnet-tanh", correct=60),
    ]
    run = build_run(tmp_path, FakeRun(models=models))
    assert effects(compare(run, read_rows(run)), "alexnet") == []


def test_the_report_has_the_table(tmp_path: Path) -> None:
    text = write_report(ablated(tmp_path)).read_text()
    assert "## What each ingredient of alexnet is worth here" in text
