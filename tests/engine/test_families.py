"""Every family starts at log(classes), learns, and gives the same bits in another process."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("one_training.py")
LOG_CLASSES = math.log(7)

OURS = ["lenet5@32", "lenet5-relu@32", "alexnet", "zfnet", "vgg11", "googlenet", "resnet18"]
OURS += ["resnet20@32", "plain18", "cifar4-relu@32", "hog-linear", "colour-linear"]
TORCHVISION = [
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "inception_v3@299", "maxvit_t@224", "mnasnet0_5", "mobilenet_v2"),
    *("mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnext50_32x4d", "wide_resnet50_2"),
    *("shufflenet_v2_x0_5", "squeezenet1_0", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11"),
    *("vgg11_bn", "vit_b_16"),
]
TIMM = [
    *("resnet18", "resnetv2_50", "resnetv2_50x1_bit", "vgg11", "vgg11_bn", "densenet121"),
    *("efficientnet_b0", "tf_efficientnet_b0", "mobilenetv3_small_050", "convnext_atto"),
    *("convnextv2_atto", "edgenext_xx_small", "vit_tiny_patch16_224", "deit_tiny_patch16_224"),
    *("deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224", "mixer_s32_224"),
    *("gmlp_ti16_224", "xcit_nano_12_p8_224", "poolformer_s12", "levit_128s", "mobilevit_xxs"),
    *("nfnet_l0", "repvgg_a0", "regnetx_002", "dla34", "hrnet_w18_small", "ghostnet_050"),
    *("coat_lite_tiny", "pit_ti_224", "twins_svt_small", "volo_d1_224", "cait_xxs24_224"),
    *("beit_base_patch16_224", "maxvit_pico_rw_256@256", "crossvit_tiny_240@240", "visformer_tiny"),
]
OTHERS = [f"torchvision:{name}" for name in TORCHVISION] + [f"timm:{name}" for name in TIMM]


def start(words):
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_of(process):
    out, err = process.communicate()
    assert process.returncode == 0, err[-2000:]
    return [json.loads(line) for line in out.splitlines()]


def same_lines_of_two_processes(words):
    first, second = [lines_of(process) for process in (start(words), start(words))]
    assert len(first) == len(words)
    assert first == second
    return first


def test_the_same_seed_gives_the_same_bits_in_two_fresh_processes():
    same_lines_of_two_processes(["lenet5@32", "resnet20@32", "googlenet@32"])


@pytest.mark.slow
@pytest.mark.parametrize("word", OURS + OTHERS)
def test_every_family_learns_and_gives_the_same_bits_in_two_fresh_processes(word):
    (line,) = same_lines_of_two_processes([word])
    first, *_, last = line["losses"]
    assert last < first
    if word != "lenet5@32":  # its outputs are distances to codes, no logits
        assert first == pytest.approx(LOG_CLASSES, rel=1e-4)
