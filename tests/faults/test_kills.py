"""A cell that was killed ends with the same bits as if nothing had happened."""

import random

import kills
import pytest
from fork_server import CLOCK_BACK, INJECT, WITNESS, ForkServer
from toy import Toy, toy_flags

from cnnbench.schema.events import Failed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    with ForkServer() as server:
        yield Toy(tmp_path_factory.mktemp("faults"), server)


@pytest.fixture(scope="module")
def references(toy):
    return {currency: kills.Reference(toy, currency) for currency in kills.BUDGETS}


@pytest.mark.parametrize("currency", kills.BUDGETS)
def test_a_kill_at_random_changes_nothing(references, currency):
    tally, rng = kills.Tally(), random.Random(1)
    for _ in range(3):
        kills.kill_at_random(references[currency], tally, rng)
    assert not tally.wrong


@pytest.mark.parametrize("point", kills.FAILPOINTS[::5])
def test_a_kill_around_a_durable_write_changes_nothing(references, point):
    tally = kills.Tally()
    kills.kill_at_failpoint(references["images"], tally, point)
    assert tally.killed == 1
    assert not tally.wrong


def test_a_report_killed_halfway_is_whole_and_drawn_again(references):
    tally = kills.Tally()
    kills.kill_report(references["images"], tally, "report.html:synced:1")
    assert tally.killed == 1
    assert not tally.wrong


def test_a_clock_set_back_changes_nothing(references, toy):
    reference = references["images"]
    run, witness = toy.copy(reference.planned, "clock"), toy.home / "witness-clock.json"
    assert toy.serve(run, **{WITNESS: str(witness), CLOCK_BACK: "3600"}) == 0
    assert reference.differences(run, witness) == []
    seconds = run.result(run.plan().cells[0]).seconds.model_dump()
    assert min(seconds.values()) >= 0


@pytest.mark.parametrize("stage", ["build", "train", "eval", "oom"])
def test_a_cell_that_fails_says_where_and_is_done_when_tried_again(references, toy, stage):
    reference = references["images"]
    run, witness = toy.copy(reference.planned, "failing"), toy.home / "witness-failing.json"
    folder = run.cell(run.plan().cells[0])
    assert toy.serve(run, **{INJECT: stage}) == 1
    result = folder.result()
    assert result.status == ("oom" if stage == "oom" else "failed")
    assert ("try --batch-size 4" if stage == "oom" else f"injected while {stage}") in result.reason
    assert isinstance(folder.events()[-1], Failed)
    folder.retry()
    assert toy.serve(run, **{WITNESS: str(witness)}) == 0
    assert reference.differences(run, witness) == []


def test_a_network_that_blows_up_has_diverged_and_is_not_tried_again(toy):
    run = toy.plan("diverging", "--lr", "999999", "--budget", "640img")
    assert toy.serve(run) == 1
    folder = run.cell(run.plan().cells[0])
    result, events = folder.result(), folder.events()
    assert result.status == "diverged"
    assert [event for event in events if isinstance(event, Failed)] == events[-1:]
    assert (events[-1].reason, events[-1].spent.images) == (result.reason, result.images_seen)
    assert folder.is_final()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--lr", "0.5"), 4, "recipe.lr: "),
        (("--budget", "80img"), 4, "budget.limit: 640.0 -> 80.0"),
        (("--models", "lenet5"), 4, "models: lenet5-relu -> lenet5"),
    ],
)
def test_another_run_in_the_folder_is_refused_with_the_difference(
    references, toy, words, code, said
):
    toy.copy(references["images"].planned, "refused")
    log = toy.home / "refused.log"
    log.unlink(missing_ok=True)
    argv = ["run", *toy_flags("--budget", "640img", *words), "--out", "refused"]
    assert toy.server.run(argv, cwd=toy.home, log=log, env=toy.env) == code
    assert said in log.read_text()


def test_a_changed_dataset_is_a_data_error(references, toy):
    run = toy.copy(references["images"].planned, "changed")
    extra = toy.home / "photos" / "train" / "apple" / "extra.png"
    extra.write_bytes((extra.parent / "0.png").read_bytes())
    log = toy.home / "changed.log"
    argv = ["run", *toy_flags("--budget", "640img"), "--out", "changed"]
    try:
        assert toy.server.run(argv, cwd=toy.home, log=log, env=toy.env) == 3
        assert "'train': 48" in log.read_text()
        assert "'train': 49" in log.read_text()
        assert toy.serve(run) == 3
    finally:
        extra.unlink()
