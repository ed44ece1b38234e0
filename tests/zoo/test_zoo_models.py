"""Every registered network, tested by being registered."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from zoo import registry
from zoo.layers import LocalResponseNorm, MaskDropout

HAVE_BATCHNORM = {n for n in zoo.list_models() if zoo.card(n).family == "resnet"}
# One of each construction runs on numbers by default; the others do under `-m slow`.
QUICK = {
    *("lenet5", "lenet5-relu", "cifar4-relu", "cifar4-tanh", "resnet20", "plain20"),
    *("alexnet", "alexnet-code2012", "vgg11", "googlenet", "resnet18", "resnet50-v1.5"),
}


def slow_unless(quick):
    names = zoo.list_models()
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


def small_side(name):
    return min(zoo.card(name).image_size, 64)


def build_small(name, init="common", seed=0):
    torch.manual_seed(seed)
    return zoo.build(name, num_classes=7, image_size=small_side(name), init=init)


def images_for(name, count=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, small_side(name), small_side(name), generator=generator)


def as_tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize("name", slow_unless({*zoo.list_models()} - {"resnet1202"}))
def test_counts_are_those_of_the_data_file(name):
    card = zoo.card(name)
    facts = zoo.describe(name, num_classes=card.num_classes)
    assert (facts.params, facts.macs) == (card.params, card.macs)


@pytest.mark.parametrize("name", slow_unless({*zoo.list_models()} - {"resnet1202"}))
def test_every_network_gives_logits_and_a_gradient_to_every_weight(name):
    side = zoo.card(name).image_size
    model = registry.skeleton(name, num_classes=7).train()
    outputs = as_tuple(model(torch.empty(2, 3, side, side, device="meta")))
    sum(logits.sum() for logits in outputs).backward()
    assert [logits.shape for logits in outputs] == [(2, 7)] * len(outputs)
    assert all(weights.grad is not None for weights in model.parameters())


@pytest.mark.parametrize("name", slow_unless(QUICK))
def test_the_common_start_is_near_chance_and_lets_gradients_through(name):
    model = build_small(name).train()
    outputs = as_tuple(model(images_for(name)))
    sum(F.cross_entropy(logits, torch.tensor([1, 5])) for logits in outputs).backward()
    for logits in outputs:
        if name != "lenet5":  # its logits are distances, far from one
            assert 1e-3 < logits.std() < 5
    grads = {n: w.grad for n, w in model.named_parameters()}
    assert all(grad is not None and torch.isfinite(grad).all() for grad in grads.values())
    if zoo.card(name).family == "handmade":
        return  # one layer: there is no depth to lose a gradient in
    convs = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and "aux" not in n]
    first, last = (grads[f"{conv}.weight"].norm() for conv in (convs[0], convs[-1]))
    # BatchNorm over two images of noise makes gradients grow with depth, whatever the start.
    bound = 1e4 if name in HAVE_BATCHNORM else 1e3
    assert 1 / bound < first / last < bound


@pytest.mark.parametrize("name", sorted(QUICK - HAVE_BATCHNORM))
def test_activations_neither_vanish_nor_explode_from_the_common_start(name):
    model, stds = build_small(name).eval(), {}
    for layer_name, layer in model.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and not layer_name.endswith(("fc8", "fc4")):
            layer.register_forward_hook(
                lambda _layer, _inputs, output, at=layer_name: stds.update({at: output.std()})
            )
    model(images_for(name, count=4))
    assert all(0.1 < std < 10 for at, std in stds.items() if at not in ("classifier", "output"))


@pytest.mark.parametrize("init", ["paper", "common"])
@pytest.mark.parametrize("name", ["alexnet", "lenet5", "googlenet", "resnet20", "cifar4-relu"])
def test_the_same_seed_draws_the_same_weights_and_fills_all_of_them(name, init, monkeypatch):
    # Memory that nobody fills would hold NaN here.
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    try:
        first, second = build_small(name, init), build_small(name, init)
    finally:
        torch.use_deterministic_algorithms(False)
    for (key, weights), other in zip(
        first.state_dict().items(), second.state_dict().values(), strict=True
    ):
        assert torch.equal(weights, other), key
        assert torch.isfinite(weights).all(), key


def test_the_weights_come_from_the_callers_random_state():
    first, second = (build_small("cifar4-relu", "paper", seed) for seed in (1, 2))
    assert not torch.equal(first.conv2.weight, second.conv2.weight)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet18"])
def test_memory_layout_changes_nothing(name, layout):
    model = build_small(name).eval()
    images = images_for(name)
    expected = model(images)
    model.to(memory_format=layout)
    logits = model(images.to(memory_format=layout))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_googlenet_gives_three_logits_in_training_and_one_in_evaluation():
    model = build_small("googlenet")
    assert len(model.train()(images_for("googlenet"))) == 1 + len(model.aux_weights)
    assert isinstance(model.eval()(images_for("googlenet")), torch.Tensor)


def test_the_papers_dropout_masks_in_training_and_halves_at_test():
    drop = MaskDropout(0.25)
    ones = torch.ones(4000)
    assert set(drop.train()(ones).tolist()) == {0.0, 1.0}
    assert drop.train()(ones).mean() == pytest.approx(0.75, abs=0.03)
    assert torch.equal(drop.eval()(ones), ones * 0.75)


def test_alexnet_takes_the_papers_dropout_only_with_the_papers_start():
    kinds = {init: type(build_small("alexnet", init).drop6) for init in ("paper", "common")}
    assert kinds == {"paper": MaskDropout, "common": nn.Dropout}


def test_the_common_start_undoes_the_gain_of_response_normalisation():
    model = build_small("alexnet").eval()
    seen = {}
    for name, layer in model.named_children():
        if isinstance(layer, LocalResponseNorm) or name in ("conv1", "conv2"):
            layer.register_forward_hook(
                lambda _layer, _inputs, output, at=name: seen.update({at: output.std().item()})
            )
    model(images_for("alexnet", count=4))
    assert seen["lrn1"] < 0.7 * seen["conv1"]
    assert seen["conv2"] == pytest.approx(1, abs=0.5)


def test_lenet5_reads_grey_images_as_it_reads_their_colours():
    model = build_small("lenet5", "paper").eval()
    grey = images_for("lenet5")[:, :1]
    torch.testing.assert_close(model(grey), model(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-3)


def test_lenet5_names_the_class_whose_code_is_nearest():
    output = build_small("lenet5", "paper").output
    assert output(output.codes).argmax(dim=1).tolist() == list(range(7))


def test_pooling_before_relu_is_exact():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    first = F.max_pool2d(F.relu(x), 2)
    second = F.relu(F.max_pool2d(x, 2))
    assert torch.equal(first, second)
    grads = [torch.autograd.grad(y.square().sum(), x)[0] for y in (first, second)]
    assert torch.equal(*grads)


@pytest.mark.parametrize(
    "name", [n for n in zoo.list_models() if zoo.card(n).smallest_image_size > 8]
)
def test_the_smallest_image_size_is_the_smallest(name):
    def runs(size):
        try:
            network = registry.skeleton(name, num_classes=3, image_size=size)
            network.train()(torch.zeros(2, 3, size, size, device="meta"))
        except (RuntimeError, ValueError):
            return False
        return True

    smallest = zoo.card(name).smallest_image_size
    assert runs(smallest)
    assert not runs(smallest - 1)
