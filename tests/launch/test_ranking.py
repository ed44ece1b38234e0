"""A run that is asked to rank across machines keeps that in its folder, for every later report."""

import numpy as np
import pytest
from PIL import Image

from cnnbench import api
from cnnbench.planning.request import Request, RunOptions
from cnnbench.schema.result import planned
from cnnbench.store import RunFolder

REQUEST = Request("lenet5-relu", "photos", "16img", device="cpu", precision="fp32", image_size=32)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Return a run whose only cell has ended, so that the same command only reports."""
    monkeypatch.chdir(tmp_path)
    for split, label in (("train", "a"), ("train", "b"), ("val", "a"), ("val", "b")):
        folder = tmp_path / "photos" / split / label
        folder.mkdir(parents=True)
        Image.fromarray(np.full((40, 40, 3), ord(label), dtype=np.uint8)).save(folder / "1.png")
    plan, _, folder = api._prepared_in_folder(REQUEST, RunOptions(), (), lambda cell: None)
    run = RunFolder(folder)
    run.write_plan(plan)
    for cell in plan.cells:
        run.cell(cell).write_result(planned(cell).model_copy(update={"status": "diverged"}))
    return run


def test_what_one_command_asked_for_the_next_one_keeps(trained):
    api.run(**vars(REQUEST))
    assert not trained.ranking().across_machines
    api.run(**vars(REQUEST), across_machines=True)
    api.run(**vars(REQUEST))
    assert trained.ranking().across_machines
