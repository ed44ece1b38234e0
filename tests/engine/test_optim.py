"""The learning rate is a function of progress, and reaches zero where the budget ends."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnbench.engine.optim import lr_at, make_optimizer, set_lr
from cnnbench.schema.recipes import make_recipe

RECIPE = make_recipe("common", family="resnet")


def test_the_last_learning_rate_is_zero():
    assert lr_at(RECIPE, 1.0) == 0.0


def test_the_rise_meets_the_fall_at_the_base_rate():
    assert lr_at(RECIPE, RECIPE.warmup) == RECIPE.lr


@given(st.floats(min_value=0, max_value=1))
@settings(derandomize=True, deadline=None)
def test_the_rate_stays_between_zero_and_the_base_rate(progress):
    assert 0 <= lr_at(RECIPE, progress) <= RECIPE.lr


@given(st.floats(min_value=RECIPE.warmup, max_value=1), st.floats(RECIPE.warmup, 1))
@settings(derandomize=True, deadline=None)
def test_the_rate_only_falls_after_the_rise(a, b):
    early, late = sorted((a, b))
    assert lr_at(RECIPE, early) >= lr_at(RECIPE, late)


def test_biases_and_normalisation_gains_do_not_decay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    optimizer = make_optimizer(model, RECIPE)
    decayed = {id(p) for g in optimizer.param_groups if g["weight_decay"] for p in g["params"]}
    assert decayed == {id(model[0].weight), id(model[2].weight)}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(model.parameters()))


def test_every_weight_moves():
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    model(torch.ones(1, 3)).sum().backward()
    make_optimizer(model, RECIPE).step()
    assert not torch.equal(before, model.weight)


PAPER = {
    "lr": 0.1,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0005,
    "bias_lr": 2.0,
    "bias_decay": True,
    "drops": [0.5, 0.75],
    "drop_factor": 0.1,
}


def paper_recipe(**changes):
    return make_recipe("paper", family="alexnet", paper=PAPER | changes)


def test_the_papers_momentum_keeps_the_scale_of_its_velocity_when_the_rate_drops():
    weight = nn.Parameter(torch.ones(1, 1, dtype=torch.float64))
    model = nn.ParameterList([weight])
    optimizer = make_optimizer(model, paper_recipe())
    path = []
    for lr in (0.1, 0.1, 0.01, 0.01):
        set_lr(optimizer, lr, velocity=True)
        weight.grad = torch.full_like(weight, 0.5)
        optimizer.step()
        path.append(weight.item())
    expected = torch.tensor([0.94995, 0.8548575025, 0.7642699805, 0.6777373893])
    torch.testing.assert_close(torch.tensor(path), expected, atol=1e-6, rtol=0)


def test_a_stepped_rate_drops_where_the_recipe_says():
    rates = [lr_at(paper_recipe(), progress) for progress in (0.0, 0.49, 0.5, 0.75, 1.0)]
    torch.testing.assert_close(torch.tensor(rates), torch.tensor([0.1, 0.1, 0.01, 0.001, 0.001]))


def test_biases_have_the_rate_and_the_decay_that_the_recipe_gives_them():
    model = nn.Linear(2, 2)
    optimizer = make_optimizer(model, paper_recipe())
    set_lr(optimizer, 0.03, velocity=True)
    weights, biases = optimizer.param_groups
    assert (weights["lr"], biases["lr"]) == (0.03, 0.06)
    assert weights["weight_decay"] == biases["weight_decay"] == 0.0005


def test_another_batch_size_scales_the_papers_rate():
    recipe = make_recipe("paper", family="alexnet", paper=PAPER, batch_size=4)
    assert (recipe.batch_size, recipe.lr) == (4, 0.05)


def test_without_a_body_of_its_own_there_is_one_rate_and_the_old_order_of_groups():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    groups = make_optimizer(model, RECIPE).param_groups
    assert [group["lr_scale"] for group in groups] == [1.0, 1.0]
    assert [[p.ndim > 1 for p in group["params"]] for group in groups] == [[True] * 2, [False] * 4]
