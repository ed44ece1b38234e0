"""Networks of other libraries: built for the size, refused by name, and with a rate that fits."""

import builtins

import pytest

import zoo
from cnnbench.schema.recipes import make_recipe
from zoo.traits import require_trainable


@pytest.mark.parametrize(
    ("name", "is_normalised"),
    [
        ("timm:resnet18", True),
        ("timm:convnext_atto", True),
        ("timm:vit_tiny_patch16_224", True),
        ("timm:resnetv2_50x1_bit", True),
        ("timm:resnetv2_50d_evos", True),
        ("torchvision:vgg11", False),
        ("torchvision:squeezenet1_1", False),
        ("timm:nfnet_l0", False),
    ],
)
def test_whether_a_network_is_normalised_is_found_in_it(name, is_normalised):
    assert zoo.probe(name, num_classes=3, image_size=64) == is_normalised


@pytest.mark.parametrize("ours", ["resnet18", "alexnet"])
def test_a_network_from_elsewhere_has_the_rate_of_ours(ours):
    theirs = f"torchvision:{ours}"
    is_normalised = zoo.probe(theirs, num_classes=3, image_size=64)
    other = make_recipe("common", family="torchvision", is_normalised=is_normalised)
    assert other == make_recipe("common", family=zoo.card(ours).family)


@pytest.mark.parametrize("image_size", [50, 64])
@pytest.mark.parametrize(
    "name",
    [
        *("timm:vit_tiny_patch16_224", "timm:swin_tiny_patch4_window7_224", "timm:mixer_s32_224"),
        "torchvision:swin_t",
    ],
)
def test_a_network_that_is_built_for_one_size_is_built_for_ours(name, image_size):
    zoo.probe(name, num_classes=3, image_size=image_size)


@pytest.mark.parametrize(
    ("name", "image_size", "complaint"),
    [
        ("timm:crossvit_tiny_240", 50, "50 pixels .* designed for 240"),
        ("timm:xcit_nano_12_p8_224", 50, "50 pixels .* --image-size 224"),
        ("torchvision:maxvit_t", 50, "50 pixels .* --image-size 224"),
        ("torchvision:vit_b_16", 50, "50 pixels .* --image-size 224"),
        ("torchvision:inception_v3", 64, "designed for 299"),
        ("timm:deepseek_vit_412m_enc", 224, "no classifier of images"),
    ],
)
def test_a_network_that_cannot_take_the_images_is_refused_with_what_to_do(
    name, image_size, complaint
):
    with pytest.raises(zoo.CannotBuild, match=complaint) as refused:
        zoo.probe(name, num_classes=3, image_size=image_size)
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("timm:resnet81", "did you mean 'timm:resnet18'"),
        ("timm:ResNet18", "did you mean 'timm:resnet18'"),
        ("efficientnet_b0", "timm:NAME and torchvision:NAME"),
        ("hf-hub:timm/resnet18", "timm:NAME and torchvision:NAME"),
        ("timm:resnet18.a1_in1k", "`.a1_in1k` names weights"),
        ("torchvision:fasterrcnn_resnet50_fpn", "torchvision.models.list_models"),
    ],
)
def test_a_name_that_is_none_is_refused_with_a_hint(name, hint):
    with pytest.raises(zoo.UnknownModel, match=hint):
        zoo.probe(name, num_classes=3, image_size=64)


def test_a_library_that_is_not_installed_is_said_so(monkeypatch):
    real = builtins.__import__

    def without_timm(name, *rest):
        if name.partition(".")[0] == "timm":
            raise ImportError("No module named 'timm'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_timm)
    with pytest.raises(zoo.CannotBuild, match="pip install timm"):
        zoo.card("timm:resnet18")


def test_two_outputs_without_weights_for_them_are_no_logits():
    import torch

    class Twice(torch.nn.Module):
        def forward(self, images):
            logits = images.mean((2, 3))
            return (logits, logits) if self.training else logits

    limits = {"num_classes": 3, "image_size": 8, "n_images": 2}
    with pytest.raises(zoo.CannotBuild, match="gives a tuple"):
        require_trainable(Twice(), zoo.card("lenet5"), **limits)
