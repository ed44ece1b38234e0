"""A network that saw fewer than five epochs is not ranked, whatever the tests say of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.cli.show.runs import show_outcome
from cnnbench.report.analysis.comparison import compare_rungs
from cnnbench.report.analysis.entries import Answers, Entry
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.analysis.two_runs import compare_runs
from cnnbench.report.pages.render import BEGIN, END, update_readme
from cnnbench.report.sections import RunReport
from cnnbench.report.sections.headline import headline, headline_sentences
from cnnbench.report.sections.results import report_table, starved_note
from cnnbench.report.text.table import as_markdown
from cnnbench.report.text.wording import STARVED
from cnnbench.report.write import write_report
from cnnbench.schema.foresight import STARVED_EPOCHS
from cnnbench.schema.result import BudgetUsed, Row
from cnnbench.store import RunFolder

N_TRAIN, SECONDS = 1200, 120


def fed(name: str, correct: int, epochs: float, **fields: object) -> FakeModel:
    """Return a network whose speed buys it so many epochs of the run below."""
    rate = epochs * N_TRAIN / SECONDS
    return replace(FakeModel(name=name, correct=correct, images_per_second=rate), **fields)


def run_of(path: Path, *models: FakeModel, budget: str = "2m") -> RunFolder:
    return build_run(path, FakeRun(models=models, train_images=N_TRAIN, budget=budget))


def test_where_all_are_starved_the_headline_begins_with_that(tmp_path: Path) -> None:
    run = run_of(tmp_path, fed("a", 100, 1.4), fed("b", 60, 0.6), fed("c", 24, 0.1))
    first, second, *rest = headline(run)
    assert first == "Too early to rank: 0.1 to 1.4 epochs each, where 5 are the least."
    assert second.startswith("a is ahead so far: 78.1 % right (100 of 128")
    assert not any(word in " ".join(rest) for word in ("best", "better", "told apart"))


def test_a_starved_network_is_kept_out_of_the_ranking_of_the_others(tmp_path: Path) -> None:
    run = run_of(tmp_path, fed("a", 80, 12), fed("b", 60, 8), fed("slow", 120, 2.6))
    assert headline(run)[:2] == [
        "Too early to rank slow, which saw 2.6 epochs, where 5 are the least.",
        "Among the others a is best: 62.5 % right (80 of 128, 95 % interval 53.9 to 70.4 %).",
    ]


def test_ties_among_the_others_are_said_of_them_only(tmp_path: Path) -> None:
    run = run_of(tmp_path, fed("a", 80, 12), fed("b", 79, 8), fed("slow", 78, 2.6))
    assert headline(run)[1] == (
        "Among the others there is no winner: a and b cannot be told apart with 128 test images."
    )


def test_one_network_that_saw_enough_has_no_rival(tmp_path: Path) -> None:
    run = run_of(tmp_path, fed("a", 80, 12), fed("slow", 60, 2.6))
    assert headline(run)[1].endswith("Nothing else saw enough to compare it with.")


def test_a_single_network_is_too_early_to_judge(tmp_path: Path) -> None:
    first, second = headline(run_of(tmp_path, fed("a", 80, 0.9)))
    assert first == "Too early to judge a: it saw 0.9 epochs, where 5 are the least."
    assert second.startswith("a: 62.5 % right")


def test_the_seeds_of_a_network_count_in_the_mean(tmp_path: Path) -> None:
    seeds = [fed("a", 80, epochs, seed=seed) for seed, epochs in enumerate((4.6, 5.1, 5.9))]
    assert "Too early" not in " ".join(headline(run_of(tmp_path / "fed", *seeds)))
    late = run_of(tmp_path / "starved", *seeds[:2])
    assert headline(late)[0] == "Too early to judge a: it saw 4.8 epochs, where 5 are the least."


def test_too_few_epochs_are_never_rounded_up_to_enough(tmp_path: Path) -> None:
    run = run_of(tmp_path, fed("a", 80, 4.98))
    assert headline(run)[0] == "Too early to judge a: it saw 4.9 epochs, where 5 are the least."


def test_exactly_the_least_is_enough(tmp_path: Path) -> None:
    run = run_of(tmp_path, FakeModel(name="a", correct=80), budget="5ep")
    assert [row.starved for row in read_rows(run)] == [False]


@pytest.mark.parametrize(("budget", "helps"), [("2ep", False), ("2400img", False), ("2m", True)])
def test_smaller_images_are_advised_only_where_they_buy_epochs(
    tmp_path: Path, budget: str, helps: bool
) -> None:
    note = starved_note(read_rows(run_of(tmp_path, fed("a", 80, 2.0), budget=budget)))
    assert "About 2.5 times the budget" in note
    assert ("smaller images" in note) == helps


def test_a_network_that_failed_is_not_called_starved(tmp_path: Path) -> None:
    run = run_of(tmp_path, fed("a", 80, 12), fed("b", 0, 0.3, status="oom", reason="x"))
    assert [row.starved for row in read_rows(run)] == [False, None]
    assert headline(run)[0].startswith("a: 62.5 % right")


def test_a_run_that_did_not_count_epochs_is_ranked() -> None:
    entry = Entry(label="a", answers={0: Answers(row=made_row("a", None, 80))})
    assert not entry.is_starved


def ladder(path: Path, low: float, high: float) -> RunFolder:
    models = [
        fed(name, correct, epochs, budget=budget)
        for budget, epochs in (("1m", low * 2), ("2m", high))
        for name, correct in (("alexnet", 70), ("resnet18", 110))
    ]
    return run_of(path, *models)


def test_the_lower_rungs_of_a_ladder_starve_by_design(tmp_path: Path) -> None:
    run = ladder(tmp_path, 1.0, 8.0)
    assert headline(run)[0].startswith("resnet18 at 2m is best")
    assert starved_note(read_rows(run)) == STARVED
    text = as_markdown(report_table(RunReport.read(run)))
    assert "| alexnet at 1m \N{DAGGER} |" in text
    assert "| alexnet at 2m |" in text


def test_a_ladder_is_as_well_fed_as_its_largest_rung(tmp_path: Path) -> None:
    run = ladder(tmp_path, 1.0, 2.0)
    assert headline(run)[0] == "Too early to rank: 2.0 epochs each, where 5 are the least."
    assert "About 2.5 times the largest budget" in starved_note(read_rows(run))


@pytest.mark.parametrize(("most", "early"), [("4ep", True), ("8ep", False)])
def test_a_sweep_of_budgets_is_as_well_fed_as_its_largest(
    tmp_path: Path, most: str, early: bool
) -> None:
    models = [
        FakeModel(name="alexnet", correct=60 + 20 * index, budget=budget)
        for index, budget in enumerate(("1ep", "2ep", most))
    ]
    first = headline(run_of(tmp_path, *models))[0]
    said = "Too early to judge alexnet: it saw 1.0 to 4.0 epochs, where 5 are the least."
    assert (first == said) == early
    assert early or first.startswith("There is no") or "is best" in first


def test_the_table_marks_what_is_starved_and_says_what_would_feed_it(tmp_path: Path) -> None:
    run = run_of(tmp_path, fed("a", 80, 12), fed("slow", 60, 2.0))
    text = write_report(run).read_text()
    assert "| slow \N{DAGGER} |" in text
    assert "| a |" in text
    assert f"{STARVED} About 2.5 times the budget, or smaller images" in text
    assert r"slow \textdagger{}" in (tmp_path / "results.tex").read_text()
    for page in ("report.html", "figures/accuracy.svg"):
        assert STARVED in (tmp_path / page).read_text("utf-8")
    groups = json.loads((tmp_path / "comparison.json").read_text())["rungs"][0]["groups"]
    assert {group["label"]: group["starved"] for group in groups} == {"a": False, "slow": True}


def test_a_run_that_is_fed_has_no_marks(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    assert "\N{DAGGER}" not in write_report(run).read_text("utf-8")
    assert STARVED not in (tmp_path / "figures" / "accuracy.svg").read_text("utf-8")


def test_the_table_in_a_readme_says_it_too(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    update_readme(readme, run_of(tmp_path / "run", fed("a", 80, 1.0), fed("b", 60, 2.0)))
    text = readme.read_text()
    assert text.startswith(f"{BEGIN}\n**Too early to rank: 1.0 to 2.0 epochs each")
    assert STARVED in text


def test_the_console_says_it_before_the_scores_are_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path, fed("a", 80, 1.0), fed("b", 60, 2.0))
    write_report(run)
    assert show_outcome(tmp_path, as_json=False, was_done=False) == 0
    told = capsys.readouterr().out
    assert "a \N{DAGGER}" in told
    assert STARVED in told
    assert "Too early to rank: 1.0 to 2.0" in told
    show_outcome(tmp_path, as_json=True, was_done=False)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["starved"] for row in rows] == [True, True]


def test_two_runs_are_compared_with_a_word_about_what_is_starved(tmp_path: Path) -> None:
    a = run_of(tmp_path / "a", fed("x", 40, 2.0), fed("y", 40, 9.0))
    b = run_of(tmp_path / "b", fed("x", 90, 2.1), fed("y", 90, 9.0))
    starved, enough = compare_runs(a, b).judged
    assert starved.verdict == "better"
    assert starved.reason == (
        "too early to judge: it saw 2.0 epochs in A and 2.1 epochs in B, where 5 are the least"
    )
    assert enough.reason == ""
    assert enough.epochs == (9.0, 9.0)


def made_row(name: str, epochs: float | None, correct: int) -> Row:
    return Row(
        cell=name,
        model=name,
        dataset="d",
        recipe="common",
        seed=0,
        status="done",
        correct=correct,
        test_images=128,
        top1=correct / 128,
        top1_low=0.0,
        top1_high=1.0,
        epochs=epochs,
        budget=BudgetUsed(currency="seconds", limit=120.0),
        lr=0.1,
        batch_size=16,
        image_size=64,
        precision="fp32",
        device="cpu",
    )


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 10.0, allow_nan=False), st.integers(0, 128)),
        min_size=1,
        max_size=5,
    )
)
def test_nobody_starved_is_ever_called_best_and_everybody_starved_is_named(
    networks: Sequence[tuple[float, int]],
) -> None:
    rows = [made_row(f"net{i}", epochs, right) for i, (epochs, right) in enumerate(networks)]
    entries = [Entry(label=row.model, answers={0: Answers(row=row)}) for row in rows]
    comparison = compare_rungs([entries], budgets=[None])
    first, *others = headline_sentences(comparison, rows, {row.cell: row.model for row in rows})
    starved = {row.model for row in rows if (row.epochs or 0.0) < STARVED_EPOCHS}
    assert first.startswith("Too early") == bool(starved)
    if starved and len(starved) < len(rows):
        assert all(name in first for name in starved)
    ranks = [text for text in (first, *others) if "is best" in text or "better than" in text]
    assert not any(name in text for name in starved for text in ranks)
