"""A run's curves arrive in other programs once, and what fails there spoils nothing here."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest
from synthetic import FOUR, build_run

from cnnbench.cli import main
from cnnbench.schema.events import Evaluated
from cnnbench.tracking import Tracker, TrackError, points, track


def test_every_evaluation_becomes_a_point_at_its_images_and_charged_seconds(
    tmp_path: Path,
) -> None:
    run = build_run(tmp_path, FOUR)
    events = run.events(run.plan().cells[0])
    tested = [event for event in events if isinstance(event, Evaluated)]
    curve = [point for point in points(events) if point.tag == "test/top1"]
    assert curve == [
        ("test/top1", event.top1, event.spent.images, event.spent.seconds) for event in tested
    ]


def test_a_number_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    events = run.events(run.plan().cells[0])
    spoiled = [
        event.model_copy(update={"loss": math.nan}) if isinstance(event, Evaluated) else event
        for event in events
    ]
    tags = {point.tag for point in points(spoiled)}
    assert "test/loss" not in tags
    assert "test/top1" in tags


def test_tensorboard_reads_back_what_was_written_and_writing_again_adds_nothing(
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    run = build_run(tmp_path, FOUR)
    track(run, Tracker.TENSORBOARD)
    home = Path(track(run, Tracker.TENSORBOARD))
    cell = run.plan().cells[0]
    (file,) = (home / cell.id).iterdir()
    records = [record for record in EventFileLoader(str(file)).Load() if record.summary.value]
    expected = list(points(run.events(cell)))
    assert [record.summary.value[0].tag for record in records] == [point.tag for point in expected]
    assert [record.step for record in records] == [point.images for point in expected]


@pytest.mark.filterwarnings("default")  # MLflow's own
def test_mlflow_reads_back_what_was_written_and_writing_again_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow.store.db")  # mlflow-skinny has no database
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = build_run(tmp_path, FOUR)
    track(run, Tracker.MLFLOW)
    client = MlflowClient(tracking_uri=track(run, Tracker.MLFLOW))
    experiment = client.get_experiment_by_name(run.path.name)
    assert experiment is not None
    logged = client.search_runs([experiment.experiment_id])
    by_name = {entry.info.run_name: entry for entry in logged}
    assert sorted(by_name) == sorted(cell.id for cell in run.plan().cells)
    assert len(logged) == len(by_name)
    cell = run.plan().cells[0]
    entry = by_name[cell.id]
    assert entry.data.params["model"] == cell.model
    assert entry.info.status == "FINISHED"
    total = run.result(cell).seconds.total
    assert entry.info.end_time - entry.info.start_time == int(1000 * total)
    history = client.get_metric_history(entry.info.run_id, "test/top1")
    wanted = [point for point in points(run.events(cell)) if point.tag == "test/top1"]
    assert [(kept.value, kept.step) for kept in history] == [
        (point.value, point.images) for point in wanted
    ]


@pytest.mark.filterwarnings("default")  # W&B's own
def test_wandb_keeps_one_run_a_cell_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = build_run(tmp_path, FOUR)
    track(run, Tracker.WANDB)
    track(run, Tracker.WANDB)
    kept = list((run.path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(kept) == len(run.plan().cells)
    assert all(file.stat().st_size for file in kept)


@pytest.mark.parametrize("at_hand", [True, False])
def test_what_came_of_an_export_does_not_spoil_the_json(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    at_hand: bool,
) -> None:
    if not at_hand:
        monkeypatch.setitem(sys.modules, "tensorboard", None)
        monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    elif importlib.util.find_spec("tensorboard") is None:
        pytest.skip("tensorboard is not installed")
    run = build_run(tmp_path, FOUR)
    words = ["report", str(run.path), "--track", "tensorboard", "--json"]
    monkeypatch.setattr(sys, "argv", ["cnnbench", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["rows"]) == 4
    assert ("tensorboard: " if at_hand else "pip install 'cnnbench[tensorboard]'") in printed.err


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("tracker", "variables"),
    [
        (Tracker.MLFLOW, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}),
        (Tracker.WANDB, {"WANDB_MODE": "online", "WANDB_API_KEY": "", "HOME": "/nonexistent"}),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: Tracker, variables: dict[str, str]
) -> None:
    program = pytest.importorskip(tracker.value)
    if tracker is Tracker.WANDB:
        program.teardown()  # it reads the environment once
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrackError) as told:
        track(build_run(tmp_path, FOUR), tracker)
    assert str(told.value).startswith(f"{tracker}: ")
    assert "\n" not in str(told.value)
