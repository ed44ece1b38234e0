import re
import subprocess
import sys

import pytest
import torch

import zoo
from zoo import registry


def test_importing_the_zoo_does_not_import_torch():
    code = (
        "import sys, zoo; zoo.list_models(); zoo.card('alexnet'); zoo.resolve('vgg'); "
        "zoo.resolve('timm:anything'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_builders_and_the_data_file_name_the_same_models():
    assert sorted(registry.registered()) == sorted(zoo.list_models())


def test_registering_a_name_twice_is_an_error():
    registry.registered()
    with pytest.raises(ValueError, match="'alexnet' is registered twice"):
        registry.register("alexnet", init=lambda model: None)(lambda spec: torch.nn.Identity())


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("vgg", "vgg11"),
        ("resnet", "resnet18"),
        ("lenet", "lenet5"),
        ("alexnet", "alexnet"),
        ("vgg-d", "vgg16"),
        ("VGG16", "vgg16"),
        ("ResNet", "resnet18"),
        ("timm:efficientnet_b0", "timm:efficientnet_b0"),
    ],
)
def test_resolve_knows_families_aliases_and_other_libraries(given, full):
    assert zoo.resolve(given) == full


@pytest.mark.parametrize("name", ["alexnett", "resnet19", "VGG12", "timm:", "keras:vgg16", ""])
def test_an_unknown_name_is_refused_in_one_line(name):
    with pytest.raises(zoo.UnknownModel) as refused:
        zoo.resolve(name)
    assert str(refused.value).startswith(f"unknown model {name!r}; ")
    assert "\n" not in str(refused.value)


def test_an_unknown_name_gets_the_nearest_known_one():
    message = "unknown model 'alexnett'; did you mean 'alexnet'? `cnnbench models` lists all"
    with pytest.raises(zoo.UnknownModel, match=re.escape(message)):
        zoo.build("alexnett")


def test_a_name_unknown_to_timm_gets_timms_nearest():
    with pytest.raises(zoo.UnknownModel, match="did you mean 'timm:efficientnet_b"):
        zoo.build("timm:efficientnet_b99")


def test_variants_name_an_existing_model_and_say_how_they_differ():
    for name in zoo.list_models():
        parent = zoo.card(name).variant_of
        assert parent is None or parent in zoo.list_models()


def test_departures_and_notes_are_sentences():
    for name in zoo.list_models():
        card = zoo.card(name)
        assert all(text.endswith(".") for text in (*card.departures, *card.notes, card.summary))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 1"),
        ({"image_size": 0}, "image_size must be at least 1"),
        ({"init": "zero"}, "init must be 'paper' or 'common'"),
        ({"image_size": 20}, "images of 20 pixels are too small .* use image_size=36 or more"),
    ],
)
def test_build_refuses_wrong_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        zoo.build("alexnet", **wrong)
