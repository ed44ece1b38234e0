from __future__ import annotations

import csv
import io
import json
import math
import time
from dataclasses import replace
from pathlib import Path

from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report.analysis.rows import (
    ranked,
    read_rows,
    results_csv,
    results_json,
    unmeasured,
    write_results,
)
from cnnbench.report.sections import RunReport
from cnnbench.report.sections.cost import clock_table
from cnnbench.report.sections.results import report_table
from cnnbench.report.stats.intervals import wilson
from cnnbench.report.text.table import as_markdown
from cnnbench.schema.names import labels
from cnnbench.schema.origin import VERSIONED, Origin
from cnnbench.schema.result import Seconds

BROKEN = FakeRun(
    models=(
        FakeModel(name="alexnet", status="diverged", reason="the training loss became nan"),
        FakeModel(name="vgg11", correct=61),
        FakeModel(name="googlenet", status="killed"),
        FakeModel(name="resnet18", status="planned"),
    )
)
# ruff: noqa: E501
GOLDEN = """\
| model | top-1 % | 95 % interval | right | tie | top-5 % | test loss | train loss (eval) | train top-1 % (eval) | params (M) | MACs (G) | epochs | images/s | memory (GiB) |
| :--- | ---: | ---: | ---: | :--- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| resnet18 | 80.5 | 72.8\u201386.4 | 103/128 | a | 100.0 | 1.100 | 0.710 | 87.5 | 11.2 | 1.81 | 14.8 | 24.7 | 1.40 |
| googlenet | 57.8 | 49.2\u201366.0 | 74/128 | b | 75.2 | 1.100 | 0.710 | 87.5 | 10.3 | 1.58 | 13.2 | 22.0 | 1.40 |
| alexnet | 54.7 | 46.1\u201363.0 | 70/128 | b | 71.1 | 1.100 | 0.710 | 87.5 | 57.0 | 0.656 | 48.7 | 81.2 | 1.40 |
| vgg11 | 17.2 | 11.6\u201324.7 | 22/128 | c | 22.3 | 1.100 | 0.710 | 87.5 | 129 | 7.61 | 5.6 | 9.40 | 1.40 |"""


def test_the_table_of_a_finished_run_reads_like_this(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    assert as_markdown(report_table(RunReport.read(run))) == GOLDEN


def test_every_cell_is_a_row_in_plan_order(tmp_path: Path) -> None:
    statuses = [(row.model, row.status) for row in read_rows(build_run(tmp_path, BROKEN))]
    assert statuses == [
        ("alexnet", "diverged"),
        ("vgg11", "done"),
        ("googlenet", "killed"),
        ("resnet18", "planned"),
    ]


def test_unfinished_rows_follow_the_ranking_with_their_reason(tmp_path: Path) -> None:
    run = build_run(tmp_path, BROKEN)
    table = report_table(RunReport.read(run))
    assert [line[0] for line in table.rows] == ["vgg11", "alexnet", "googlenet", "resnet18"]
    assert table.header[-1] == "status"
    assert table.rows[1][-1] == "diverged: the training loss became nan"
    assert table.rows[3][-1] == "planned"


def test_a_row_carries_the_wilson_interval_of_its_counts(tmp_path: Path) -> None:
    done = read_rows(build_run(tmp_path, BROKEN))[1]
    assert (done.top1_low, done.top1_high) == wilson(61, 128)


def test_a_row_without_a_score_has_no_interval(tmp_path: Path) -> None:
    failed = read_rows(build_run(tmp_path, BROKEN))[0]
    assert failed.top1 is None
    assert failed.top1_low is None


def test_the_seeds_of_one_network_stay_together(tmp_path: Path) -> None:
    models = [
        FakeModel(name=name, correct=correct, seed=seed)
        for name, seed, correct in [("a", 0, 90), ("b", 0, 80), ("a", 1, 50), ("b", 1, 79)]
    ]
    run = build_run(tmp_path, FakeRun(models=models))
    rows = ranked(read_rows(run), labels(run.plan()))
    order = [(row.model, row.seed) for row in rows]
    assert order == [("b", 0), ("b", 1), ("a", 0), ("a", 1)]


def test_results_json_and_csv_hold_the_same_numbers(tmp_path: Path) -> None:
    run = build_run(tmp_path, BROKEN)
    write_results(run, read_rows(run))
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["version"] == 1
    lines = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert len(document["rows"]) == len(lines) == 4
    for row, line in zip(document["rows"], lines, strict=True):
        flat = {k: v for k, v in row.items() if k not in ("budget", "seconds", "versions")}
        flat |= {f"versions_{k}": (row["versions"] or {}).get(k) for k in VERSIONED}
        flat |= {f"budget_{k}": v for k, v in row["budget"].items()}
        flat |= {f"seconds_{k}": v for k, v in row["seconds"].items()}
        assert line == {key: "" if value is None else str(value) for key, value in flat.items()}


def test_a_loss_that_is_not_a_number_is_null_and_never_a_number(tmp_path: Path) -> None:
    row = read_rows(build_run(tmp_path, FOUR))[0].model_copy(update={"test_loss": math.nan})
    assert json.loads(results_json([row]))["rows"][0]["test_loss"] is None
    assert next(csv.DictReader(io.StringIO(results_csv([row]))))["test_loss"] == ""


def test_what_a_continued_cell_began_with_is_json_in_one_column(tmp_path: Path) -> None:
    earlier = Origin(versions={"torch": "2.9.0"}, threads=4)
    row = read_rows(build_run(tmp_path, FOUR))[0].model_copy(update={"earlier_origins": (earlier,)})
    (line,) = csv.DictReader(io.StringIO(results_csv([row])))
    assert json.loads(line["earlier_origins"])[0]["versions"] == {"torch": "2.9.0"}
    assert (line["versions_torch"], line["versions_timm"]) == ("3.0.0", "5.0.0")


def test_an_older_row_has_the_same_columns_and_nothing_in_them(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, versions=None))
    line = next(csv.DictReader(io.StringIO(results_csv(read_rows(run)))))
    assert (line["versions_torch"], line["threads"], line["train_eval_top1"]) == ("", "", "")
    table = as_markdown(report_table(RunReport.read(run)))
    assert "running train loss" in table
    assert "(eval)" not in table


def test_what_was_not_measured_of_a_killed_or_planned_cell_is_null(tmp_path: Path) -> None:
    killed, planned = read_rows(build_run(tmp_path, BROKEN))[2:]
    assert killed.seconds.train == killed.budget.used > 0
    assert {killed.seconds.total, killed.seconds.eval, killed.seconds.build} == {None}
    assert {planned.seconds.train, planned.seconds.total, planned.budget.used} == {None}


def test_zeros_that_older_rows_wrote_for_an_unread_clock_are_null(tmp_path: Path) -> None:
    old = Seconds.model_validate(dict.fromkeys(Seconds.model_fields, 0.0))
    assert set(old.model_dump().values()) == {None}
    measured = Seconds(train=0.0, checkpoint=0.0, total=3.0)
    assert (measured.train, measured.checkpoint) == (0.0, 0.0)


def test_the_columns_are_there_without_any_row(tmp_path: Path) -> None:
    full = results_csv(read_rows(build_run(tmp_path, FOUR))).splitlines()[0]
    assert results_csv([]).splitlines() == [full]


def test_json_keeps_a_hostile_name_as_it_is(tmp_path: Path) -> None:
    name = "=HYPERLINK(1)\n|<script>\u202e"
    run = build_run(tmp_path, FakeRun(models=(FakeModel(name=name, correct=60),)))
    assert json.loads(results_json(read_rows(run)))["rows"][0]["model"] == name


def test_the_clock_audit_adds_up(tmp_path: Path) -> None:
    row = read_rows(build_run(tmp_path, FOUR))[0]
    s = row.seconds
    parts = s.train + s.eval + s.checkpoint + s.warmup + s.build + s.logging
    assert math.isclose(parts + unmeasured(row), s.total)


def test_the_clock_audit_says_how_far_off_the_budget_a_cell_was(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    table = clock_table(read_rows(run), labels(run.plan()))
    assert table.rows[0][1:4] == ("120.0 s", "119.8 s", "\u22120.20 %")


def test_a_thousand_rows_take_seconds(tmp_path: Path) -> None:
    report = RunReport.read(build_run(tmp_path, FOUR))
    row = report.rows[0]
    many = [row.model_copy(update={"cell": str(index), "seed": index}) for index in range(1000)]
    large = replace(report, rows=many, names={row.cell: row.model for row in many})
    before = time.process_time()
    assert len(as_markdown(report_table(large)).splitlines()) == 1002
    assert len(results_csv(many).splitlines()) == 1001
    assert time.process_time() - before < 5
