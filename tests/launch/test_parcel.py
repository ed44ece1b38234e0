"""A cell that was trained out of sight of the run folder comes home whole."""

import io
import tarfile

import pytest

from cnnbench.launch import ray as engine
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import Request
from cnnbench.store import RunFolder
from cnnbench.store.parcel import pack, unpack
from tests.store.test_run_folder import a_plan, a_run


def test_all_comes_home_but_checkpoints_and_claims(tmp_path):
    _, _, away = a_run(tmp_path / "away")
    with away.lock():
        away.save_checkpoint({"weight": 1}, steps=1)
        away.write_result(away.result().model_copy(update={"status": "done"}))
        (away.path / "log.txt").write_text("said")
        data = pack(away.path)
    _, _, home = a_run(tmp_path / "home")
    unpack(data, home.path)
    assert home.is_final()
    assert (home.path / "log.txt").read_text() == "said"
    names = {path.name for path in home.path.iterdir()}
    assert names == {"cell.json", "result.json", "log.txt"}


def test_a_parcel_writes_nowhere_else(tmp_path):
    (tmp_path / "cell").mkdir()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    unpack(buffer.getvalue(), tmp_path / "cell")
    assert [path.name for path in tmp_path.iterdir()] == ["cell"]


def test_a_worker_of_another_cnnbench_says_so_and_trains_nothing(tmp_path):
    outcome = engine._train(a_task(tmp_path, version="0.0"))
    assert outcome.code == 2
    assert "has cnnbench" in outcome.message


@pytest.mark.slow
def test_a_machine_that_does_not_see_the_run_folder_sends_the_cell_home(tmp_path):
    request = Request("lenet5-relu", "digits", "64img", image_size=32)
    plan, _ = make_plan(request, device="cpu", precision="fp32", machine={}, argv=())
    run, words = RunFolder(tmp_path / "run"), ("--threads=1",)
    run.write_plan(plan)
    folder = run.cell(plan.cells[0])
    outcome = engine._train(a_task(tmp_path / "not here", cell=folder.cell, words=words))
    assert outcome.code == 0
    unpack(outcome.files, folder.path)
    assert folder.result().status == "done"
    assert folder.predictions() is not None


def a_task(path, *, cell=None, **changes):
    facts = {"token": "x", "words": (), "retries": 0, "hung_after": 900.0, **changes}
    return engine._Task(run=str(path), cell=cell or a_plan().cells[0], **facts)
