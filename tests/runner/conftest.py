"""A plan of one small cell over a few made-up photos."""

import numpy as np
import pytest
from contexts import N_TRAIN
from PIL import Image

from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import Request
from cnnbench.store import RunFolder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for split, count in (("train", N_TRAIN // 3), ("val", 4)):
        for label, shade in (("apple", 40), ("pear", 120), ("plum", 200)):
            home = tmp_path / "photos" / split / label
            home.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(shade - 40, shade + 40, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(home / f"{index}.png")
    request = Request(
        models="lenet5-relu",
        dataset=str(tmp_path / "photos"),
        budget="96img",
        batch_size=8,
        image_size=32,
        evaluations=2,
    )
    plan, _ = make_plan(request, device="cpu", precision="fp32", machine={}, argv=())
    run = RunFolder(tmp_path / "run")
    run.write_plan(plan)
    return run.cell(plan.cells[0])
