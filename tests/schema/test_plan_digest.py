"""A cell's digest changes with everything that decides its result, and with nothing else."""

import pytest
from pydantic import ValidationError

from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, slug
from cnnbench.schema.recipes import make_recipe


def a_cell(**changes):
    values = {
        "model": "resnet18",
        "dataset": "fruits",
        "dataset_fingerprint": "f" * 64,
        "recipe": make_recipe("common", family="resnet"),
        "budget": Budget.parse("2m"),
        "seed": 0,
        "image_size": 224,
        "precision": "fp32",
        "device": "cpu",
        "evaluations": 5,
    }
    return Cell(**{**values, **changes})


def test_equal_cells_have_equal_digests():
    assert a_cell().digest == a_cell().digest


@pytest.mark.parametrize(
    "change",
    [
        {"model": "alexnet"},
        {"dataset_fingerprint": "e" * 64},
        {"dataset_options": {"train": "20"}},
        {"recipe": make_recipe("common", family="resnet", lr=0.5)},
        {"budget": Budget.parse("3m")},
        {"seed": 1},
        {"image_size": 96},
        {"precision": "bf16"},
        {"device": "cuda"},
        {"evaluations": 6},
        {"subset": 48},
    ],
)
def test_each_field_changes_the_digest(change):
    assert a_cell(**change).digest != a_cell().digest


def test_a_copy_with_changes_has_a_digest_of_its_own():
    cell = a_cell()
    assert cell.digest  # worked out once, and kept
    copied = cell.model_copy(update={"seed": 1})
    assert (copied.digest, copied.id) == (a_cell(seed=1).digest, a_cell(seed=1).id)
    assert copied.model_dump() == a_cell(seed=1).model_dump()
    assert cell == a_cell()


def test_a_cell_comes_back_from_json_unchanged():
    cell = a_cell()
    again = Cell.model_validate_json(cell.model_dump_json())
    assert again == cell
    assert again.digest == cell.digest


def test_a_key_that_is_not_known_is_an_error():
    with pytest.raises(ValidationError, match="colour"):
        a_cell(colour="red")


@pytest.mark.parametrize("name", ["../../etc", "timm:efficientnet_b0", "a b", "é" * 300, "..."])
def test_a_slug_is_one_safe_part_of_a_path(name):
    part = slug(name)
    assert part
    assert len(part) <= 60
    assert "/" not in part
    assert not part.startswith(".")


@pytest.mark.parametrize(
    ("wishes", "complaint"),
    [
        ({"name": "comon"}, "did you mean 'common'"),
        ({"name": "common", "lr": -1.0}, "learning rate"),
        ({"name": "common", "lr": float("nan")}, "learning rate"),
        ({"name": "common", "batch_size": 0}, "batch size"),
    ],
)
def test_a_wrong_recipe_is_refused(wishes, complaint):
    with pytest.raises(ValueError, match=complaint):
        make_recipe(family="vgg", **wishes)
