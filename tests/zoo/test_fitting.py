"""Weights of a network get into it whatever wraps them, and those of another do not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from zoo import registry
from zoo.weights.fitting import BadWeights, fit, head_names, load_start

SMALL = {"num_classes": 10, "image_size": 32}


def state_of(network, **size):
    """Return the shapes of a network's tensors; nothing here looks at the numbers."""
    return registry.skeleton(network, **size).state_dict()


def renamed(state, rename):
    return {rename(name): value for name, value in state.items()}


def test_a_networks_own_weights_fit_without_a_word():
    state = state_of("resnet20", **SMALL)
    found = fit("resnet20", state, **SMALL)
    assert found.state == {name: name for name in state}
    assert found.notes == ()


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "module.model."])
def test_what_wrappers_put_in_front_of_names_is_taken_off(prefix):
    state = renamed(state_of("resnet20", **SMALL), lambda name: prefix + name)
    assert len(fit("resnet20", state, **SMALL).state) == len(state)
    assert fit("resnet20", state, **SMALL).notes == ()


def test_old_files_that_count_no_batches_fit():
    state = state_of("resnet20", **SMALL)
    old = {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    assert fit("resnet20", old, **SMALL).notes == ()


@pytest.mark.parametrize("ours", ["resnet18", "resnet50-v1.5", "vgg11", "alexnet-owt"])
def test_weights_of_torchvision_fit_by_place_and_their_head_is_replaced(ours):
    theirs = {"resnet50-v1.5": "resnet50", "alexnet-owt": "alexnet"}.get(ours, ours)
    state = state_of(f"torchvision:{theirs}", num_classes=1000, image_size=224)
    found = fit(ours, state, num_classes=7, image_size=224)
    assert found.notes == (
        "its tensors have other names, and were matched by their order and sizes",
        "the head of 1000 classes was replaced",
    )
    heads = head_names(ours, num_classes=7, image_size=224)
    assert len(found.state) + len(heads) == len(
        [name for name in state if not name.endswith("num_batches_tracked")]
    )
    assert not heads & found.state.keys()


def test_a_head_of_the_same_width_is_part_of_what_fits():
    found = fit(
        "vgg11",
        state_of("torchvision:vgg11", num_classes=7, image_size=224),
        num_classes=7,
        image_size=224,
    )
    assert head_names("vgg11", num_classes=7, image_size=224) <= found.state.keys()


@given(before=st.integers(1, 40), after=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_the_head_is_replaced_exactly_where_the_classes_differ(before, after):
    state = state_of("lenet5-relu", num_classes=before, image_size=32)
    found = fit("lenet5-relu", state, num_classes=after, image_size=32)
    assert ("output.weight" in found.state) == (before == after)
    assert bool(found.notes) == (before != after)


def test_both_auxiliary_heads_follow_the_classes():
    state = state_of("googlenet", num_classes=1000, image_size=64)
    found = fit("googlenet", state, num_classes=7, image_size=64)
    assert found.notes == ("the head of 1000 classes was replaced",)
    assert len(state) - len(found.state) == 6


def test_branches_that_only_help_training_start_fresh_at_another_size():
    state = state_of("googlenet", num_classes=7, image_size=224)
    found = fit("googlenet", state, num_classes=7, image_size=64)
    assert found.notes == (
        "auxiliary branches start fresh: 'aux_4a.fc.weight', 'aux_4d.fc.weight'",
    )
    assert "rest.inception5b.conv1x1.weight" in found.state


def test_a_file_without_a_head_fits():
    state = state_of("resnet20", **SMALL)
    body = {n: v for n, v in state.items() if not n.startswith("fc.")}
    assert fit("resnet20", body, **SMALL).notes == ("the file has no head, which starts fresh",)


def test_a_branch_that_the_network_lacks_is_named_and_not_used():
    state = state_of("resnet20", **SMALL) | {
        "aux.weight": torch.empty(3),
        "mask": torch.ones(1) > 0,
    }
    assert fit("resnet20", state, **SMALL).notes == ("not used: 'aux.weight', 'mask'",)


def test_a_key_map_translates_the_longest_beginning_that_it_knows():
    state = renamed(
        state_of("resnet20", **SMALL),
        lambda name: name.replace("conv2_x.", "stage.").replace("conv3_x.", "stage.3."),
    )
    state = dict(sorted(state.items()))  # so that order does not help
    with pytest.raises(BadWeights):
        fit("resnet20", state, **SMALL)
    key_map = {"stage.": "conv2_x.", "stage.3.": "conv3_x."}
    found = fit("resnet20", state, key_map=key_map, **SMALL)
    assert found.state["conv3_x.0.body.conv1.weight"] == "stage.3.0.body.conv1.weight"


# -- what does not fit ----------------------------------------------------------------------------


def without_one(state):
    return {name: value for name, value in state.items() if name != "conv2_x.1.body.conv2.weight"}


def with_another_shape(state):
    return state | {"conv1.weight": torch.empty(16, 3, 5, 5)}


def with_whole_numbers(state):
    return state | {"conv1.weight": torch.empty(16, 3, 3, 3, dtype=torch.int8)}


def sorted_under_other_names(state):
    return dict(sorted(renamed(state, lambda name: f"x.{name}").items()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_one, r"1 tensor of \d+ missing \('conv2_x.1.body.conv2.weight'\)$"),
        (with_another_shape, "1 tensor different .*16x3x5x5 where 'conv1.weight' is 16x3x3x3"),
        (with_whole_numbers, "16x3x3x3 whole numbers where 'conv1.weight' is 16x3x3x3"),
        (sorted_under_other_names, r"\d+ tensors different \('x.bn1.bias' is 16 where"),
        (lambda state: {}, r"\d+ tensors of \d+ missing \('conv1.weight', .* and \d+ more\)$"),
    ],
)
def test_a_file_that_differs_is_refused_with_the_first_differences(change, message):
    with pytest.raises(BadWeights, match=message) as refused:
        fit("resnet20", change(state_of("resnet20", **SMALL)), **SMALL)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("network", "other"),
    [
        (
            "torchvision:resnet18",
            "torchvision:resnet34",
        ),  # all names of the first are in the second
        ("torchvision:resnet34", "torchvision:resnet18"),
        ("vgg13", "torchvision:vgg11"),
        ("vgg11", "torchvision:vgg13"),
        ("resnet18", "torchvision:vgg11"),
        ("resnet18", "plain18"),
        ("resnet20", "resnet32"),
    ],
)
def test_weights_of_another_network_are_refused(network, other):
    size = {"num_classes": 10, "image_size": 32 if network == "resnet20" else 224}
    with pytest.raises(BadWeights, match=f"the weights do not fit {network}: "):
        fit(network, state_of(other, **size), **size)


def test_weights_for_images_of_another_size_are_refused_with_the_size():
    state = state_of("torchvision:vgg11", num_classes=1000, image_size=224)
    with pytest.raises(BadWeights, match="images of another size, try --image-size 224"):
        fit("vgg11", state, num_classes=7, image_size=64)


# -- loading --------------------------------------------------------------------------------------


def test_the_body_is_copied_and_the_head_stays_as_it_was_built():
    torch.manual_seed(0)
    source, target = (zoo.build("resnet20", **SMALL) for _ in range(2))
    head = target.fc.weight.clone()
    load_start(target, "resnet20", source.state_dict(), **SMALL)
    assert torch.equal(target.conv1.weight, source.conv1.weight)
    assert torch.equal(target.fc.weight, head)
    load_start(target, "resnet20", source.state_dict(), with_head=True, **SMALL)
    assert torch.equal(target.fc.weight, source.fc.weight)


def test_a_head_of_another_width_stays_even_if_it_is_asked_for():
    torch.manual_seed(0)
    source = zoo.build("resnet20", num_classes=11, image_size=32)
    target = zoo.build("resnet20", **SMALL)
    head = target.fc.weight.clone()
    found = load_start(target, "resnet20", source.state_dict(), with_head=True, **SMALL)
    assert torch.equal(target.conv1.weight, source.conv1.weight)
    assert torch.equal(target.fc.weight, head)
    assert found.notes == ("the head of 11 classes was replaced",)


def test_a_network_is_untouched_by_weights_that_do_not_fit():
    torch.manual_seed(0)
    source, target = (zoo.build("resnet20", **SMALL) for _ in range(2))
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(BadWeights):
        load_start(target, "resnet20", with_another_shape(source.state_dict()), **SMALL)
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


@pytest.mark.parametrize(
    ("network", "image_size", "heads"),
    [
        ("lenet5", 32, {"output.codes"}),
        ("lenet5-relu", 32, {"output.weight", "output.bias"}),
        ("resnet20", 32, {"fc.weight", "fc.bias"}),
        (
            "googlenet",
            64,
            {f"{h}classifier.{k}" for h in ("", "aux_4a.", "aux_4d.") for k in ("weight", "bias")},
        ),
        ("torchvision:resnet18", 64, {"fc.weight", "fc.bias"}),
    ],
)
def test_the_head_is_what_follows_the_number_of_classes(network, image_size, heads):
    assert head_names(network, num_classes=7, image_size=image_size) == heads


@pytest.mark.slow
@pytest.mark.parametrize("network", zoo.list_models())
def test_every_network_of_the_zoo_has_a_head_and_takes_its_own_weights(network):
    size = {"num_classes": 7, "image_size": zoo.card(network).image_size}
    heads = head_names(network, **size)
    assert heads  # all there is, in the linear baselines
    state = state_of(network, **size)
    assert fit(network, state, **size).state.keys() == state.keys()
