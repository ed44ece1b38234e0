"""Cells are forks of one server; whatever becomes of the server, each cell has its end."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from cnnbench.launch import warm
from cnnbench.launch.warm import CellProcess, WarmServer
from cnnbench.store import RunFolder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no forks elsewhere")

# What `cnnbench cells` does, without torch: the cell's id says what it does.
SERVER = textwrap.dedent(
    """
    import json, os, sys, time
    for line in sys.stdin.buffer:
        words = json.loads(line)[0][5].split("-")
        if words[0] == "refuse":
            sys.exit(1)
        if words[0] == "import":
            time.sleep(float(words[1]))
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.dup2(2, 1)  # as a cell's log takes the place of stdout
            time.sleep(float(words[1]))
            os._exit(int(words[2]))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    """
)


class FakeFolder:
    def __init__(self, path: Path) -> None:
        self.path = path


def has_begun_and_not_ended(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def start(monkeypatch, tmp_path):
    monkeypatch.setattr(warm, "verb_command", lambda *words: [sys.executable, "-c", SERVER])

    def start_cell(cell_id: str) -> CellProcess:
        (tmp_path / "cells" / cell_id).mkdir(parents=True)
        return server.start(FakeFolder(tmp_path / "cells" / cell_id))

    with contextlib.closing(WarmServer(RunFolder(tmp_path))) as server:
        yield start_cell


def test_cells_are_forks_of_one_server_and_end_with_their_own_code(start):
    first = start("cell-0-0")
    assert first.wait() == 0
    second = start("cell-0-75")
    assert (second.wait(), second.returncode) == (75, 75)
    assert first.server is second.server
    assert first.pid != second.pid


def test_a_cell_that_runs_is_waited_for_in_vain(start):
    process = start("cell-60-0")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(5) == -signal.SIGKILL


def test_a_cell_ends_with_its_server_and_the_next_has_another(start):
    process = start("cell-60-0")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.server.kill()
    assert process.wait(5) == -signal.SIGKILL
    while has_begun_and_not_ended(process.pid):  # the suite's own limit ends a failure
        time.sleep(0.01)
    assert start("cell-0-3").wait(5) == 3


def test_a_server_that_cannot_serve_ends_its_cell_with_its_code(start):
    assert start("refuse").wait(5) == 1


def test_a_cell_can_be_ended_before_its_server_is_ready(start):
    process = start("import-60-0")  # nothing waits for the server but who asks for the end
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(5) == -signal.SIGTERM
    assert start("cell-0-4").wait(5) == 4
