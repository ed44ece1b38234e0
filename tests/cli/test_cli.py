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

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--budget", "24img", "--batch-size", "8", "--image-size", "32", "--evaluations", "2"]


def cnnbench(*words, cwd, **env):
    return subprocess.run(
        [sys.executable, "-m", "cnnbench", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CI": "true", **env},
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


@pytest.mark.parametrize(
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
def test_a_mistake_gives_one_clear_message_and_the_documented_code(here, words, code, hint):
    done = cnnbench(*words, cwd=here)
    assert done.returncode == code, done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (here / "reports").exists()


def test_looking_does_not_import_torch(here):
    code = (
        "import sys; sys.argv = ['cnnbench'] + sys.argv[1:]\n"
        "from cnnbench.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    dry = ["run", "--models", "alexnet,vgg", "--dataset", "photos", "--dry-run"]
    for words in (["--help"], ["models"], ["datasets"], ["models", "--json"], dry):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=here,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr


def test_a_dry_run_writes_nothing(here):
    before = sorted(here.rglob("*"))
    done = cnnbench(
        "run", "--models", "alexnet", "--dataset", "photos", "--dry-run", "--json", cwd=here
    )
    assert json.loads(done.stdout)["plan"]["cells"][0]["model"] == "alexnet"
    assert sorted(here.rglob("*")) == before


def test_a_dry_run_says_what_the_run_would(here):
    words = ["run", "--models", "alexnet", "--dataset", "photos", "--out", "run"]
    (here / "run" / "cells").mkdir(parents=True)
    plan = json.loads(cnnbench(*words, "--dry-run", "--json", cwd=here).stdout)["plan"]
    (here / "run" / "plan.json").write_text(json.dumps(plan))
    same = cnnbench(*words, "--dry-run", cwd=here)
    assert same.returncode == 0, same.stderr
    tuned = cnnbench(*words, "--dry-run", "--tune", "2", "--json", cwd=here)
    assert json.loads(tuned.stdout)["done"] is None
    other = cnnbench(*words, "--dry-run", "--budget", "1m", cwd=here)
    assert other.returncode == 4
    assert "holds another run" in other.stderr


def test_an_output_folder_that_cannot_be_made_is_a_disk_error(here):
    (here / "file").write_text("")
    words = ["run", "--models", "resnet", "--dataset", "photos", *TINY, "--out", "file/run"]
    done = cnnbench(*words, cwd=here, CNNBENCH_CACHE=str(here / "cache"))
    assert done.returncode == 4
    assert "file" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_network_fails_and_the_other_is_killed_and_continued_to_the_same_result(here):
    # Its pools leave nothing of 32 pixels, which is only found out when it runs.
    words = ["run", "--models", "torchvision:alexnet,resnet", "--dataset", "photos"]
    words += ["--image-size", "32", "--batch-size", "8", "--budget", "160img"]
    words += ["--evaluations", "2"]
    env = {"CNNBENCH_CACHE": str(here / "cache")}
    whole = cnnbench(*words, "--out", "whole", cwd=here, **env)
    assert whole.returncode == 1, whole.stderr
    rows = rows_of(here / "whole")
    assert rows["torchvision:alexnet"]["status"] == "failed"
    assert "too small" in rows["torchvision:alexnet"]["reason"]
    one = rows["resnet18"]
    assert one["status"] == "done"
    assert one["images_seen"] == 160
    assert one["top1_low"] <= one["top1"] <= one["top1_high"]
    assert "\x1b" not in whole.stderr + whole.stdout
    assert "<b>" not in (here / "whole" / "report.html").read_text().split("<body", 1)[1]

    process = subprocess.Popen(
        [sys.executable, "-m", "cnnbench", *words, "--out", "cut"],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CI": "true", **env},
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not list(here.glob("cut/cells/resnet*/events.jsonl")):
        time.sleep(0.02)
    process.terminate()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert "type again" in said
    done = cnnbench(*words, "--out", "cut", "--json", cwd=here, **env)
    assert done.returncode == 1, done.stderr
    facts = ("top1", "test_loss", "train_loss", "images_seen", "steps", "last_lr")
    two = rows_of(here / "cut")["resnet18"]
    assert {key: one[key] for key in facts} == {key: two[key] for key in facts}
    assert json.loads(done.stdout)["rows"][1] == two


def rows_of(folder):
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return {row["model"]: row for row in rows}
