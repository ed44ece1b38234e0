"""A finished cell keeps its network, and an attempt that was killed leaves none that counts."""

import json
import os
import signal

import pytest
import torch
from contexts import a_context

from cnnbench.data.pixels.decode import DECODE_VERSION
from cnnbench.runner import cell as runner
from cnnbench.runner.cell import run_cell
from cnnbench.schema.kept import KeptNetwork

pytestmark = pytest.mark.slow


@pytest.fixture
def context(folder):
    return a_context(folder, keeps=True)


def test_what_is_kept_says_how_the_network_is_used(folder, context):
    result = run_cell(context)
    kept, cell = folder.kept(), folder.cell
    assert (kept.correct, kept.test_images, kept.top1) == (
        *(result.correct, result.test_images, result.top1),
    )
    assert kept.top1_low < kept.top1 <= kept.top1_high
    assert (kept.image_size, kept.stored_size) == (cell.image_size, cell.stored_size)
    assert (kept.classes, kept.decode_version) == (("apple", "pear", "plum"), DECODE_VERSION)
    assert kept.budget == result.budget
    assert kept.origin.threads == 1
    assert result.seconds.checkpoint > 0
    document = json.loads((folder.path / "model.json").read_text())
    assert {"mean", "std", "image_size", "dataset", "train_images"} <= document.keys()
    assert document.keys() == KeptNetwork.model_fields.keys()


def test_nothing_is_kept_unless_it_is_asked_for(folder):
    run_cell(a_context(folder))
    assert not folder.has_network()


def test_an_attempt_that_keeps_nothing_forgets_what_an_earlier_one_kept(
    folder, context, monkeypatch
):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_success", stop)
        with pytest.raises(KeyboardInterrupt):
            run_cell(context)
    assert folder.has_network()
    assert not folder.is_final()
    run_cell(a_context(folder))
    assert folder.is_final()
    assert not folder.has_network()
    assert not list(folder.path.glob("model.*"))


def test_what_is_kept_are_the_last_weights(folder, context, monkeypatch):
    seen = {}
    keep = runner.keep_network

    def watch(context, inputs, training, network, **named):
        seen.update({name: value.clone() for name, value in network.state_dict().items()})
        keep(context, inputs, training, network, **named)

    monkeypatch.setattr(runner, "keep_network", watch)
    run_cell(context)
    got = folder.weights(folder.kept())
    assert got.keys() == seen.keys()
    assert all(torch.equal(got[name], seen[name]) for name in seen)


STAGES = ("opened", "written", "synced", "replaced", "done")
KILLS = [f"{name}:{stage}:1" for name in ("model.safetensors", "model.json") for stage in STAGES]


def in_a_fork(folder, point):
    """Run the cell in a process that may die on the way; return how it ended."""
    pid = os.fork()
    if pid == 0:
        os.environ["CNNBENCH_FAILPOINT"] = point
        code = 1
        try:
            with folder.lock():  # as the process does that serves a cell
                code = int(run_cell(a_context(folder, keeps=True)).status != "done")
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_kill_while_the_network_is_kept_changes_no_bit(folder):
    def kept():
        weights = (folder.path / "model.safetensors").read_bytes()
        return weights, folder.predictions().logits.tobytes(), folder.kept().sha256

    assert in_a_fork(folder, "") == 0
    whole = kept()
    for point in (*KILLS, "model.safetensors:forgetting:1"):
        for path in folder.path.iterdir():
            if path.name != "cell.json" and path.is_file():
                path.unlink()
        assert in_a_fork(folder, point) == -signal.SIGKILL, point
        assert not folder.is_final()
        assert in_a_fork(folder, "") == 0
        assert kept() == whole, point
        assert not list(folder.path.glob(".*.tmp"))
