"""An export is one whole folder that another program can use, or nothing."""

import json

import pytest
import torch
from kept_networks import CLASSES, SPEED

from cnnbench.inference import ExportFormat, export, speed
from cnnbench.inference.export import export_network
from cnnbench.inference.network import load_network
from cnnbench.inference.preprocessing import python_code
from cnnbench.networks import export_model, load_model
from cnnbench.report.analysis.choice import choose_network
from cnnbench.report.pages.card import model_card
from cnnbench.schema.kept import OnnxCheck
from cnnbench.schema.start import Start
from cnnbench.store import StoreError


@pytest.fixture
def quick(monkeypatch):
    """Spare the seconds that a measurement takes."""
    monkeypatch.setattr(export, "measure_speed", lambda network: SPEED)


@pytest.fixture
def exported(run, quick, tmp_path):
    return export_model(
        run.path, choose_network(run), to=ExportFormat.SAFETENSORS, out=tmp_path / "out"
    )


def test_the_folder_holds_all_that_is_needed(exported, folder):
    assert sorted(path.name for path in exported.iterdir()) == [
        *("README.md", "labels.txt", "model.json", "model.safetensors", "preprocessing.json"),
    ]
    assert (exported / "labels.txt").read_text().splitlines() == list(CLASSES)
    facts = json.loads((exported / "preprocessing.json").read_text())
    assert facts["mean"] == list(folder.kept().mean)
    assert exported.stat().st_mode & 0o777 == 0o755


def test_the_code_of_the_card_runs_and_answers_as_predict_does(
    exported, run, photos, monkeypatch, capsys
):
    code = (exported / "README.md").read_text().split("```python\n")[1:]
    prepare, use = (each.split("```")[0] for each in code)
    monkeypatch.chdir(exported)
    photo = photos / "test" / "plum" / "1.jpg"
    (exported / "photo.jpg").write_bytes(photo.read_bytes())
    exec(prepare + use, {})
    (row,) = load_model(run.path).predict([photo])
    assert capsys.readouterr().out.strip() == row.top(1)[0][0]


def test_a_card_says_what_a_user_must_know(run, folder):
    choice = choose_network(run)
    kept = folder.kept().model_copy(update={"views": 10, "precision": "bf16"})
    check = OnnxCheck(images=39, largest_difference=2.5e-6, same_as_run=38)
    card = model_card(choice, kept, SPEED, check, prepare=python_code(kept))
    for word in (
        f"{kept.correct} of 39 test images right",
        "12img",
        "trained from scratch",
        "123 images/s",
        "7.00 to 12.3",
        "each of the 39 images",
        "2.5e-06",
        "10 crops of each image, averaged",
        "computed in bf16",
    ):
        assert word in card


def test_the_licence_of_the_start_stands_in_the_card(run, folder):
    start = Start(source="torchvision", licence="BSD-3", sha256="ab" * 32)
    kept = folder.kept().model_copy(update={"start": start, "train": "head"})
    card = model_card(choose_network(run), kept, SPEED, None, prepare="")
    assert "torchvision" in card
    assert "licence BSD-3" in card
    assert "the last layer alone" in card


def test_names_in_a_card_are_shown_and_not_obeyed(run, folder):
    kept = folder.kept().model_copy(update={"dataset_title": "a|b <script>\n# x"})
    card = model_card(choose_network(run), kept, SPEED, None, prepare="")
    assert "<script>" not in card.replace("\\<script>", "")
    assert "\n# x" not in card


def test_a_class_whose_name_has_a_line_break_stays_one_line(run, folder, quick, tmp_path):
    network = load_network(folder)
    kept = network.kept.model_copy(update={"classes": ("a\nb", "c", "d")})
    object.__setattr__(network, "kept", kept)
    out = tmp_path / "out"
    export_network(network, folder, out, to=ExportFormat.SAFETENSORS, card=lambda *_: "card")
    assert (out / "labels.txt").read_text().splitlines() == ["a\\nb", "c", "d"]


def test_what_is_there_is_never_overwritten(run, exported):
    before = (exported / "README.md").read_bytes()
    with pytest.raises(StoreError, match="is there already"):
        export_model(run.path, choose_network(run), to=ExportFormat.SAFETENSORS, out=exported)
    assert (exported / "README.md").read_bytes() == before


def test_an_export_that_fails_leaves_nothing(folder, network, quick, tmp_path):
    def fail(*_):
        raise RuntimeError("no card")

    out = tmp_path / "home" / "out"
    with pytest.raises(RuntimeError, match="no card"):
        export_network(network, folder, out, to=ExportFormat.SAFETENSORS, card=fail)
    assert list(out.parent.iterdir()) == []


def test_the_speed_is_of_whole_files_and_its_quantiles_are_in_order(network, monkeypatch):
    monkeypatch.setattr(speed, "_SECONDS", 0.0)
    measured = speed.measure_speed(network)
    assert measured.images_per_second > 0
    assert 0 < measured.one_image_ms_5 <= measured.one_image_ms <= measured.one_image_ms_95
    assert measured.threads == torch.get_num_threads()
