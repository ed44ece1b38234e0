"""How many images pass at once: evenly shared, never one where it can be avoided, else asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnbench.engine.step import pass_sizes
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import PlanError, Request
from cnnbench.planning.tuning import trial_plan


@pytest.fixture
def photos(photos_of):
    return photos_of(train=16, val=2)


def plan_of(photos, **changes):
    values = {"models": "resnet18", "dataset": photos, "image_size": 32, **changes}
    device = values.pop("on", "cpu")
    return make_plan(
        Request(**values),
        device=device,
        precision="fp32",
        machine={},
        argv=["run"],
    )


@given(batch_size=st.integers(1, 300), micro_batch=st.none() | st.integers(2, 300))
def test_passes_are_even_small_enough_and_never_of_one_image(batch_size, micro_batch):
    sizes = pass_sizes(batch_size, micro_batch)
    assert sum(sizes) == batch_size
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(2, batch_size)
    assert max(sizes) <= max(micro_batch or batch_size, 3)
    assert len(sizes) == 1 or max(sizes) <= micro_batch or micro_batch == 2


@pytest.mark.parametrize(
    "changes", [{"batch_size": 1}, {"budget": "1img"}, {"budget": "1e6flop"}, {"budget": "0.01ep"}]
)
def test_one_image_at_a_time_is_refused_where_batchnorm_would_see_one_value(photos, changes):
    with pytest.raises(PlanError, match="two images or more"):
        plan_of(photos, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 1, "image_size": 64},  # the last maps have four places
        {"batch_size": 1, "models": "lenet5-relu"},  # nothing is normalised
        {"batch_size": 31},  # one image more than a batch: it joins
        {"batch_size": 999},  # more than there are
        {"budget": "2img"},
    ],
)
def test_what_can_be_trained_on_is_planned(photos, changes):
    assert plan_of(photos, **changes)[0].cells


def test_a_trial_of_one_image_is_refused_as_the_run_itself_is(photos):
    with pytest.raises(PlanError, match="two images or more"):
        trial_plan(*plan_of(photos, budget="10img"), 2)


def test_deterministic_is_another_cell_on_a_gpu_and_none_on_a_processor(photos):
    def digests(on):
        plans = [plan_of(photos, on=on, deterministic=wanted)[0] for wanted in (False, True)]
        return [plan.cells[0].digest for plan in plans]

    plain, deterministic = digests("cpu")
    assert plain == deterministic
    plain, deterministic = digests("cuda")
    assert plain != deterministic
