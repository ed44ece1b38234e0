"""What belongs to one family: inception, residual blocks, VGG's dense form, other libraries."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from zoo import registry, vgg
from zoo.alexnet import WithinMapNorm
from zoo.complexity import describe
from zoo.googlenet import TABLE_1, Inception
from zoo.lenet import TABLE_I, TableConv
from zoo.resnet import Block, PaddedShortcut, ResNetPlan
from zoo.weights import external as external_weights
from zoo.weights import fitting


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def test_groups_are_two_convolutions_side_by_side():
    model = zoo.build("alexnet", num_classes=3, image_size=64)
    conv = model.conv2
    x = noise(1, 96, 7, 7)
    halves = [
        F.conv2d(x.chunk(2, 1)[i], conv.weight.chunk(2)[i], conv.bias.chunk(2)[i], padding=2)
        for i in (0, 1)
    ]
    torch.testing.assert_close(conv(x), torch.cat(halves, dim=1), rtol=1e-4, atol=1e-5)


def test_inception_joins_four_branches_in_the_order_of_the_table():
    row = TABLE_1["3a"]
    module = Inception(192, row)
    x = noise(2, 192, 6, 6)
    parts = module(x).split([row.conv1x1, row.conv3x3, row.conv5x5, row.pool_proj], dim=1)
    torch.testing.assert_close(parts[0], F.relu(module.conv1x1(x)))
    torch.testing.assert_close(parts[1], F.relu(module.conv3x3(F.relu(module.reduce3x3(x)))))
    torch.testing.assert_close(parts[2], F.relu(module.conv5x5(F.relu(module.reduce5x5(x)))))
    pooled = F.max_pool2d(x, 3, stride=1, padding=1)
    torch.testing.assert_close(parts[3], F.relu(module.pool_proj(pooled)))


@pytest.mark.parametrize("shortcut", ["A", "B", "C", "none"])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_block_adds_its_shortcut_before_the_last_relu(shortcut, bottleneck):
    block = Block(16, 8, 2, ResNetPlan(blocks=(1,), shortcut=shortcut, bottleneck=bottleneck))
    block = block.eval()
    x = noise(2, 16, 8, 8)
    expected = block.body(x)
    if block.shortcut is not None:
        expected = expected + block.shortcut(x)
    torch.testing.assert_close(block(x), F.relu(expected))


def test_option_a_takes_every_second_pixel_and_adds_empty_channels():
    x = noise(1, 4, 6, 6)
    y = PaddedShortcut(stride=2, new_channels=3)(x)
    assert torch.equal(y[:, :4], x[:, :, ::2, ::2])
    assert y.shape == (1, 7, 3, 3)
    assert not y[:, 4:].any()


def test_table_convolution_reads_only_the_listed_maps():
    layer = TableConv()
    layer.reset_parameters()
    x = noise(1, 6, 7, 7)
    for out, reads in enumerate(TABLE_I):
        hidden = torch.zeros_like(x)
        hidden[:, list(reads)] = x[:, list(reads)]
        torch.testing.assert_close(layer(x)[:, out], layer(hidden)[:, out])


def test_within_map_norm_equals_the_sum_over_each_window():
    x = 50 * noise(1, 2, 7, 7)
    squares = F.pad(x.square(), (2, 2, 2, 2)).unfold(2, 5, 1).unfold(3, 5, 1).sum((-1, -2))
    torch.testing.assert_close(WithinMapNorm()(x), x / (1 + 4e-5 * squares) ** 0.75)


def test_dense_evaluation_equals_the_linear_layers_and_takes_larger_images():
    model = zoo.build("vgg11", num_classes=4, image_size=64, init="common").eval()
    dense = vgg.dense(model).eval()
    torch.testing.assert_close(dense(noise(1, 3, 64, 64)), model(noise(1, 3, 64, 64)))
    assert dense(noise(1, 3, 96, 128)).shape == (1, 4)
    assert dense.fc7.weight.data_ptr() == model.fc7.weight.data_ptr()


def test_a_deeper_vgg_starts_from_a():
    first, deeper = (zoo.build(n, num_classes=4, image_size=32) for n in ("vgg11", "vgg13"))
    untouched = deeper.conv5_2.weight.clone()
    vgg.start_from_a(deeper, first)
    assert torch.equal(deeper.conv3_2.weight, first.conv3_2.weight)
    assert torch.equal(deeper.fc8.bias, first.fc8.bias)
    assert torch.equal(deeper.conv5_2.weight, untouched)


@pytest.mark.parametrize(
    ("ours", "theirs", "side"),
    [
        ("resnet50-v1.5", "torchvision:resnet50", 64),
        ("resnet50-v1.5", "timm:resnet50", 64),
        pytest.param("vgg11", "torchvision:vgg11", 224, marks=pytest.mark.slow),
        pytest.param("vgg11", "timm:vgg11", 224, marks=pytest.mark.slow),
        pytest.param("vgg16", "torchvision:vgg16", 224, marks=pytest.mark.slow),
        pytest.param("alexnet-owt", "torchvision:alexnet", 64, marks=pytest.mark.slow),
    ],
)
def test_another_librarys_weights_give_its_logits(ours, theirs, side):
    assert theirs in external_weights.SAME_STRUCTURE[ours]
    torch.manual_seed(0)
    source = zoo.build(theirs, num_classes=6).eval()
    target = zoo.build(ours, num_classes=6).eval()
    size = {"num_classes": 6, "image_size": zoo.card(ours).image_size}
    fitting.load_start(target, ours, source.state_dict(), with_head=True, **size)
    with torch.no_grad():
        expected = source(noise(2, 3, side, side))
        logits = target(noise(2, 3, side, side))
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_the_small_resnets_differ_from_torchvisions_in_where_windows_of_the_pooling_begin():
    torch.manual_seed(0)
    source = zoo.build("torchvision:resnet18", num_classes=6).eval()
    target = zoo.build("resnet18", num_classes=6).eval()
    size = {"num_classes": 6, "image_size": 224}
    fitting.load_start(target, "resnet18", source.state_dict(), with_head=True, **size)
    images = noise(2, 3, 64, 64)
    with torch.no_grad():
        expected = source(images)
        assert (target(images) - expected).abs().max() > 1e-3 * expected.abs().max()
        target.pool1 = nn.MaxPool2d(3, stride=2, padding=1)
        assert (target(images) - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    ("name", "params", "side"),
    [
        ("timm:efficientnet_b0", 5_288_548, 224),
        ("timm:efficientnet_b3", 12_233_232, 288),
        ("torchvision:densenet121", 7_978_856, 224),
    ],
)
def test_networks_of_other_libraries_are_described_at_their_own_size(name, params, side):
    facts = zoo.describe(name)
    assert (facts.params, facts.image_size) == (params, side)
    assert zoo.card(name).image_size == side


def test_an_external_network_takes_the_common_start():
    torch.manual_seed(0)
    model = zoo.build("timm:efficientnet_b0", num_classes=5, init="common", image_size=64)
    assert 1e-3 < model(noise(4, 3, 64, 64)).std() < 5


def test_description_of_googlenet_counts_the_heads_apart():
    facts = zoo.describe("googlenet")
    assert facts.params - facts.params_eval == 3_188_840 + 3_190_888
    assert not [row for row in facts.layers if row.name.startswith("aux")]


def test_description_leaves_the_model_as_it_was():
    model = registry.skeleton("lenet5-relu", num_classes=10).train()
    describe(model, name="lenet5-relu", num_classes=10, image_size=32)
    assert model.training
    assert not any(layer._forward_hooks for layer in model.modules())


def test_layer_rows_show_kernel_stride_padding_and_groups():
    rows = {row.name: row for row in zoo.describe("alexnet").layers}
    conv2 = rows["conv2"]
    assert (conv2.kind, conv2.kernel, conv2.stride, conv2.padding, conv2.groups) == (
        "Conv2d",
        (5, 5),
        (1, 1),
        (2, 2),
        2,
    )
    assert (conv2.output_shape, conv2.params, conv2.macs) == ((256, 27, 27), 307_456, 223_948_800)
    assert rows["lrn1"].macs == rows["lrn1"].params == 0


def test_a_shared_layer_is_counted_once():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4), shared, shared)
    facts = describe(model, name="shared", num_classes=4, image_size=8)
    assert facts.params == facts.params_eval == 16 + 20
    assert facts.macs == 12 + 16 + 16
