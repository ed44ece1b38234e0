"""A cell of several ranks survives the loss of any of them, and leaves none behind."""

import json
import os
import random
import signal
import textwrap

import kills
import numpy as np
import pytest
import ranks
from fork_server import ROOT, ForkServer
from processes import wait_for
from toy import Toy

from cnnbench.schema.events import Evaluated

pytestmark = pytest.mark.slow

TWO = ("--devices", "2", "--precision", "fp32")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    with ForkServer() as server:
        yield Toy(tmp_path_factory.mktemp("ranks"), server)


@pytest.fixture(scope="module")
def reference(toy):
    return ranks.Reference(toy)


def served(toy, name, *words, **env):
    run = toy.plan(name, *words)
    code = toy.serve(run, **env)
    return code, run.cell(run.plan().cells[0])


def test_two_killed_ranks_are_two_finished_cells_with_the_same_bits(reference):
    tally, rng = ranks.Tally(), random.Random(3)
    while tally.killed < 2:
        ranks.kill_a_rank(reference, tally, rng)
    assert (tally.hung, tally.wrong) == (0, [])
    assert tally.finished >= 2


def test_two_ranks_give_the_curve_and_the_answers_of_one_process(toy):
    """48 images in batches of 8 and 4: the last is uneven over the ranks as well."""
    code, shared = served(toy, "shared", *TWO, "--budget", "317img")
    assert code == 0, kills.log_of(ranks.RunFolder(toy.home / "shared"))
    code, alone = served(toy, "alone", "--precision", "fp32", "--budget", "317img")
    assert code == 0

    def curve(folder):
        tests = [event for event in folder.events() if isinstance(event, Evaluated)]
        return [value for e in tests for value in (e.loss, e.top1, e.train_loss, e.spent.images)]

    assert curve(shared) == pytest.approx(curve(alone), rel=1e-4)
    ours, theirs = shared.predictions(), alone.predictions()
    np.testing.assert_allclose(ours.logits, theirs.logits, rtol=1e-3, atol=1e-3)
    assert (ours.names, ours.labels.tolist()) == (theirs.names, theirs.labels.tolist())
    assert (shared.result().devices, alone.result().devices) == (2, 1)


def test_a_budget_in_seconds_is_that_of_the_first_rank(toy):
    code, folder = served(toy, "seconds", *TWO, "--budget", "0.5s")
    result = folder.result()
    assert (code, result.status) == (0, "done")
    # No step begins that is foreseen to overshoot; one that the machine delays is charged whole.
    longest_step = 0.5
    assert 0.25 < result.budget.used < 0.5 + longest_step


def test_a_stopped_cell_saves_its_state_leaves_with_143_and_goes_on(toy, reference):
    run = toy.copy(reference.planned, "stopped-ranks")
    cell = run.plan().cells[0]
    folder, words = run.cell(cell), toy.cell_words(run, cell)
    log = folder.path / "log.txt"
    child = toy.server.start(words, cwd=toy.home, log=log, env=toy.env)
    wait_for(lambda: list(folder.path.glob("checkpoint/*.json")))
    child.kill(signal.SIGTERM)
    assert child.wait() == 143
    assert not ranks.ranks_of(run)
    assert not (folder.path / "result.json").exists()
    assert toy.serve(run) == 0
    facts = kills.facts_of(run)
    assert [name for name in facts if facts[name] != reference.facts[name]] == []


def test_ranks_end_with_a_supervisor_that_was_killed(toy, reference):
    run = toy.copy(reference.planned, "orphaned-ranks")
    cell = run.plan().cells[0]
    folder = run.cell(cell)
    log = folder.path / "log.txt"
    child = toy.server.start(toy.cell_words(run, cell), cwd=toy.home, log=log, env=toy.env)
    wait_for(lambda: list(folder.path.glob("checkpoint/*.json")))
    child.kill()
    assert child.wait() == -signal.SIGKILL
    wait_for(lambda: not ranks.ranks_of(run), seconds=25)


def test_what_goes_wrong_in_a_follower_is_the_reason_of_the_row(toy, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent(
            """
            import os
            if os.environ.get("RANK") == "1":
                import torch
                def fail(*_, **__):
                    raise torch.OutOfMemoryError("CUDA out of memory (injected)")
                torch.nn.functional.cross_entropy = fail
            """
        )
    )
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    code, folder = served(toy, "failing-follower", *TWO, "--budget", "80img", PYTHONPATH=path)
    result = json.loads((folder.path / "result.json").read_text())
    assert (code, result["status"]) == (1, "oom")
    assert "(injected); try --batch-size 4" in result["reason"]
