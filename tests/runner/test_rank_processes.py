"""The rank that failed first is the cell's failure; one that is lost is launched anew with all."""

import json
import os
import signal

import pytest
from contexts import a_context
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from cnnbench.base.exits import Exit
from cnnbench.data import DataError
from cnnbench.engine.ranks import Ranks
from cnnbench.runner import ranks
from cnnbench.runner.ranks import LOST, RELAUNCHES, serve_rank, supervise_ranks

CLOSED = RuntimeError("[/gloo/gloo/transport/tcp/pair.cc:538] Connection closed by peer")


def a_failure(rank, code, told=None, tmp_path=None):
    path = tmp_path / f"{rank}.json" if told else ""
    if told:
        path.write_text(json.dumps({"message": told["reason"], "timestamp": 1, "told": told}))
    return ProcessFailure(local_rank=rank, pid=1, exitcode=code, error_file=str(path))


@pytest.fixture
def supervise(folder, monkeypatch):
    """Supervise a cell whose launches end one after another as they are told to."""
    folder.cell = folder.cell.model_copy(update={"devices": 2})
    monkeypatch.setattr(ranks, "_lead_stdin_here", lambda: None)
    monkeypatch.setattr(ranks.logging, "disable", lambda: None)
    environment = os.environ.copy()  # which a supervisor changes for good: it is a process

    def supervise(*launches):
        ends, launched = iter(launches), []

        def launch(words, count):
            launched.append(words)
            end = next(ends)
            if isinstance(end, BaseException):
                raise end
            return {failure.local_rank: failure for failure in end}

        monkeypatch.setattr(ranks, "_launch", launch)
        code = supervise_ranks(a_context(folder), started=0.0)
        return code, len(launched), folder.result()

    yield supervise
    os.environ.clear()
    os.environ.update(environment)


def test_a_lost_rank_is_a_launch_of_all_and_the_row_is_that_of_the_last(supervise):
    lost = [a_failure(0, LOST), a_failure(1, -9)]
    code, launches, result = supervise(lost, lost, [])
    assert (code, launches, result.status) == (Exit.OK, 3, "planned")


def test_a_rank_that_dies_again_and_again_is_a_killed_row_that_names_it(supervise):
    lost = [a_failure(0, -15), a_failure(1, -11)]
    code, launches, result = supervise(*[lost] * (1 + RELAUNCHES))
    assert (code, launches, result.status) == (Exit.FAILED, 1 + RELAUNCHES, "killed")
    assert "rank 1 was killed by SIGSEGV" in result.reason
    assert "the same command continues it" in result.reason


def test_the_reason_is_that_of_the_rank_which_failed_first(supervise, tmp_path):
    first = {"code": 1, "status": "oom", "reason": "out of memory", "at": 5}
    later = {"code": 1, "status": "failed", "reason": "Connection closed", "at": 6}
    # The first rank heard of it and was stuck, so that the launcher had to kill it.
    ends = [a_failure(0, -9), a_failure(2, 1, later, tmp_path), a_failure(1, 1, first, tmp_path)]
    code, launches, result = supervise(ends)
    assert (code, launches) == (Exit.FAILED, 1)
    assert (result.status, result.reason) == ("oom", "out of memory")


def test_data_that_a_rank_cannot_read_stop_the_run_with_its_words_last(supervise, tmp_path, capsys):
    told = {"code": 3, "status": "failed", "reason": "photos/1.png is gone", "at": 5}
    code, launches, _ = supervise([a_failure(0, LOST), a_failure(1, 3, told, tmp_path)])
    assert (code, launches) == (Exit.DATA, 1)
    assert capsys.readouterr().err.splitlines()[-1] == "photos/1.png is gone"


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], Exit.OK),
        ([(0, 1)], Exit.FAILED),  # its row is written
        ([(0, 1), (1, -9)], Exit.FAILED),
        ([(0, 143)], Exit.STOPPED),
        ([(0, 143), (1, -15)], Exit.STOPPED),
        ([(0, 4), (1, LOST)], Exit.DISK),  # it could not even write what is wrong
        ([(0, LOST), (1, 70)], Exit.INTERNAL),
    ],
)
def test_other_ends_are_those_of_the_cell(supervise, ends, expected):
    assert supervise([a_failure(*end) for end in ends])[:2] == (expected, 1)


def test_a_supervisor_that_is_stopped_leaves_with_the_documented_code(supervise):
    stopped = SignalException("stop", signal.SIGTERM)
    assert supervise(stopped)[0] == Exit.STOPPED


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (None, Exit.OK, None),
        (CLOSED, LOST, None),
        (DataError("gone"), Exit.DATA, "gone"),
        (ValueError("a bad layer"), Exit.FAILED, "ValueError: a bad layer"),
    ],
)
def test_a_follower_tells_its_own_errors_and_no_others(
    folder, monkeypatch, tmp_path, capsys, error, code, told
):
    def follow(context):
        assert not context.ranks.is_first
        if error:
            raise error

    monkeypatch.setattr(ranks, "join_ranks", lambda device, seed: Ranks(rank=1, count=2))
    monkeypatch.setattr(ranks, "follow_cell", follow)
    monkeypatch.setenv(ranks.ERROR_FILE, str(tmp_path / "error.json"))
    assert serve_rank(a_context(folder), 1) == code
    path = tmp_path / "error.json"
    said = json.loads(path.read_text())["told"]["reason"] if path.exists() else None
    assert said == told


def test_the_first_rank_writes_no_row_because_a_neighbour_died(folder, monkeypatch):
    monkeypatch.setattr(ranks, "join_ranks", lambda device, seed: Ranks(count=2))

    def lose(*_, **__):
        raise CLOSED

    monkeypatch.setattr("cnnbench.runner.cell._train_cell", lose)
    assert serve_rank(a_context(folder), 0) == LOST
    assert not (folder.path / "result.json").exists()
