"""Names whose bytes are no text, and terminals that lack a name's letters: nothing crashes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench.base.files import write_text
from cnnbench.base.words import escape_bytes, unescape_bytes
from cnnbench.planning.request import Request
from cnnbench.report.text.escape import shell_command
from cnnbench.runner.inputs import open_inputs
from cnnbench.schema.cell import Cell, Plan
from cnnbench.store import Predictions, RunFolder
from tests.store.test_run_folder import a_run

ROOT = Path(__file__).resolve().parents[2]
APPLE = os.fsdecode(b"\xc4pfel")  # Latin-1, as a zip from Windows may hold it
LEMON = "柠檬"
TINY = ["--models", "lenet5-relu", "--image-size", "32", "--batch-size", "8", "--budget", "16img"]
TINY += ["--evaluations", "1", "--device", "cpu", "--precision", "fp32"]
TERMINALS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0"},
]


def photos(folder, classes):
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for name in classes:
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                path = folder / split / name / f"{APPLE}-{index}.png"
                Image.fromarray(pixels).save(path)
    return folder


def cnnbench(*words, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cnnbench", *words],
        cwd=cwd,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CNNBENCH_CACHE": "cache", **environment},
    )


@pytest.mark.parametrize("name", ["plain", "a\\b", APPLE, f"{LEMON}/{APPLE}"])
def test_a_spelled_name_is_text_and_comes_back(name):
    escape_bytes(name).encode()
    assert unescape_bytes(escape_bytes(name)) == name


def test_what_python_shows_of_such_a_name_is_spelled_alike():
    assert escape_bytes(f"no folder {APPLE!r}") == "no folder '\\xc4pfel'"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_daemon_may_have_closed_its_streams(tmp_path, closed):
    photos(tmp_path / "photos", ("apple", "pear"))
    command = f"{sys.executable} -m cnnbench check photos {closed}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CNNBENCH_CACHE": "cache"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_error_cannot_drive_the_terminal(tmp_path):
    done = cnnbench("report", "\x1b[31mred", cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith(b"error: ?[31mred is no run folder")


def test_every_text_file_takes_every_name(tmp_path):
    write_text(tmp_path / "file", f"{APPLE} {LEMON}")
    assert (tmp_path / "file").read_text("utf-8") == f"\\xc4pfel {LEMON}"


def test_a_command_with_such_a_name_can_be_typed_again():
    said = subprocess.run(
        ["bash", "-c", f"printf %s {shell_command([APPLE])}"], capture_output=True
    )
    assert said.stdout == os.fsencode(APPLE)


def test_predictions_hold_names_that_are_text(tmp_path):
    _, _, cell = a_run(tmp_path)
    labels, logits = np.zeros(1, np.int64), np.zeros((1, 2), np.float32)
    cell.write_predictions(Predictions(labels=labels, logits=logits, names=(f"val/{APPLE}",)))
    kept = cell.predictions()
    assert kept is not None
    assert kept.names == ("val/\\xc4pfel",)


def test_a_plan_spells_such_names_and_its_cells_open_them(tmp_path):
    photos(tmp_path / APPLE, (APPLE, LEMON))
    done = cnnbench("run", *TINY, "--dataset", f"./{APPLE}", "--dry-run", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    plan = Plan.model_validate(json.loads(done.stdout)["plan"])
    assert plan.dataset.name == "\\xc4pfel"
    assert set(plan.dataset.classes) == {"\\xc4pfel", LEMON}
    run = RunFolder(tmp_path / APPLE)
    run.write_plan(plan)
    assert run.plan() == plan


def test_a_cell_opens_the_folder_whose_name_its_plan_spells(tmp_path, monkeypatch):
    photos(tmp_path / APPLE, (APPLE, LEMON))
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    _, plan, _ = a_run(tmp_path)
    from cnnbench.data.open import open_dataset

    fingerprint = open_dataset(f"./{APPLE}").fingerprint
    facts = plan.cells[0].model_dump() | {"image_size": 32, "dataset_fingerprint": fingerprint}
    cell = Cell.model_validate(facts | {"dataset": f"./{APPLE}"})
    assert cell.dataset == "./\\xc4pfel"
    typed = Request("", f"./{APPLE}")
    assert len(open_inputs(cell, typed).splits["train"].images) == 16


@pytest.mark.parametrize("terminal", TERMINALS, ids=lambda each: " ".join(each.values()))
def test_a_terminal_that_lacks_a_letter_shows_how_it_is_spelled(tmp_path, terminal):
    photos(tmp_path / LEMON, (APPLE, LEMON))
    for words, code in ((["check", LEMON], 0), (["check", f"./{LEMON}{APPLE}"], 3)):
        done = cnnbench(*words, cwd=tmp_path, **terminal)
        assert done.returncode == code, done.stderr
        said = done.stdout + done.stderr
        assert (b"\\u67e0" in said) != (LEMON.encode() in said)


@pytest.mark.slow
def test_a_whole_run_on_such_names_is_reported(tmp_path):
    photos(tmp_path / LEMON / APPLE, (APPLE, LEMON))
    data, out = f"{LEMON}/{APPLE}", f"{APPLE}-{LEMON}"
    for words in (
        ["run", *TINY, "--dataset", data, "--out", out],
        ["run", *TINY, "--dataset", data, "--out", out, "--json"],
        ["report", out],
        ["compare", out, out],
        ["compare", out, out, "--json"],
    ):
        done = cnnbench(*words, cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
    for name in ("report.html", "report.md", "results.json", "results.csv", "plan.json"):
        text = (tmp_path / out / name).read_text("utf-8")
        assert "xc4pfel" in text
    html = (tmp_path / out / "report.html").read_text("utf-8")
    assert LEMON in html
