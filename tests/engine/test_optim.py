"""The learning rate is a function of progress, and reaches zero where the budget ends."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnbench.engine.optim import lr_at, make_optimizer
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


@given(st.floats(min_value=0.05, max_value=1), st.floats(min_value=0.05, max_value=1))
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
