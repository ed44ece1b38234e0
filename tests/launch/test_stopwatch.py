"""What belongs to no cell is measured too, over all commands of a run."""

import contextlib
import time

import pytest

from cnnbench.launch.stopwatch import Stopwatch
from cnnbench.schema.result import RunSeconds
from cnnbench.store import RunFolder, StoreError


class FakeTime:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    fake = FakeTime()
    monkeypatch.setattr(time, "monotonic", fake.monotonic)
    return fake


def test_a_command_says_what_it_spent_beside_its_cells(tmp_path, clock):
    run = RunFolder(tmp_path)
    clock.now = 103.0
    stopwatch = Stopwatch(run, started=100.0)
    with stopwatch.measure("images"):
        clock.now = 110.0
    clock.now = 160.0  # a cell
    with stopwatch.measure("pages"):
        assert run.seconds().total == 60.0  # a page that is drawn just now can say so much
        clock.now = 161.0
    seconds = run.seconds()
    assert (seconds.preparing, seconds.images, seconds.pages) == (3.0, 7.0, 1.0)
    assert (seconds.total, seconds.commands) == (61.0, 1)


def test_a_second_command_adds_to_the_first(tmp_path, clock):
    run = RunFolder(tmp_path)
    run.write_seconds(RunSeconds(commands=1, preparing=2.0, images=5.0, pages=1.0, total=50.0))
    stopwatch = Stopwatch(run, started=98.0)
    with stopwatch.measure("pages"):
        clock.now = 103.0
    expected = RunSeconds(commands=2, preparing=4.0, images=5.0, pages=4.0, total=55.0)
    assert run.seconds() == expected


def test_what_failed_is_in_no_part(tmp_path, clock):
    stopwatch = Stopwatch(RunFolder(tmp_path), started=100.0)
    with contextlib.suppress(ZeroDivisionError), stopwatch.measure("pages"):
        clock.now = 200.0
        raise ZeroDivisionError
    assert RunFolder(tmp_path).seconds().pages == 0.0


def test_a_run_of_an_older_version_has_none_and_a_damaged_file_says_what_to_do(tmp_path):
    assert RunFolder(tmp_path).seconds() is None
    (tmp_path / "seconds.json").write_text('{"version": 1, "pag')
    with pytest.raises(StoreError, match="delete that file"):
        RunFolder(tmp_path).seconds()
