"""Seconds of unlike machines are not ranked together unless it was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from kept_networks import keep
from synthetic import FakeModel, FakeRun, build_run
from typer.testing import CliRunner

from cnnbench.base.exits import Exit, exit_of
from cnnbench.cli.options import app
from cnnbench.cli.show.runs import show_outcome
from cnnbench.report.analysis.choice import NotRanked, choose_network
from cnnbench.report.analysis.comparison import compare
from cnnbench.report.analysis.machines import UNSTEADY
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.analysis.two_runs import CannotCompare, compare_runs
from cnnbench.report.sections.headline import headline
from cnnbench.report.text.wording import UNRANKED
from cnnbench.report.write import write_report
from cnnbench.schema.origin import Origin
from cnnbench.schema.result import Ranking
from cnnbench.store import RunFolder

LAPTOP, SERVER = "Laptop CPU, 2 cores, 8 GiB", "Server CPU, 64 cores, 256 GiB"
NAMES = ("alexnet", "resnet18")


def run_on(path: Path, *facts: Mapping[str, Any], budget: str = "2m", seeds: int = 1) -> RunFolder:
    """Return a run of two networks whose rows have these facts of their machines, in plan order."""
    models = [
        FakeModel(name=name, correct=correct + seed, seed=seed)
        for seed in range(seeds)
        for name, correct in zip(NAMES, (60, 110), strict=True)
    ]
    run = build_run(path, FakeRun(models=models, budget=budget))
    for cell, changes in zip(run.plan().cells, facts, strict=True):
        folder = run.cell(cell)
        folder.write_result(folder.result().model_copy(update=dict(changes)))
    return run


def a_mixed_run(path: Path, **fields: Any) -> RunFolder:
    return run_on(path, {"machine": LAPTOP}, {"machine": SERVER}, **fields)


def test_unlike_machines_are_not_ranked_and_the_headline_says_why_and_what_to_do(
    tmp_path: Path,
) -> None:
    first, second, *others = headline(a_mixed_run(tmp_path))
    assert first.startswith("No rank is given: under a budget in seconds")
    assert f"{LAPTOP} (alexnet); {SERVER} (resnet18)" in first
    assert "--across-machines" in second
    assert "--budget" in second
    assert not any(word in " ".join(others) for word in ("best", "better", "told apart", "ahead"))


@pytest.mark.parametrize("budget", ["20ep", "4800img"])
def test_counted_budgets_may_mix_machines(tmp_path: Path, budget: str) -> None:
    run = a_mixed_run(tmp_path, budget=budget)
    assert "resnet18 is best" in " ".join(headline(run))
    assert "mixed origin" in write_report(run).read_text()


def test_joules_of_unlike_machines_do_not_compare_either(tmp_path: Path) -> None:
    assert "under a budget in joules" in headline(a_mixed_run(tmp_path, budget="500J"))[0]


def test_what_is_asked_for_is_ranked_and_its_meaning_said(tmp_path: Path) -> None:
    run = a_mixed_run(tmp_path)
    run.write_ranking(Ranking(across_machines=True))
    first, *others = headline(run)
    assert first.startswith("resnet18 is best")
    assert any(text.startswith("Ranked across unlike machines") for text in others)


def test_a_name_makes_no_machine_unlike(tmp_path: Path) -> None:
    run = run_on(tmp_path, {"host": "node1"}, {"host": "node2"})
    assert compare(run, read_rows(run)).machines.unlike == ()


@pytest.mark.parametrize(("faster", "unlike"), [(1 + UNSTEADY - 0.01, False), (1.3, True)])
def test_machines_of_one_kind_are_unlike_if_their_canaries_are(
    tmp_path: Path, faster: float, unlike: bool
) -> None:
    slow, fast = {"canary_gflops": (100.0, 100.0)}, {"canary_gflops": (100 * faster, 100 * faster)}
    run = run_on(tmp_path, {"host": "node1"} | slow, {"host": "node2"} | fast)
    kinds = compare(run, read_rows(run)).machines.unlike
    assert len(kinds) == (2 if unlike else 0)
    assert all(host in text for host, text in zip(("node1", "node2"), kinds, strict=False))


def test_one_host_that_changes_speed_is_one_machine(tmp_path: Path) -> None:
    run = run_on(
        tmp_path,
        {"host": "node", "canary_gflops": (100.0, 100.0)},
        {"host": "node", "canary_gflops": (200.0, 200.0)},
    )
    assert compare(run, read_rows(run)).machines.unlike == ()


def test_a_row_that_was_continued_elsewhere_is_of_no_one_kind(tmp_path: Path) -> None:
    earlier = (Origin(machine=SERVER),)
    run = run_on(tmp_path, {"machine": LAPTOP, "earlier_origins": earlier}, {"machine": LAPTOP})
    assert f"{SERVER}, then {LAPTOP} (alexnet)" in headline(run)[0]


def test_a_row_that_was_continued_on_a_twin_is_like_the_others(tmp_path: Path) -> None:
    earlier = (Origin(machine=LAPTOP, host="node1"),)
    facts = {"machine": LAPTOP, "host": "node2"}
    run = run_on(tmp_path, facts | {"earlier_origins": earlier}, facts)
    assert "resnet18 is best" in headline(run)[0]


def test_folders_that_recorded_no_machine_are_ranked_as_before(tmp_path: Path) -> None:
    run = run_on(tmp_path, {"machine": None}, {"machine": None})
    assert "resnet18 is best" in headline(run)[0]


def test_rows_that_did_not_finish_stand_in_no_way(tmp_path: Path) -> None:
    killed = {"machine": SERVER, "status": "killed", "reason": "x"}
    run = run_on(tmp_path, {"machine": LAPTOP}, killed)
    assert compare(run, read_rows(run)).machines.unlike == ()


def test_pages_keep_every_row_and_rank_none(tmp_path: Path) -> None:
    facts = [{"machine": machine} for machine in (LAPTOP, LAPTOP, SERVER, LAPTOP)]
    run = run_on(tmp_path, *facts, seeds=2)
    page = write_report(run).read_text()
    table = [line for line in page.splitlines() if line.startswith(("| alexnet |", "| resnet18 |"))]
    assert [line.split(" | ")[:2] for line in table[:4]] == [
        ["| alexnet", "0"],
        ["| resnet18", "0"],
        ["| alexnet", "1"],
        ["| resnet18", "1"],
    ]
    ours, _, _ = page.partition("## The article")
    assert not any(word in ours for word in (" is best", "is better than", "| tie |"))
    assert "## Over the seeds" not in page
    assert "mean of 2" not in (tmp_path / "figures" / "accuracy.svg").read_text("utf-8")
    for name in ("figures/accuracy.svg", "report.html"):
        assert UNRANKED in (tmp_path / name).read_text("utf-8")
    for name in ("results.json", "comparison.json"):
        assert json.loads((tmp_path / name).read_text())["withheld"].startswith("No rank is given")


def test_ranked_results_withhold_nothing(tmp_path: Path) -> None:
    run = run_on(tmp_path, {}, {})
    write_report(run)
    assert json.loads((tmp_path / "results.json").read_text())["withheld"] is None


@pytest.mark.parametrize("budgets", [("30s", "1m")])
def test_a_ladder_on_unlike_machines_has_no_crossing(
    tmp_path: Path, budgets: tuple[str, str]
) -> None:
    models = [
        FakeModel(name=name, correct=correct, budget=budget)
        for budget in budgets
        for name, correct in zip(NAMES, (100, 60) if budget == "30s" else (60, 100), strict=True)
    ]
    run = build_run(tmp_path, FakeRun(models=models, train_images=60))
    assert any("overtakes" in text for text in headline(run))
    folder = run.cell(run.plan().cells[0])
    folder.write_result(folder.result().model_copy(update={"machine": SERVER}))
    page = write_report(run).read_text()
    assert "overtake" not in page
    assert "No rank is given" in page


def test_the_console_lists_the_rows_as_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_outcome(a_mixed_run(tmp_path).path, as_json=False, was_done=False)
    told = capsys.readouterr().out
    assert told.index("alexnet") < told.index("resnet18") < told.index("No rank is given")


def test_a_network_is_chosen_by_name_where_none_ranks_first(tmp_path: Path) -> None:
    run = a_mixed_run(tmp_path / "run")
    for cell in run.plan().cells:
        keep(run.cell(cell))
    with pytest.raises(NotRanked) as raised:
        choose_network(run)
    assert exit_of(raised.value) == Exit.USAGE
    assert f"{run.path}:alexnet" in str(raised.value)
    assert f"cnnbench report {run.path} --across-machines" in str(raised.value)
    assert choose_network(run, "alexnet").tied is None
    run.write_ranking(Ranking(across_machines=True))
    assert choose_network(run).label == "resnet18"


def test_two_runs_are_refused_where_one_of_them_is_mixed(tmp_path: Path) -> None:
    runs = a_mixed_run(tmp_path / "a"), a_mixed_run(tmp_path / "b")
    with pytest.raises(CannotCompare, match=r"the rows of A .*--across-machines"):
        compare_runs(*runs)
    assert len(compare_runs(*runs, across_machines=True).judged) == 2


def test_to_train_anew_forgets_what_was_asked_for(tmp_path: Path) -> None:
    run = a_mixed_run(tmp_path)
    run.write_ranking(Ranking(across_machines=True))
    run.clear()
    assert not run.ranking().across_machines


def test_the_run_folder_keeps_what_a_report_was_asked_for(tmp_path: Path) -> None:
    run = a_mixed_run(tmp_path)

    def is_ranked(*flags: str) -> bool:
        done = CliRunner().invoke(app, ["report", str(tmp_path), *flags])
        assert done.exit_code == 0, done.output
        return "No rank is given" not in (tmp_path / "report.md").read_text()

    assert not is_ranked()
    assert is_ranked("--across-machines")
    assert is_ranked()
    assert not is_ranked("--no-across-machines")
    assert not run.ranking().across_machines
