"""`predict` and `export` on the command line: words in, answers and the documented code out."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kept_networks import CLASSES, SPEED, train_and_keep

import cnnbench
from cnnbench.cli import main
from cnnbench.cli.networks import split_target
from cnnbench.inference import export
from cnnbench.report.write import write_report

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("verbs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNBENCH_CACHE", str(home / "cache"))
        write_report(train_and_keep(home))
    return home


@pytest.fixture
def typed(home, monkeypatch, capsys):
    def run(*words):
        monkeypatch.chdir(home)
        monkeypatch.setenv("CNNBENCH_CACHE", str(home / "cache"))
        monkeypatch.setattr(sys, "argv", ["cnnbench", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def test_a_table_has_a_row_a_file_with_the_reason_where_there_is_no_answer(home, typed):
    (home / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    code, out, err = typed("predict", "run", "photos/test/pear/3.jpg", "torn.jpg", "gone.jpg")
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 4
    assert lines[1].startswith("photos/test/pear/3.jpg")
    assert sum(name in lines[1] for name in CLASSES) == 3
    assert "damaged" in lines[2]
    assert "No such file" in lines[3]
    assert "lenet5-relu ranked first" in err or "lenet5-relu" in err
    assert "3 files in" in err
    assert "\x1b" not in out + err


def test_where_no_file_could_be_read_the_code_is_that_of_data(typed):
    code, out, _ = typed("predict", "run", "gone.jpg")
    assert code == 3
    assert "No such file" in out


def test_json_is_one_document_and_has_what_python_gives(home, typed):
    code, out, _ = typed("predict", "run:lenet5-relu", "photos/test", "--json", "--top", "1")
    document = json.loads(out)
    network = cnnbench.load_model(home / "run", "lenet5-relu")
    rows = document["predictions"]
    assert code == 0
    assert len(rows) == 39
    wanted = network.predict([home / row["file"] for row in rows])
    for row, each in zip(rows, wanted, strict=True):
        ((name, chance),) = each.top(1)
        assert row["top"] == [{"class": name, "probability": chance}]
        assert row["reason"] == ""
    assert document["top1_low"] <= document["top1"] <= document["top1_high"]


def test_csv_has_a_line_a_file_and_no_formula(home, typed):
    (home / "=1+1.jpg").write_bytes((home / "photos/test/pear/3.jpg").read_bytes())
    code, out, _ = typed("predict", "run", "=1+1.jpg", "gone.jpg", "--csv", "--top", "9")
    first, second = csv.DictReader(io.StringIO(out))
    assert code == 0
    assert first["file"] == "'=1+1.jpg"
    assert {first["class"], first["class_2"], first["class_3"]} == set(CLASSES)
    assert float(first["probability"]) >= float(first["probability_2"])
    assert (second["class"], second["probability"]) == ("", "")
    assert "No such file" in second["reason"]


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["predict", "run:lenet6", "photos"], 2, "it has lenet5-relu"),
        (["predict", "run", "photos", "--json", "--csv"], 2, "leave one out"),
        (["predict", "photos", "photos"], 4, "no run folder"),
        (["predict", "nowhere:x", "photos"], 4, "nowhere:x is no run folder"),
        (["predict", "run", "cache"], 3, "no image"),
        (["predict", "run"], 2, "FILES"),
        (["predict", "run", "photos", "--top", "0"], 2, "--top"),
        (["export", "run", "--to", "tflite"], 2, "onnx"),
        (["export", "run", "--to", "safetensors", "--out", "photos"], 4, "is there already"),
        (["run", "--models", "lenet5", "--keep", "some"], 2, "all, best, none"),
    ],
)
def test_a_mistake_gives_one_clear_message(typed, words, code, hint):
    done, out, err = typed(*words)
    assert (done, out) == (code, "")
    assert hint in err
    assert "Traceback" not in err


def test_an_export_says_where_it_is(home, typed, monkeypatch):
    monkeypatch.setattr(export, "measure_speed", lambda network: SPEED)
    code, out, _ = typed("export", "run", "--to", "safetensors", "--json")
    document = json.loads(out)
    assert not code
    assert document["folder"] == f"exports/{document['cell']}-safetensors"
    assert document["files"] == sorted(path.name for path in (home / document["folder"]).iterdir())


@pytest.mark.slow
def test_after_a_run_the_last_line_says_how_its_network_is_used(home, typed):
    code, out, _ = typed("report", "run")
    assert code == 0
    assert out.splitlines()[-1] == "next: cnnbench predict run PHOTOS"


def test_the_longest_folder_that_is_there_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("run", "run:2m", "a:b:c"):
        (tmp_path / name).mkdir()
    assert split_target("run") == ("run", None)
    assert split_target("run:") == ("run", None)
    assert split_target("run:vgg") == ("run", "vgg")
    assert split_target("run:timm:resnet18") == ("run", "timm:resnet18")
    assert split_target("run:2m") == ("run:2m", None)
    assert split_target("run:2m:vgg") == ("run:2m", "vgg")
    assert split_target("a:b:c:vgg at 2m") == ("a:b:c", "vgg at 2m")
    assert split_target("gone:vgg") == ("gone:vgg", None)
    assert split_target("x" * 5000) == ("x" * 5000, None)


TINY = ["--dataset", "photos", "--batch-size", "6", "--image-size", "32", "--evaluations", "1"]
TINY += ["--precision", "fp32", "--device", "cpu"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "n_kept"),
    [
        (["run", "--models", "lenet5,lenet5-relu", "--budget", "12img"], 2),
        (["run", "--models", "lenet5,lenet5-relu", "--budget", "12img", "--keep", "best"], 1),
        (["run", "--models", "lenet5", "--budget", "12img", "--keep", "none"], 0),
        (["run", "--models", "lenet5", "--budget", "40img", "--tune", "2"], 1),
        (["sweep", "--models", "lenet5", "--budget", "12img,18img"], 0),
        (["sweep", "--models", "lenet5", "--budget", "12img,18img", "--keep", "all"], 2),
    ],
    ids=lambda each: " ".join(each[3:]) if isinstance(each, list) else str(each),
)
def test_each_verb_keeps_what_it_should(home, tmp_path, words, n_kept):
    out = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "cnnbench", *words, *TINY, "--out", str(out)],
        cwd=home,
        capture_output=True,
        text=True,
        env={**os.environ, "CNNBENCH_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert len(list(out.glob("cells/*/model.safetensors"))) == n_kept
    assert len(list(out.glob("cells/*/model.json"))) == n_kept
    assert not list(out.glob("tuning/cells/*/model*"))
    assert ("next: cnnbench predict" in done.stdout.splitlines()[-1]) == (n_kept > 0)
