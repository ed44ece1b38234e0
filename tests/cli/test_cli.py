"""The command line: words in, exit code out, one clear message for a mistake."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench.cli import main
from cnnbench.profiler.calibration import Choice
from cnnbench.profiler.pace import PaceMeter
from cnnbench.version import __version__

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--budget", "24img", "--batch-size", "8", "--image-size", "32", "--evaluations", "2"]


ON_PHOTOS = ["--dataset", "photos", "--precision", "fp32"]  # `auto` would measure first
DRY = ["run", "--models", "alexnet", *ON_PHOTOS, "--budget", "2ep", "--dry-run"]


def environment(here):
    cache = {"CNNBENCH_CACHE": str(here / "cache"), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **cache, "CI": "true"}


def cnnbench(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "cnnbench", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(cwd),
    )


@pytest.fixture
def here(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for label in ("apple", "pear", "<b>plum|"):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path


@pytest.fixture
def typed(here, monkeypatch, capsys):
    """Type a command in this process: the same `main`, without the seconds of a new process."""

    def run(*words):
        monkeypatch.chdir(here)
        monkeypatch.setenv("CNNBENCH_CACHE", str(here / "cache"))
        monkeypatch.setattr(sys, "argv", ["cnnbench", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, ended.value.code, said.out, said.err)

    return run


MISTAKES = pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["run", "--models", "alexnett", "--dataset", "photos"], 2, "did you mean 'alexnet'"),
        (["run", "--models", "alexnet", "--dataset", "fruitz"], 3, "fruits"),
        (["run", "--models", "alexnet", "--dataset", "./none"], 3, "none"),
        (["run", "--models", "alexnet", "--dataset", "photos", "--budget", "-1s"], 2, "budget"),
        (["run", "--models", "alexnet", "--dataset", "photos", "--budget", "0s"], 2, "zero"),
        (["run", "--models", "alexnet", "--dataset", "photos", "--lr", "x"], 2, "--lr"),
        (["run", "--models", "alexnet", "--dataset", "photos", "--image-size", "32"], 2, "36"),
        (["run", "--modles", "alexnet"], 2, "--models"),
        (["run", "--models", "alexnet", "--device", "gpu"], 2, "cuda"),
        (["run", "--models", "alexnet", "--data", "seed"], 2, "KEY=VALUE"),
        (["run", "--models", "alexnet", "--seeds", "0"], 2, "seed"),
        (["rnu"], 2, "run"),
        (["report", "photos", "--target", "90"], 2, "write 0.9"),
        (["report", "photos"], 4, "no run folder"),
        (["models", "vgg12"], 2, "did you mean"),
        (["datasets", "fruitz"], 3, "fruits"),
    ],
)


@MISTAKES
def test_a_mistake_gives_one_clear_message_and_the_documented_code(here, typed, words, code, hint):
    done = typed(*words)
    assert done.returncode == code, done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (here / "reports").exists()


@pytest.mark.parametrize(
    ("words", "code"), [(["run", "--models", "alexnett"], 2), (["datasets", "fruitz"], 3)]
)
def test_a_process_leaves_with_the_documented_code(here, words, code):
    done = cnnbench(*words, cwd=here)
    assert (done.returncode, done.stdout) == (code, "")
    assert "did you mean" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed(typed):
    done = typed("--version")
    assert (done.returncode, done.stdout) == (0, f"cnnbench {__version__}\n")


def test_looking_does_not_import_torch(here):
    code = (
        "import sys; sys.argv = ['cnnbench'] + sys.argv[1:]\n"
        "from cnnbench.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    for words in (["--help"], ["models"], ["datasets"], ["models", "--json"], DRY):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=here,
            capture_output=True,
            text=True,
            env=environment(here),
        )
        assert done.returncode == 0, done.stderr


def test_a_dry_run_writes_nothing(here, typed):
    before = sorted(here.rglob("*"))
    done = typed(*DRY, "--json")
    assert json.loads(done.stdout)["plan"]["cells"][0]["model"] == "alexnet"
    assert sorted(here.rglob("*")) == before


def test_a_dry_run_says_what_the_run_would(here, typed):
    (here / "run" / "cells").mkdir(parents=True)
    plan = json.loads(typed(*DRY, "--out", "run", "--json").stdout)["plan"]
    (here / "run" / "plan.json").write_text(json.dumps(plan))
    same = typed(*DRY, "--out", "run")
    assert same.returncode == 0, same.stderr
    tuned = typed(*DRY, "--out", "run", "--tune", "2", "--json")
    assert json.loads(tuned.stdout)["done"] is None
    one_trial = typed(*DRY, "--out", "run", "--tune", "1")
    assert one_trial.returncode == 2
    assert "at least 2 trials" in one_trial.stderr
    other = typed(*DRY, "--out", "run", "--seeds", "2")
    assert other.returncode == 4
    assert "holds another run" in other.stderr


def test_an_output_folder_that_cannot_be_made_is_a_disk_error(here, typed):
    (here / "file").write_text("")
    done = typed("run", "--models", "resnet", *ON_PHOTOS, *TINY, "--out", "file/run")
    assert done.returncode == 4
    assert "file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_says_which_precision_auto_chose_and_why(here, typed, monkeypatch):
    choice = Choice(precision="bf16", threads=None, why="the fastest that a GPU offers")
    monkeypatch.setattr("cnnbench.api.fastest_settings", lambda *_, **__: choice)
    done = typed("run", "--models", "alexnet", "--dataset", "photos", "--budget=2ep", "--dry-run")
    assert "cpu bf16" in done.stdout
    assert "precision: the fastest that a GPU offers" in done.stdout


def test_a_dry_run_says_what_the_budget_buys_and_what_would_feed_a_starved_network(
    typed, monkeypatch
):
    monkeypatch.setattr(PaceMeter, "pace_of", lambda *_, **__: 0.001)  # images a second
    done = typed("run", "--models", "alexnet", *ON_PHOTOS, "--budget", "2m", "--dry-run")
    assert "images of 64 pixels: the smallest; at none of 64 to 224 pixels" in done.stdout
    line = next(
        each for each in done.stdout.splitlines() if "alexnet  " in each and "epochs" in each
    )
    assert "too few to be ranked by (5 are): --budget" in line
    assert "in all, once the images are there" in done.stdout


def test_one_network_fails_and_the_other_is_done(here):
    # At this rate its weights overflow, while the units of lenet5 are bounded.
    words = ["run", "--models", "lenet5-relu,lenet5", *ON_PHOTOS, *TINY, "--lr", "1e5"]
    done = cnnbench(*words, "--out", "run", cwd=here)
    assert done.returncode == 1, done.stderr
    rows = rows_of(here / "run")
    assert rows["lenet5-relu"]["status"] == "diverged"
    assert "loss" in rows["lenet5-relu"]["reason"]
    assert rows["lenet5"]["status"] == "done"
    assert rows["lenet5"]["images_seen"] == 24
    assert rows["lenet5"]["top1_low"] <= rows["lenet5"]["top1"] <= rows["lenet5"]["top1_high"]
    assert "\x1b" not in done.stderr + done.stdout
    assert "<b>" not in (here / "run" / "report.html").read_text().split("<body", 1)[1]


@pytest.mark.slow
def test_options_of_the_images_reach_every_cell(here):
    options = ["--data", "train=24", "--data", "test=12"]
    words = [
        "run",
        "--models",
        "lenet5-relu",
        "--dataset",
        "fruits",
        *options,
        "--precision",
        "fp32",
    ]
    done = cnnbench(*words, "--budget", "24img", "--image-size", "32", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["images_seen"], row["test_images"]) == (24, 12)


@pytest.mark.slow
def test_a_stopped_run_is_continued_to_the_same_result(here):
    words = ["run", "--models", "resnet", *ON_PHOTOS, *TINY[2:], "--budget", "160img"]
    assert cnnbench(*words, "--out", "whole", cwd=here).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnbench", *words, "--out", "cut"],
        cwd=here,
        env=environment(here),
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not list(here.glob("cut/cells/resnet*/events.jsonl")):
        time.sleep(0.02)
    process.terminate()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert "type again" in said
    done = cnnbench(*words, "--out", "cut", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    facts = ("top1", "test_loss", "train_loss", "images_seen", "steps", "last_lr")
    whole, cut = (rows_of(here / folder)["resnet18"] for folder in ("whole", "cut"))
    assert {key: whole[key] for key in facts} == {key: cut[key] for key in facts}
    assert json.loads(done.stdout)["rows"] == [cut]


def rows_of(folder):
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return {row["model"]: row for row in rows}
