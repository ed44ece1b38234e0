"""A curve is tested on so few images that all evaluations together cost a tenth of the budget."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts
from cnnbench.schema.curve import evaluated_images, largest_sample
from cnnbench.schema.recipes import make_recipe


def a_cell(evaluations, curve_images=None, views=1):
    recipe = make_recipe("common", family="resnet").model_copy(update={"test_views": views})
    return Cell(
        model="resnet18",
        dataset="fruits",
        dataset_fingerprint="f" * 64,
        recipe=recipe,
        budget=Budget.parse("2m"),
        seed=0,
        image_size=64,
        precision="fp32",
        device="cpu",
        evaluations=evaluations,
        curve_images=curve_images,
    )


def facts(n_test, *, n_val=0, n_train=1000, n_classes=10):
    images = {"train": n_train, "test": n_test} | ({"val": n_val} if n_val else {})
    return DatasetFacts(
        name="photos",
        title="photos",
        drawn=False,
        classes=tuple(f"class {index}" for index in range(n_classes)),
        images=images,
        curve_split="val" if n_val else "test",
        headline_split="test",
        fingerprint="0",
    )


datasets = st.builds(
    facts,
    st.integers(1, 60_000),
    n_val=st.integers(0, 60_000),
    n_train=st.integers(2, 100_000),
    n_classes=st.integers(2, 1000),
)
evaluations = st.integers(1, 40)
budgets = st.floats(0, 1e8)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(evaluations=evaluations, dataset=datasets, budget_images=budgets)
def test_all_evaluations_cost_a_tenth_of_the_budget_or_the_sample_is_the_smallest(
    evaluations, dataset, budget_images
):
    cell = a_cell(evaluations)
    sample = largest_sample(cell, dataset, budget_images)
    least = max(32, len(dataset.classes))
    if sample is not None:
        assert least <= sample < dataset.images[dataset.curve_split]
    evaluated = evaluated_images(a_cell(evaluations, sample), dataset)
    nothing_to_save = evaluations == 1 or dataset.images[dataset.curve_split] <= least
    affordable = evaluated / 3 <= 0.1 * budget_images * (1 + 1e-9)
    assert affordable or sample == least or nothing_to_save


@settings(max_examples=200, deadline=None, derandomize=True)
@given(evaluations=evaluations, dataset=datasets, budget_images=budgets)
def test_one_image_more_would_cost_too_much(evaluations, dataset, budget_images):
    sample = largest_sample(a_cell(evaluations), dataset, budget_images)
    if sample is not None:
        more = evaluated_images(a_cell(evaluations, sample + 1), dataset)
        assert more / 3 > 0.1 * budget_images


@settings(max_examples=100, deadline=None, derandomize=True)
@given(evaluations=evaluations, dataset=datasets, budget_images=budgets, more=st.floats(1, 100))
def test_a_larger_budget_tests_no_fewer_images(evaluations, dataset, budget_images, more):
    cell, whole = a_cell(evaluations), dataset.images[dataset.curve_split]
    smaller = largest_sample(cell, dataset, budget_images) or whole
    assert (largest_sample(cell, dataset, more * budget_images) or whole) >= smaller


@pytest.mark.parametrize(
    ("evaluations", "curve_images", "views", "n_val", "images"),
    [
        (5, None, 1, 0, 5 * 128 + 256),  # the last point of the curve is the headline
        (5, 40, 1, 0, 4 * 40 + 128 + 256),
        (5, 200, 1, 0, 5 * 128 + 256),  # a split is no larger than it is
        (5, 40, 10, 0, 4 * 40 + 128 + 1280 + 256),  # ten crops are read once more, at the end
        (3, None, 1, 70, 3 * 70 + 128 + 256),
        (1, 40, 1, 0, 128 + 256),
    ],
)
def test_what_is_read_on_the_way_and_at_the_end_is_counted(
    evaluations, curve_images, views, n_val, images
):
    cell = a_cell(evaluations, curve_images, views)
    assert evaluated_images(cell, facts(128, n_val=n_val)) == images
