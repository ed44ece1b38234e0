"""The same folder of images is the same run, however it is typed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench import api
from cnnbench.data import DataError
from cnnbench.planning.plan import respelled
from cnnbench.planning.request import Request, RunOptions
from cnnbench.schema.cell import slug
from cnnbench.store import RunFolder, StoreError


@pytest.fixture
def here(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for name in ("train/apple", "train/pear", "val/apple", "val/pear"):
        folder = tmp_path / "work" / "photos" / name
        folder.mkdir(parents=True)
        for index in range(2):
            pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def asked(dataset, models="lenet5,lenet5-relu", out=None, **options):
    request = Request(models, dataset, "16img", device="cpu", precision="fp32", image_size=32)
    plan, folder, _ = api.dry_run(request, RunOptions(out=out, **options))
    return plan, folder


def begun(plan, folder):
    RunFolder(folder).write_plan(plan)


@pytest.mark.parametrize(
    "typed", ["./photos", "photos/", "photos/../photos", "../work/photos", "{here}/photos", "link"]
)
def test_a_dataset_is_the_same_however_its_folder_is_typed(here, typed):
    (here / "link").symlink_to("photos")
    plan, folder = asked("photos")
    other, same = asked(typed.format(here=here))
    assert same == folder
    assert [cell.id for cell in other.cells] == [cell.id for cell in plan.cells]
    assert plan.cells[0].dataset == "photos"


def test_a_folder_elsewhere_is_absolute(here, monkeypatch):
    (here / "deeper").mkdir()
    monkeypatch.chdir(here / "deeper")
    assert asked("../photos")[0].cells[0].dataset == str(here / "photos")


def test_a_folder_called_like_a_card_stays_a_folder(here):
    shutil.copytree("photos", "fruits")
    assert asked("./fruits")[0].cells[0].dataset == "./fruits"
    assert asked(f"{here}/fruits")[0].cells[0].dataset == "./fruits"


@pytest.mark.parametrize("out", [None, "out"])
def test_a_run_that_was_begun_under_another_spelling_goes_on_under_it(here, out):
    plan, _ = asked("photos")
    before = respelled(plan, "./photos/", {})  # as it was typed, so it was kept
    begun(before, out or f"reports/{slug(plan.dataset.name)}-{before.digest}")
    again, folder = asked("./photos/", out=out)
    assert again.cells == before.cells
    assert (folder / "plan.json").exists()
    assert asked("photos", out=folder)[0].cells == before.cells


def test_a_run_goes_on_from_another_working_folder(here, monkeypatch):
    out = here / "out"
    plan, _ = asked(f"{here}/photos", out=out)
    begun(plan, out)
    assert plan.cells[0].dataset == "photos"
    monkeypatch.chdir(here.parent)
    for typed in (f"{here}/photos", "work/photos"):
        assert asked(typed, out=out)[0].cells == plan.cells


def test_other_images_under_the_same_name_are_another_dataset(here, monkeypatch):
    out = here / "out"
    begun(*asked("photos", out=out))
    monkeypatch.chdir(here.parent)
    shutil.copytree("work/photos", "photos")
    (here.parent / "photos" / "train" / "pear" / "0.png").unlink()
    with pytest.raises(DataError, match="changed since"):
        asked("photos", out=out)


def test_in_a_folder_of_its_own_a_run_goes_on_with_its_models_in_another_order(here):
    plan, folder = asked("photos", out="out")
    begun(plan, folder)
    assert asked("photos", "lenet5-relu,lenet5", out="./out/")[0].cells == plan.cells
    with pytest.raises(StoreError, match="models: lenet5,lenet5-relu -> lenet5"):
        asked("photos", "lenet5", out="out")


def test_fresh_takes_the_words_that_are_typed(here):
    plan, folder = asked("photos", out="out")
    begun(plan, folder)
    (folder / "plan.json").write_text("damaged")
    anew, _ = asked("photos", "lenet5-relu,lenet5", out="out", fresh=True)
    assert [cell.model for cell in anew.cells] == ["lenet5-relu", "lenet5"]


def test_a_loop_of_links_or_a_name_too_long_for_out_is_told(here):
    Path("loop").symlink_to("loop")
    assert asked("photos", out="loop")[1] == Path("loop")  # refused when it is made
    with pytest.raises(StoreError, match=r"File name too long; .*--out"):
        asked("photos", out="x" * 300)


@pytest.mark.slow
def test_the_cells_of_a_run_find_their_images_from_another_working_folder(here, monkeypatch):
    out = here / "out"
    begun(*asked("photos", "lenet5-relu", out=out))
    monkeypatch.chdir(here.parent)
    options = {"device": "cpu", "precision": "fp32", "image_size": 32}
    api.run("lenet5-relu", "work/photos", "16img", out=out, **options)
    run = RunFolder(out)
    assert [run.result(cell).status for cell in run.plan().cells] == ["done"]
