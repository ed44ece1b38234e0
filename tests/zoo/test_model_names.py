"""A model's name carries its start, and whatever builds networks looks at the network alone."""

from pathlib import Path

import pytest

import zoo


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("resnet18@torchvision", "resnet18@torchvision"),
        ("ResNet@torchvision", "resnet18@torchvision"),
        ("torchvision:resnet18@IMAGENET1K_V1", "torchvision:resnet18@IMAGENET1K_V1"),
        ("timm:resnet18@a1_in1k", "timm:resnet18@a1_in1k"),
        ("timm:resnet18.a1_in1k@pretrained", "timm:resnet18@a1_in1k"),
        ("vgg@/a/b/mine.safetensors", "vgg11@mine.safetensors"),
        ("vgg@../mine.PTH", "vgg11@mine.PTH"),
        ("vgg@mine.pt", "vgg11@mine.pt"),
        ("vgg@folder/mine", "vgg11@mine"),
        ("vgg@/a/x@y.pth", "vgg11@x@y.pth"),
        ("vgg@/a/b:c.pth", "vgg11@b:c.pth"),
    ],
)
def test_a_name_with_a_start_is_resolved_and_a_file_keeps_its_name_alone(given, full):
    assert zoo.resolve(given) == full
    assert zoo.resolve(full) == full
    assert zoo.is_external(full) == full.startswith("t")


def test_a_file_is_found_again_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = zoo.model_name("resnet@mine.pth")
    assert relative.path == tmp_path / "mine.pth"
    monkeypatch.chdir("/")
    assert zoo.model_name(relative.typed) == relative
    monkeypatch.setenv("HOME", str(tmp_path))
    assert zoo.model_name("resnet@~/mine.pth") == relative


def test_a_start_that_is_no_file_has_no_path():
    name = zoo.model_name("resnet@torchvision")
    assert (name.network, name.start, name.path) == ("resnet18", "torchvision", None)
    assert name.typed == name.text


def test_a_file_whose_name_is_no_text_is_spelled_where_it_is_shown_and_found_where_it_lies():
    name = zoo.model_name("vgg@/a/\udce4.pth")
    assert name.text == r"vgg11@\xe4.pth"
    assert name.path == Path("/a/\udce4.pth")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18@", "a start follows the @"),
        ("resnt18@torchvision", "did you mean 'resnet18'"),
        ("@torchvision", "unknown model ''"),
        ("resnet18@/a/b,c.pth", "commas separate models: rename"),
        ("c.pth", "no comma can stand in its path"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_in_one_line(name, message):
    with pytest.raises(zoo.UnknownModel, match=message) as refused:
        zoo.model_name(name)
    assert "\n" not in str(refused.value)


def test_what_is_known_of_a_network_does_not_depend_on_its_start():
    assert zoo.card("lenet5-relu@mine.pth") == zoo.card("lenet5-relu")
    assert zoo.paper_recipe("alexnet@mine.pth") == zoo.paper_recipe("alexnet")
    described = zoo.describe("lenet5-relu@mine.pth", num_classes=3)
    assert described == zoo.describe("lenet5-relu", num_classes=3)
    assert zoo.probe("lenet5-relu@mine.pth", num_classes=3, image_size=32) is False
    built = zoo.build("lenet5-relu@mine.pth", num_classes=3)
    assert built.state_dict().keys() == zoo.build("lenet5-relu").state_dict().keys()


def test_a_network_with_a_start_has_no_ablations():
    assert zoo.ablations("alexnet")
    assert not zoo.ablations("alexnet@mine.pth")
