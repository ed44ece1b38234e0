"""A cell that begins with trained weights is another cell, named so that nobody takes it for one
from scratch; facts that change no weight change no digest.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.names import differences, labels
from cnnbench.schema.recipes import make_recipe, start_recipe
from cnnbench.schema.start import NOT_DECIDING, Start

START = Start(source="w.pth", sha256="ab" * 32, mean=(0.5,) * 3, std=(0.25,) * 3, image_size=224)


def a_cell(**changed):
    fields = {
        "model": "resnet18",
        "dataset": "fruits",
        "dataset_fingerprint": "0" * 64,
        "recipe": make_recipe("common", family="resnet"),
        "budget": Budget.parse("2m"),
        "seed": 0,
        "image_size": 64,
        "precision": "fp32",
        "device": "cpu",
        "evaluations": 5,
    }
    return Cell.model_validate(fields | changed)


def a_plan(*cells):
    facts = DatasetFacts(
        name="fruits",
        title="fruits",
        drawn=True,
        classes=("a", "b"),
        images={"train": 4, "test": 2},
        curve_split="test",
        headline_split="test",
        fingerprint="0" * 64,
    )
    return Plan(cnnbench="0", argv=(), dataset=facts, cells=cells, machine={})


def test_a_cell_from_scratch_keeps_the_digest_it_had_before_there_were_starts():
    assert a_cell().digest == "02ada889cb"


def test_weights_make_another_cell():
    digests = {
        a_cell().digest,
        a_cell(start=START).digest,
        a_cell(start=START.model_copy(update={"sha256": "cd" * 32})).digest,
        a_cell(start=START.model_copy(update={"mean": (0.4,) * 3})).digest,
        a_cell(start=START, train="head").digest,
    }
    assert len(digests) == 5


@pytest.mark.parametrize("field", sorted(NOT_DECIDING))
def test_what_is_only_told_of_weights_changes_no_digest(field):
    told = {"trained_images": 7, "top1": 0.5, "overlaps": ("fruits",), "fit": ("a head",)}
    other = START.model_copy(update={field: told.get(field, "something")})
    assert other != START
    assert a_cell(start=other).digest == a_cell(start=START).digest


def test_a_head_is_called_so_and_the_network_by_its_name_alone():
    whole, head = a_cell(start=START, model="resnet18@w.pth"), None
    head = whole.model_copy(
        update={"train": "head", "recipe": start_recipe("head", lr=None, batch_size=None)}
    )
    plan = a_plan(a_cell(), whole, head)
    assert list(labels(plan).values()) == ["resnet18", "resnet18@w.pth", "resnet18@w.pth head"]


def test_two_files_of_one_name_are_told_apart():
    other = START.model_copy(update={"sha256": "cd" * 32, "file": "b/w.pth"})
    plan = a_plan(a_cell(start=START, model="x@w.pth"), a_cell(start=other, model="x@w.pth"))
    assert list(labels(plan).values()) == ["x@w.pth start abababab", "x@w.pth start cdcdcdcd"]


def test_a_plan_on_other_weights_says_so():
    other = START.model_copy(update={"sha256": "cd" * 32, "file": "elsewhere"})
    before, after = a_plan(a_cell(start=START)), a_plan(a_cell(start=other))
    assert differences(before, after) == [f"start.sha256: {'ab' * 32} -> {'cd' * 32}"]


@given(st.sampled_from(["all", "head"]), st.integers(1, 512))
@settings(derandomize=True, deadline=None)
def test_the_rate_of_a_start_follows_the_batch_and_no_family(train, batch_size):
    usual = start_recipe(train, lr=None, batch_size=None)
    changed = start_recipe(train, lr=None, batch_size=batch_size)
    assert changed.lr / changed.batch_size == pytest.approx(usual.lr / usual.batch_size)
    assert start_recipe(train, lr=0.3, batch_size=batch_size).lr == 0.3
