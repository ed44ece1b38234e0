"""Weights are read, fitted and named while planning, and a wrong word is refused there."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import zoo
from cnnbench.planning.foresight import choose_size, feeds_of
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import PlanError, Request
from cnnbench.planning.starts import require_head_budget
from cnnbench.planning.tuning import trial_plan
from cnnbench.schema.budget import Budget

NETWORK = "lenet5-relu"


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    model = zoo.build(NETWORK, num_classes=10, image_size=32)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    return str(tmp_path / "w.safetensors")


@pytest.fixture
def plan_of(photos_of, weights):
    photos = photos_of(train=4, test=2)

    def make(*, auto_size=None, **changed):
        values = {
            "models": f"{NETWORK},{NETWORK}@{weights}",
            "dataset": photos,
            "budget": "5ep",
            "weights_scaling": "imagenet",
        }
        made = make_plan(
            Request(**values | changed),
            device="cpu",
            precision="fp32",
            machine={},
            argv=(),
            auto_size=auto_size,
        )
        return made[0]

    return make


def test_scratch_head_and_all_stand_in_one_plan(plan_of):
    cells = plan_of(train="all,head").cells
    assert [(cell.name, cell.recipe.name) for cell in cells] == [
        (NETWORK, "common"),
        (f"{NETWORK}@w.safetensors", "finetune"),
        (f"{NETWORK}@w.safetensors head", "head"),
    ]
    assert len({cell.id for cell in cells}) == 3


def test_a_cell_knows_its_weights_by_their_hash(plan_of, weights):
    from pathlib import Path

    from cnnbench.base.digests import sha256_of

    _, cell = plan_of().cells
    assert cell.start.sha256 == sha256_of(Path(weights))
    assert cell.start.mean == (0.485, 0.456, 0.406)
    assert any("10" in sentence for sentence in cell.start.fit)  # the head that was replaced


def test_the_same_weights_elsewhere_are_the_same_cell(plan_of, weights, tmp_path):
    import shutil

    (tmp_path / "moved").mkdir()
    moved = shutil.copy(weights, tmp_path / "moved")
    here, there = plan_of(), plan_of(models=f"{NETWORK},{NETWORK}@{moved}")
    assert here.digest == there.digest


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"weights_scaling": None}, "--weights-scaling"),
        ({"weights_scaling": "imagenett"}, "none of imagenet, half, images"),
        ({"weights_scaling": "0.5,0.5/0.2,0.2"}, "three numbers each"),
        ({"weights_scaling": "0.5,0.5,0.5/0.2,0,0.2"}, "no deviation is 0"),
        ({"weights_scaling": "127,127,127/1,1,1"}, r"in \[0, 1\]"),
        ({"train": "tail"}, "write all, head"),
        ({"models": NETWORK, "train": "head"}, "needs trained weights"),
        ({"train": "head", "budget": "1ep"}, "more than one"),
        ({"train": "head", "budget": "8img"}, "more than one"),
        ({"train": "head", "budget": "1e12flop"}, "seconds, epochs or images"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(plan_of, changed, complaint):
    with pytest.raises(PlanError, match=complaint):
        plan_of(**changed)


def test_numbers_of_a_scaling_are_taken_as_typed(plan_of):
    _, cell = plan_of(weights_scaling="0.5,0.4,0.3/0.25,.2,0.1").cells
    assert (cell.start.mean, cell.start.std) == ((0.5, 0.4, 0.3), (0.25, 0.2, 0.1))
    _, cell = plan_of(weights_scaling="images").cells
    assert cell.start.mean is cell.start.std is None


def test_the_size_that_is_chosen_is_that_of_the_networks_from_scratch(photos_of, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "vgg.safetensors"
    save_file(zoo.build("cifar4-relu", num_classes=7).state_dict(), path)
    photos = photos_of(train=4, test=2)

    def plan_at(size):
        asked = Request(
            models=f"alexnet,cifar4-relu@{path}",
            dataset=photos,
            budget="10s",
            weights_scaling="half",
        )
        made = make_plan(asked, device="cpu", precision="fp32", machine={}, argv=(), auto_size=size)
        return made[0]

    native = zoo.card("cifar4-relu").image_size
    for size in (64, 128):
        assert [cell.image_size for cell in plan_at(size).cells] == [size, native]
    asked_of = []

    def pace(cell):
        asked_of.append(cell.model)
        return 1.0

    assert choose_size(plan_at, pace).chosen == 64
    assert set(asked_of) == {"alexnet"}
    feeds = {feed.model: feed for feed in feeds_of(plan_at(64), pace)}
    assert feeds["alexnet"].is_starved
    assert not feeds["cifar4-relu@vgg.safetensors"].is_starved


def test_trials_tune_a_head_and_a_whole_network_apart(plan_of):
    from cnnbench.planning.plan import open_for_cell

    plan = plan_of(train="all,head", budget="40ep")
    dataset = open_for_cell(plan.cells[0].dataset, {}, None)
    trials, _ = trial_plan(plan, dataset, 2)
    assert len({(cell.name, cell.recipe.lr) for cell in trials.cells}) == 6


@given(st.integers(1, 10_000), st.integers(1, 5_000))
@settings(derandomize=True, deadline=None)
def test_a_head_needs_more_than_the_epoch_that_its_features_cost(images, train_images):
    budget = Budget.parse(f"{images}img")
    if images > train_images:
        require_head_budget(budget, train_images)
    else:
        with pytest.raises(PlanError, match="one epoch"):
            require_head_budget(budget, train_images)
