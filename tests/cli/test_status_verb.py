"""`cnnbench status` fits onto a screen, tells programs all, and waits where it is asked to."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnnbench.cli import status as verb
from cnnbench.cli.options import app
from cnnbench.cli.show.status import status_lines
from cnnbench.store import status as reading
from cnnbench.store.status import CellAtWork, FailedCell, RunStatus

RUN = Path(__file__).resolve().parents[2] / "reports" / "published-fruits"
AT_WORK = CellAtWork(cell="resnet18-s0-1", host="node7", pid=12, since="today", progress=0.256)
LARGE = RunStatus(
    cells=10_000,
    done=4_000,
    running=(AT_WORK,) * 500,
    failed=(FailedCell(cell="vgg11-s0-1", status="oom", reason="out of\nmemory " * 40),) * 300,
    waiting=5_200,
    begun=7,
    seconds_left=7320.0,
)


def test_ten_thousand_cells_are_a_screen_of_words():
    lines = list(status_lines("runs/a", LARGE))
    width, height = 80, 25
    assert sum(-(-len(line) // width) for line in lines) <= height
    assert lines[0] == (
        "runs/a: 10,000 cells: 4,000 done, 500 running, 300 failed, 5,200 waiting (7 of them begun)"
    )
    assert "26 %  process 12 on node7 since today" in lines[1]
    assert any("and 495 more running" in line for line in lines)
    assert lines[-1].startswith("about 2 h 2 min left, if cells take")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"running": (), "seconds_left": None}, "nothing is running"),
        ({"seconds_left": None, "unknown": ("vgg11",)}, "not known before a cell of vgg11"),
    ],
)
def test_where_no_number_can_be_given_the_reason_is(changes, said):
    assert said in list(status_lines("runs/a", replace(LARGE, **changes)))[-1]


def test_a_run_that_has_ended_has_no_time_left():
    ended = replace(LARGE, running=(), waiting=0, begun=0, failed=(), seconds_left=None)
    assert len(list(status_lines("runs/a", ended))) == 1


def test_a_finished_run_is_told_without_torch():
    code = "import sys; from cnnbench.cli import main; sys.argv[1:] = ['status', sys.argv[1]]\n"
    code += "try: main()\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(RUN)], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 False"
    assert "6 done, 0 running, 0 failed, 0 waiting" in done.stdout


def test_a_program_gets_one_document_with_every_cell(monkeypatch):
    monkeypatch.setattr(reading.StatusReader, "read", lambda self: LARGE)
    done = CliRunner().invoke(app, ["status", str(RUN), "--json"])
    document = json.loads(done.output)
    assert done.exit_code == 1  # cells failed
    assert (document["version"], document["done"], document["waiting"]) == (1, 4_000, 5_200)
    assert len(document["running"]) == 500
    assert document["failed"][0]["status"] == "oom"
    assert document["seconds_left"] == 7320.0


def test_it_follows_until_all_have_ended_and_says_what_changed(monkeypatch):
    ended = replace(LARGE, running=(), waiting=0, begun=0, failed=(), seconds_left=None)
    steps = iter([LARGE, LARGE, ended])
    monkeypatch.setattr(verb, "FOLLOW_SECONDS", 0.0)
    monkeypatch.setattr(reading.StatusReader, "read", lambda self: next(steps))
    done = CliRunner().invoke(app, ["status", str(RUN), "--follow"])
    assert done.exit_code == 0
    assert done.output.count("10,000 cells") == 2


def test_a_folder_that_is_no_run_is_told_in_a_line(tmp_path):
    done = CliRunner().invoke(app, ["status", str(tmp_path)])
    assert "no run folder" in str(done.exception)
