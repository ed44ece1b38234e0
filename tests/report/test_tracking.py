from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import FOUR, build_run

from cnnbench.schema.events import Evaluated
from cnnbench.tracking import points, to_tensorboard


def test_every_evaluation_becomes_a_point_at_its_images_and_charged_seconds(
    tmp_path: Path,
) -> None:
    run = build_run(tmp_path, FOUR)
    events = run.events(run.plan().cells[0])
    tested = [event for event in events if isinstance(event, Evaluated)]
    found = [point for point in points(events) if point[0] == "test/top1"]
    assert found == [
        ("test/top1", event.top1, event.spent.images, event.spent.seconds) for event in tested
    ]


def test_tensorboard_reads_back_what_was_written_and_writing_again_adds_nothing(
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    run = build_run(tmp_path, FOUR)
    to_tensorboard(run)
    home = to_tensorboard(run)
    cell = run.plan().cells[0]
    (file,) = (home / cell.id).iterdir()
    records = [record for record in EventFileLoader(str(file)).Load() if record.summary.value]
    wanted = list(points(run.events(cell)))
    assert [record.summary.value[0].tag for record in records] == [tag for tag, *_ in wanted]
    assert [record.step for record in records] == [step for _, _, step, _ in wanted]
