from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import FakeModel, FakeRun, build_run

from cnnbench.cli import main
from cnnbench.cli.show.runs import show_two_runs
from cnnbench.report.analysis.two_runs import (
    CannotCompare,
    RunDifference,
    TwoRuns,
    compare_runs,
)
from cnnbench.schema.result import Status
from cnnbench.store import RunFolder

BASE = {"alexnet": 90, "resnet18": 100}


def fake(scores: Mapping[str, int], *, seeds: int = 1) -> FakeRun:
    models = [
        FakeModel(name=name, correct=correct + seed, seed=seed)
        for seed in range(seeds)
        for name, correct in scores.items()
    ]
    return FakeRun(models=models)


def both(path: Path, a: FakeRun, b: FakeRun) -> tuple[RunFolder, RunFolder]:
    return build_run(path / "a", a), build_run(path / "b", b)


def verdicts(two_runs: TwoRuns) -> dict[str, str]:
    return {network.label: network.verdict for network in two_runs.judged}


def test_a_run_against_itself_gives_no_evidence(tmp_path: Path) -> None:
    two_runs = compare_runs(*both(tmp_path, fake(BASE), fake(BASE)))
    assert verdicts(two_runs) == {"alexnet": "no evidence", "resnet18": "no evidence"}
    assert two_runs.unlike == ()
    assert not two_runs.worse


def test_each_network_has_its_own_verdict(tmp_path: Path) -> None:
    two_runs = compare_runs(*both(tmp_path, fake(BASE), fake({"alexnet": 50, "resnet18": 125})))
    assert verdicts(two_runs) == {"alexnet": "worse", "resnet18": "better"}
    assert two_runs.worse


def test_two_photos_are_no_evidence(tmp_path: Path) -> None:
    two_runs = compare_runs(*both(tmp_path, fake(BASE), fake({"alexnet": 88, "resnet18": 102})))
    assert set(verdicts(two_runs).values()) == {"no evidence"}


def test_a_difference_lies_within_its_interval(tmp_path: Path) -> None:
    two_runs = compare_runs(*both(tmp_path, fake(BASE), fake({"alexnet": 80, "resnet18": 110})))
    for network in two_runs.judged:
        assert network.low is not None
        assert network.high is not None
        assert network.difference is not None
        assert network.low < network.difference < network.high


def test_networks_that_never_differed_are_not_surely_equal(tmp_path: Path) -> None:
    network = compare_runs(*both(tmp_path, fake(BASE), fake(BASE))).judged[0]
    assert network.high == pytest.approx(1.96 / 128, abs=1e-4)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_same_answers_twice_leave_a_small_interval(tmp_path: Path, seeds: int) -> None:
    scores = {"alexnet": 90, "resnet18": 100}
    runs = both(tmp_path, fake(scores, seeds=seeds), fake(scores, seeds=seeds))
    for network in compare_runs(*runs).judged:
        assert network.verdict == "no evidence"
        assert network.low == -network.high
        assert 0 < network.high < 0.08


def test_several_seeds_are_tested_together(tmp_path: Path) -> None:
    b = fake({"alexnet": 50, "resnet18": 100}, seeds=3)
    two_runs = compare_runs(*both(tmp_path, fake(BASE, seeds=3), b))
    assert verdicts(two_runs) == {"alexnet": "worse", "resnet18": "no evidence"}
    assert {network.method for network in two_runs.judged} == {"over seeds and images"}


def test_other_machines_are_refused_until_allowed(tmp_path: Path) -> None:
    runs = both(tmp_path, fake(BASE), replace(fake(BASE), machine_line="Other CPU, 64 cores"))
    with pytest.raises(CannotCompare, match=r"Other CPU, 64 cores in B.*--across-machines"):
        compare_runs(*runs)
    two_runs = compare_runs(*runs, across_machines=True)
    assert [change.kind for change in two_runs.unlike] == ["machine"]


def other_versions(**changes: str) -> dict[str, str]:
    return {**dict(FakeRun(models=()).versions or {}), **changes}


def test_versions_and_threads_that_differ_are_named(tmp_path: Path) -> None:
    b = replace(fake(BASE), versions=other_versions(torch="99.0"), threads=8)
    two_runs = compare_runs(*both(tmp_path, fake(BASE), b))
    assert [(d.kind, d.what, d.a, d.b) for d in two_runs.unlike] == [
        ("setting", "threads", "2", "8"),
        ("version", "torch", "3.0.0", "99.0"),
    ]


def test_a_library_that_is_not_installed_in_one_run_is_named(tmp_path: Path) -> None:
    versions = other_versions()
    del versions["timm"]
    two_runs = compare_runs(*both(tmp_path, fake(BASE), replace(fake(BASE), versions=versions)))
    assert [(d.what, d.a, d.b) for d in two_runs.unlike] == [("timm", "5.0.0", "not installed")]


def test_two_runs_that_mixed_the_same_versions_otherwise_differ_network_by_network(
    tmp_path: Path,
) -> None:
    runs = both(tmp_path, fake(BASE), fake(BASE))
    for run, upgraded in zip(runs, ("alexnet", "resnet18"), strict=True):
        for cell in run.plan().cells:
            if cell.model == upgraded:
                result = run.result(cell)
                changes = {"versions": other_versions(torch="99.0")}
                run.cell(cell).write_result(result.model_copy(update=changes))
    assert [(d.what, d.a, d.b, d.models) for d in compare_runs(*runs).unlike] == [
        ("torch", "3.0.0", "99.0", ("resnet18",)),
        ("torch", "99.0", "3.0.0", ("alexnet",)),
    ]


def test_a_run_that_did_not_record_its_versions_is_not_called_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = both(tmp_path, replace(fake(BASE), versions=None), fake(BASE))
    two_runs = compare_runs(a, b)
    assert two_runs.unlike == ()
    show_two_runs(two_runs, a.path, b.path, as_json=False)
    shown = capsys.readouterr().out
    assert "versions and threads: those may differ" in shown
    assert "the same settings" not in shown


def test_other_data_are_refused_until_allowed_and_then_not_paired(tmp_path: Path) -> None:
    other = replace(
        fake(BASE),
        fingerprint="fedcba9876543210",
        image_names=tuple(f"other/{index}.png" for index in range(128)),
    )
    runs = both(tmp_path, fake(BASE), other)
    with pytest.raises(CannotCompare, match="--across-data"):
        compare_runs(*runs)
    two_runs = compare_runs(*runs, across_data=True)
    assert {network.method for network in two_runs.judged} == {"Fisher"}


def test_a_folder_of_another_name_with_the_same_images_holds_the_same_data(tmp_path: Path) -> None:
    a, b = both(tmp_path, fake(BASE), fake(BASE))
    plan = b.plan()
    facts = plan.dataset.model_copy(update={"name": "moved"})
    b.path.joinpath("plan.json").write_text(
        plan.model_copy(update={"dataset": facts}).model_dump_json()
    )
    two_runs = compare_runs(a, RunFolder(b.path))
    assert [(c.kind, c.what, c.a, c.b) for c in two_runs.unlike] == [
        ("setting", "dataset", "fruits", "moved")
    ]
    assert {network.method for network in two_runs.judged} == {"McNemar"}


def test_settings_that_differ_are_said_with_their_networks(tmp_path: Path) -> None:
    b = FakeRun(
        models=[
            FakeModel(name="alexnet", correct=90, lr=0.02),
            FakeModel(name="resnet18", correct=100),
        ]
    )
    (change,) = compare_runs(*both(tmp_path, fake(BASE), b)).unlike
    assert change == RunDifference(
        kind="setting", what="lr", a="0.01", b="0.02", models=("alexnet",)
    )


def test_a_network_that_fails_now_is_worse(tmp_path: Path) -> None:
    b = FakeRun(
        models=[
            FakeModel(name="alexnet", status="oom", reason="no room"),
            FakeModel(name="resnet18", correct=100),
        ]
    )
    two_runs = compare_runs(*both(tmp_path, fake(BASE), b))
    assert verdicts(two_runs) == {"alexnet": "worse", "resnet18": "no evidence"}
    assert two_runs.judged[0].reason == (
        "fails more often in B than in A: 0 of 1 seed in A and 1 of 1 seed in B (oom: no room)"
    )
    assert verdicts(compare_runs(*both(tmp_path, b, fake(BASE))))["alexnet"] == "better"


def seeds_of(*statuses: Status, correct: int = 90) -> FakeRun:
    models = [
        FakeModel(
            name="alexnet",
            correct=correct + seed,
            seed=seed,
            status=status,
            reason="" if status in {"done", "planned"} else "as the log says",
        )
        for seed, status in enumerate(statuses)
    ]
    return FakeRun(models=models, evaluations=2)


@pytest.mark.parametrize(
    ("a", "b", "verdict", "said"),
    [
        # What failed more often is worse, whatever the seeds that are left say.
        (("done",) * 3, ("done", "diverged", "diverged"), "worse", "more often in B"),
        (("done",) * 3, ("done", "done", "failed"), "worse", "more often in B"),
        (("done",) * 3, ("oom",) * 3, "worse", "3 of 3 seeds in B (oom: as the log says)"),
        (("done",), ("done",) * 9 + ("oom",), "worse", "1 of 10 seeds in B"),
        (("oom", "done", "done"), ("oom", "diverged", "done"), "worse", "more often in B"),
        (("planned",), ("failed",), "worse", "more often in B"),
        # What failed as often is not, and less often is better once all of B has ended.
        (("oom",) * 2, ("diverged",) * 2, "no evidence", "as often in B as in A: 2 of 2 seeds"),
        (("failed", "done"), ("done", "failed"), "no evidence", "as often in B as in A"),
        (("failed", "done"), ("failed", "done") * 2, "no evidence", "as often in B as in A"),
        (("failed", "done", "done"), ("done",) * 3, "better", "less often in B than in A"),
        (("failed", "done"), ("done", "planned"), "no evidence", "1 of 2 seeds not finished"),
        (("failed",) * 3, ("done", "done", "killed"), "better", "1 of 3 seeds not finished in B"),
        # What is not finished proves nothing, and can be continued.
        (
            ("done",) * 3,
            ("done", "killed", "hung"),
            "no evidence",
            "2 of 3 seeds not finished in B",
        ),
        (("done",) * 3, ("running",) * 3, "no evidence", "command of that run continues it"),
        (("done",) * 3, ("planned",) * 3, "no evidence", "command of that run continues it"),
        (("killed",) * 3, ("done",) * 3, "no evidence", "3 of 3 seeds not finished in A"),
    ],
)
def test_what_failed_is_part_of_the_verdict(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    a: tuple[Status, ...],
    b: tuple[Status, ...],
    verdict: str,
    said: str,
) -> None:
    runs = both(tmp_path, seeds_of(*a), seeds_of(*b))
    two_runs = compare_runs(*runs)
    assert verdicts(two_runs) == {"alexnet": verdict}
    code = show_two_runs(two_runs, runs[0].path, runs[1].path, as_json=False)
    assert code == (1 if verdict == "worse" else 0)
    shown = capsys.readouterr().out
    assert f"alexnet ({verdict}): " in shown
    assert said in shown
    unfinished = {"killed", "hung", "running", "planned"} & {*a, *b}
    assert ("these verdicts may still change" in shown) is bool(unfinished)


def test_failing_more_often_is_worse_also_where_the_rest_is_better(tmp_path: Path) -> None:
    b = seeds_of("done", "done", "diverged", correct=125)
    (network,) = compare_runs(*both(tmp_path, seeds_of(*["done"] * 3, correct=50), b)).judged
    assert network.difference is not None
    assert network.difference > 0
    assert network.p_holm is not None
    assert network.p_holm < 0.05
    assert network.verdict == "worse"


def test_a_network_that_has_not_started_is_no_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    b = FakeRun(models=[FakeModel(name="alexnet", status="planned")])
    runs = both(tmp_path, fake(BASE), b)
    two_runs = compare_runs(*runs)
    assert verdicts(two_runs) == {"alexnet": "no evidence"}
    assert two_runs.only_a == ("resnet18",)
    show_two_runs(two_runs, runs[0].path, runs[1].path, as_json=False)
    shown = capsys.readouterr().out
    assert "1 of 1 seed not finished in B (planned): the command of that run continues it" in shown
    assert "the interval says" not in shown  # there is none


def test_many_seeds_in_a_row_are_told_by_both_ends(tmp_path: Path) -> None:
    two_runs = compare_runs(*both(tmp_path, fake({"alexnet": 90}, seeds=12), fake(BASE, seeds=2)))
    (difference,) = two_runs.unlike
    assert (difference.what, difference.a, difference.b) == ("seeds", "0 to 11", "0 and 1")


def test_networks_in_one_run_only_are_named_and_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = both(tmp_path, fake(BASE), fake({"alexnet": 90, "vgg11": 60}))
    assert show_two_runs(compare_runs(a, b), a.path, b.path, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "only in A, not judged: resnet18" in shown
    assert "only in B, not judged: vgg11" in shown


@pytest.mark.parametrize(
    ("budget", "speed", "is_said"),
    [("2m", 1.8, True), ("2m", 1 / 1.8, True), ("2m", 1.05, False), ("3ep", 1.8, False)],
)
def test_seconds_that_bought_other_numbers_of_images_are_said_beside_the_verdict(
    tmp_path: Path, budget: str, speed: float, is_said: bool
) -> None:
    def run(correct: int, images_per_second: float) -> FakeRun:
        model = FakeModel(
            name="alexnet", correct=correct, images_per_second=images_per_second, budget=budget
        )
        return FakeRun(models=[model])

    (network,) = compare_runs(*both(tmp_path, run(70, 40), run(100, 40 * speed))).judged
    assert network.verdict == "better"
    seen = network.images_seen
    assert ("may be the machine's speed" in network.reason) is is_said
    if is_said:
        assert seen == (4800, int(120 * 40 * speed))
        assert f"bought 4,800 images in A and {seen[1]:,} in B, 1.8 times" in network.reason


def test_runs_without_a_common_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotCompare, match="A has alexnet, resnet18; B has vgg11"):
        compare_runs(*both(tmp_path, fake(BASE), fake({"vgg11": 60})))


def test_worse_is_exit_code_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = both(tmp_path, fake(BASE), fake({"alexnet": 50, "resnet18": 100}))
    two_runs = compare_runs(a, b)
    assert show_two_runs(two_runs, a.path, b.path, as_json=False) == 1
    shown = capsys.readouterr().out
    assert "the same settings, machine, data and versions" in shown
    assert "of 2 networks: 0 better, 1 worse, 1 no evidence" in shown


@pytest.mark.parametrize(
    ("scores", "machine", "code"),
    [
        (BASE, "Example CPU, 2 cores", 0),
        ({"alexnet": 50, "resnet18": 100}, "Example CPU, 2 cores", 1),
        (BASE, "Other CPU", 2),
    ],
)
def test_the_verb_leaves_with_the_documented_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scores: dict[str, int],
    machine: str,
    code: int,
) -> None:
    both(tmp_path, fake(BASE), replace(fake(scores), machine_line=machine))
    words = ["cnnbench", "compare", str(tmp_path / "a"), str(tmp_path / "b")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == code
    assert ("--across-machines" in capsys.readouterr().err) is (code == 2)


def test_the_json_is_one_document_with_every_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = both(tmp_path, fake(BASE), fake(BASE))
    assert show_two_runs(compare_runs(a, b), a.path, b.path, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["worse"] is False
    assert [network["label"] for network in document["judged"]] == ["alexnet", "resnet18"]
