"""The papers' own recipes come from the zoo's data file and fit the recipe's fields."""

import pytest

import zoo
from cnnbench.schema.recipes import PAPER_LR, make_recipe

FAMILIES = ("alexnet", "zfnet", "vgg", "googlenet", "resnet")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_imagenet_family_has_a_paper_recipe(family):
    recipe = make_recipe("paper", family=family, paper=zoo.paper_recipe(family))
    assert recipe.velocity
    assert recipe.init == "paper"
    assert recipe.drops


def test_a_models_own_recipe_comes_before_its_familys():
    assert zoo.paper_recipe("alexnet-code2012")["bias_lr"] == 2.0
    assert zoo.paper_recipe("resnet20")["batch_size"] == 128
    assert zoo.paper_recipe("alexnet-no-lrn") == zoo.paper_recipe("alexnet")


@pytest.mark.parametrize("name", ["lenet5", "timm:resnet18"])
def test_a_network_without_a_paper_recipe_is_refused(name):
    with pytest.raises(ValueError, match="no paper recipe"):
        make_recipe("paper", family="any", paper=zoo.paper_recipe(name))


@pytest.mark.parametrize("family", ["alexnet", "zfnet", "vgg", "resnet"])
def test_the_common_recipe_begins_at_the_papers_rate(family):
    paper = zoo.paper_recipe(family)
    assert PAPER_LR[family] == (paper["lr"], paper["batch_size"])
