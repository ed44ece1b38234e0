from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.cli import main
from cnnbench.report.analysis.curves import (
    TimeToAccuracy,
    race,
    steps_to_training_error,
    times_to_accuracy,
)
from cnnbench.report.sections.time_to_accuracy import (
    race_sentences,
    race_table,
    target_sentences,
    target_table,
)
from cnnbench.report.write import write_report
from cnnbench.schema.budget import Spent
from cnnbench.schema.events import Evaluated, Event, Stepped, Window
from cnnbench.schema.names import labels
from cnnbench.store import RunFolder


def times_in(run: RunFolder, target: float) -> list[TimeToAccuracy]:
    return times_to_accuracy(run, labels(run.plan()), target)


def test_the_first_evaluation_at_the_target_counts(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    cell = run.plan().cells[3]
    points = [event for event in run.events(cell) if isinstance(event, Evaluated)]
    first = next(point for point in points if point.top1 >= 0.6)
    time = times_in(run, 0.6)[3]
    assert time.spent == first.spent
    assert time.before == points[points.index(first) - 1].spent


def test_a_miss_stays_a_miss_with_its_best(tmp_path: Path) -> None:
    times = times_in(build_run(tmp_path, FOUR), 0.75)
    assert [time.spent is None for time in times] == [True, True, True, False]
    assert target_sentences(times, 0.75)[0] == "alexnet misses 75.0 %; its best is 54.7 %."
    line = target_table(times).rows[0]
    assert line[2] == "missed"
    assert line[-1] == "54.7"


def test_a_target_that_is_met_at_once_was_not_yet_met_at_the_start(tmp_path: Path) -> None:
    time = times_in(build_run(tmp_path, FOUR), 0.01)[0]
    assert time.before == Spent()


def test_seeds_that_miss_are_counted(tmp_path: Path) -> None:
    models = [
        FakeModel(name="a", correct=c, seed=seed) for seed, c in enumerate((100, 60, 100, 100))
    ]
    (sentence,) = target_sentences(times_in(build_run(tmp_path, FakeRun(models=models)), 0.7), 0.7)
    assert sentence.startswith("a reaches 70.0 % in 3 of 4 seeds and misses it in 1, within ")


def test_a_network_that_was_never_tested_has_no_best(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=(FakeModel(name="a", status="planned"),)))
    (sentence,) = target_sentences(times_in(run, 0.5), 0.5)
    assert sentence == "a was never tested, so it is not known to reach 50.0 %."


def test_a_cell_that_never_started_misses(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=(FakeModel(name="a", status="planned"),)))
    (time,) = times_in(run, 0.5)
    assert (time.spent, time.before, time.best_top1) == (None, None, None)


def test_the_table_has_only_currencies_that_were_counted(tmp_path: Path) -> None:
    header = target_table(times_in(build_run(tmp_path, FOUR), 0.5)).header
    assert "flops, at most" in header
    assert "joules, at most" not in header


def test_the_report_takes_a_target(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    assert "## Time to 60.0 % on the test split" in write_report(run, target=0.6).read_text()
    data = json.loads((tmp_path / "comparison.json").read_text())["target"]
    assert [cell["spent"] is None for cell in data["cells"]] == [True, True, True, False]
    assert "## Time to" not in write_report(run).read_text()


def test_a_target_that_is_no_share_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cnnbench", "report", str(tmp_path), "--target", "90"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "--target" in capsys.readouterr().err


def stepped(
    steps: int, train_top1: float | None, images: int = 1024, windows: tuple[Window, ...] = ()
) -> Event:
    return Stepped(
        spent=Spent(steps=steps),
        progress=0.1,
        lr=0.1,
        train_loss=1.0,
        train_top1=train_top1,
        images=images,
        images_per_second=1.0,
        windows=windows,
    )


def test_the_race_ends_with_the_first_window_that_is_right_enough() -> None:
    events = [stepped(10, 0.5), stepped(20, 0.76), stepped(30, 0.9)]
    assert steps_to_training_error(events, label="a", seed=0).steps == 20


def test_a_lucky_step_wins_no_race() -> None:
    events = [stepped(step, 0.25 + 0.75 * (step % 2), images=16) for step in range(1, 129)]
    racer = steps_to_training_error(events, label="a", seed=0)
    assert (racer.steps, racer.measured) == (None, True)


def test_windows_that_training_logged_decide() -> None:
    windows = (
        Window(steps=64, correct=700, images=1024),
        Window(steps=128, correct=800, images=1024),
    )
    events = [stepped(1, 1.0), stepped(130, 0.1, windows=windows)]
    assert steps_to_training_error(events, label="a", seed=0).steps == 128


@given(
    right=st.lists(st.integers(0, 16), min_size=200, max_size=400),
    cuts=st.lists(st.integers(1, 90), min_size=400, max_size=400),
)
@settings(derandomize=True, max_examples=30, deadline=None)
def test_a_race_does_not_depend_on_how_often_a_machine_writes_its_log(
    right: list[int], cuts: list[int]
) -> None:
    def of(log: list[list[int]]) -> int | None:
        events, steps = [], 0
        for interval in log:
            steps += len(interval)
            images = 16 * len(interval)
            events.append(stepped(steps, sum(interval) / images, images=images))
        return steps_to_training_error(events, label="a", seed=0).steps

    learned = [min(16, max(count, step // 16)) for step, count in enumerate(right)]
    slow = of([[count] for count in learned])
    whole_windows = of([learned[i : i + 64] for i in range(0, len(learned), 64)])
    assert slow == whole_windows
    irregular, start = [], 0
    for size in cuts:
        irregular.append(learned[start : start + size])
        start += size
    fast = of([interval for interval in irregular if interval])
    assert fast is None or slow is None or abs(fast - slow) <= 64


def test_a_log_of_few_images_measures_no_race() -> None:
    racer = steps_to_training_error([stepped(10, 1.0, images=1023)], label="a", seed=0)
    assert (racer.steps, racer.measured) == (None, False)


def test_a_log_without_training_accuracy_has_no_race() -> None:
    racer = steps_to_training_error([stepped(10, None)], label="a", seed=0)
    assert (racer.steps, racer.measured) == (None, False)
    assert race_table([racer]) is None


def test_the_race_is_told_in_multiples_of_the_base(tmp_path: Path) -> None:
    models = (
        FakeModel(name="cifar4-relu", correct=126),
        FakeModel(name="cifar4-tanh", correct=100),
    )
    run = build_run(tmp_path, FakeRun(models=models))
    (sentence,) = race_sentences(race(run, labels(run.plan())), "cifar4-relu")
    assert sentence.startswith("cifar4-tanh takes ")
    assert sentence.endswith(" times the steps of cifar4-relu to 25 % training error.")
    assert "## The race to 25 % training error" in write_report(run).read_text()
