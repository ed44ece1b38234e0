from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synthetic import FakeModel, FakeRun, build_run

from cnnbench.report.analysis.comparison import Comparison, compare
from cnnbench.report.analysis.ladder import crossings, ladder_data
from cnnbench.report.analysis.rows import ranked, read_rows
from cnnbench.report.sections import RunReport
from cnnbench.report.sections.headline import headline
from cnnbench.report.sections.ladder import ladder_sentences, ladder_table, section
from cnnbench.report.sections.pairs import standing
from cnnbench.report.write import write_report
from cnnbench.schema.names import labels, line_names
from cnnbench.store import RunFolder

CROSSING = {"alexnet": (60, 70, 75), "resnet18": (25, 72, 110)}
BUDGETS = ("15s", "30s", "1m")


def ladder(path: Path, scores: Mapping[str, Sequence[int | None]], *, seeds: int = 1) -> RunFolder:
    models = [
        FakeModel(name=name, correct=(correct or 0) + seed, budget=budget, seed=seed)
        if correct is not None
        else FakeModel(name=name, status="oom", reason="no room", budget=budget, seed=seed)
        for seed in range(seeds)
        for step, budget in enumerate(BUDGETS)
        for name, counts in scores.items()
        for correct in [counts[step]]
    ]
    return build_run(path, FakeRun(models=models))


def compared(run: RunFolder) -> tuple[Comparison, dict[str, str]]:
    return compare(run, read_rows(run)), line_names(run.plan())


def test_only_networks_under_the_same_budget_are_compared(tmp_path: Path) -> None:
    comparison, _ = compared(ladder(tmp_path, CROSSING))
    assert [str(rung.budget) for rung in comparison.rungs] == list(BUDGETS)
    assert [len(rung.pairs) for rung in comparison.rungs] == [1, 1, 1]


def test_one_correction_covers_all_rungs(tmp_path: Path) -> None:
    comparison, _ = compared(ladder(tmp_path, CROSSING))
    tests = sorted(
        (pair for rung in comparison.rungs for pair in rung.pairs), key=lambda pair: pair.test.p
    )
    assert tests[0].decision.p_holm == pytest.approx(3 * tests[0].test.p)


def test_a_crossing_is_named_where_both_orders_are_established(tmp_path: Path) -> None:
    sentences = ladder_sentences(*compared(ladder(tmp_path, CROSSING)))
    assert sentences[0] == "resnet18 overtakes alexnet between 15s and 1m on this machine."
    assert sentences[1] == "At 15s: alexnet > resnet18 (1 of 1 ranks established)."
    assert sentences[2] == "At 30s: resnet18 ~ alexnet (0 of 1 ranks established)."


def test_a_crossing_that_may_be_luck_is_said_to_be_not_established(tmp_path: Path) -> None:
    scores = {"alexnet": (60, 70, 75), "resnet18": (58, 72, 110)}
    sentences = ladder_sentences(*compared(ladder(tmp_path, scores)))
    assert sentences[0].startswith(
        "resnet18 is seen to overtake alexnet between 15s and 30s, but this is not established"
    )


def test_a_ladder_without_a_crossing_says_so(tmp_path: Path) -> None:
    scores = {"alexnet": (30, 40, 50), "resnet18": (80, 100, 120)}
    sentences = ladder_sentences(*compared(ladder(tmp_path, scores)))
    assert sentences[0] == "No network is seen to overtake another on this ladder."


def test_equal_scores_between_two_rungs_do_not_hide_the_crossing(tmp_path: Path) -> None:
    scores = {"alexnet": (60, 70, 75), "resnet18": (25, 70, 110)}
    (crossing,) = crossings(*compared(ladder(tmp_path, scores)))
    assert (str(crossing.before), str(crossing.after)) == ("15s", "1m")


def test_the_headline_is_of_the_largest_budget(tmp_path: Path) -> None:
    sentences = headline(ladder(tmp_path, CROSSING))
    assert sentences[0].startswith("resnet18 at 1m is best: 85.9 % right")
    assert sentences[1] == "resnet18 overtakes alexnet between 15s and 1m on this machine."


def test_a_rung_that_failed_is_a_dash_in_the_table(tmp_path: Path) -> None:
    run = ladder(tmp_path, {"alexnet": (60, 70, 75), "vgg11": (None, 40, 50)})
    table = ladder_table(*compared(run))
    assert table.header == ("model", *BUDGETS)
    assert table.rows[1][:2] == ("vgg11", "\u2013")
    assert table.rows[0][3] == "58.6 (49.9\u201366.8) a"


def test_rungs_stay_together_in_the_table_of_results(tmp_path: Path) -> None:
    run = ladder(tmp_path, CROSSING)
    limits = [row.budget.limit for row in ranked(read_rows(run), labels(run.plan()))]
    assert limits == sorted(limits, reverse=True)


def test_several_seeds_are_one_point_each_rung(tmp_path: Path) -> None:
    data = ladder_data(*compared(ladder(tmp_path, CROSSING, seeds=3)))
    assert len(data["points"]) == 6
    assert {point["seeds"] for point in data["points"]} == {3}


def test_the_report_draws_the_ladder(tmp_path: Path) -> None:
    run = ladder(tmp_path, CROSSING)
    text = write_report(run).read_text()
    assert "## Accuracy against budget" in text
    nodes = ElementTree.parse(tmp_path / "figures" / "ladder.svg").iter()
    texts = {"".join(node.itertext()).strip() for node in nodes if node.tag.endswith("}text")}
    assert {"alexnet", "resnet18", *BUDGETS} <= texts


def test_epochs_of_one_network_are_no_ladder_but_compared_with_each_other(tmp_path: Path) -> None:
    models = [
        FakeModel(name="alexnet", correct=60 + 20 * step, budget=budget)
        for step, budget in enumerate(("1ep", "2ep", "4ep"))
    ]
    run = build_run(tmp_path, FakeRun(models=models))
    report = RunReport.read(run)
    assert section(report) is None
    assert len(report.comparison.pairs) == 3


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        ({"a": 120, "b": 118, "c": 40}, "a ~ b > c"),
        ({"a": 120, "b": 80, "c": 40}, "a > b > c"),
        ({"a": 100, "b": 90, "c": 80}, "a ~ b, b ~ c; a > c"),
    ],
)
def test_the_standing_shows_what_is_established(
    tmp_path: Path, scores: dict[str, int], order: str
) -> None:
    models = [FakeModel(name=name, correct=correct) for name, correct in scores.items()]
    run = build_run(tmp_path, FakeRun(models=models))
    assert standing(compare(run, read_rows(run))) == order
