"""Before a budget is spent it is said what it buys; the image size follows where none was typed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from cnnbench.cli.show.foresight import foresight_lines
from cnnbench.planning.foresight import (
    as_foreseen,
    choose_size,
    feeds_of,
    foreseen,
    not_foreseen,
    seconds_to_end,
    smallest_plan,
)
from cnnbench.planning.plan import folder_of, make_plan
from cnnbench.planning.request import PlanError, Request, RunOptions
from cnnbench.schema.foresight import FED_EPOCHS, IMAGE_SIZES, STARVED_EPOCHS, SizeChoice

TRAIN = 100  # images of an epoch


@pytest.fixture(scope="module")
def plan_at(request):
    """Return what makes the plan of two networks on a clock, for an image size."""
    return planner(models=["alexnet", "vgg"], budget="10s")


def planner(**values):
    asked = Request(dataset="fruits", dataset_options={"train": "100", "test": "20"}, **values)

    def plan_at(size):
        made = make_plan(asked, device="cpu", precision="fp32", machine={}, argv=[], auto_size=size)
        return made[0]

    return plan_at


def speeds(**at_64_pixels):
    """Return a machine on which a network is as fast as named, and slower on more pixels."""
    return lambda cell: at_64_pixels[cell.model] * (64 / cell.image_size) ** 2


def test_the_largest_size_is_chosen_at_which_every_network_is_fed(plan_at):
    for rate in (50, 100, 150, 200, 400, 700, 1300, 5000):
        pace = speeds(alexnet=10_000, vgg11=rate)
        fed = [s for s in IMAGE_SIZES if rate * (64 / s) ** 2 * 10 >= FED_EPOCHS * TRAIN]
        choice = choose_size(plan_at, pace)
        assert choice.chosen == max(fed, default=min(IMAGE_SIZES))
        assert choice == choose_size(plan_at, pace, large_first=True).model_copy(
            update={"tried": choice.tried}
        )
        assert all(feed.model == "vgg11" for feed in choice.tried)


def test_where_no_size_feeds_every_network_the_smallest_is_taken_and_said_to_be_so(plan_at):
    choice = choose_size(plan_at, speeds(alexnet=10_000, vgg11=20))
    assert choice.chosen == 64
    assert "at none of 64 to 224 pixels does every network get 10 epochs" in choice.why
    assert [(feed.model, feed.epochs) for feed in choice.tried] == [("vgg11", 2.0)]


def test_a_fast_machine_is_asked_for_the_largest_size_only(plan_at):
    choice = choose_size(plan_at, speeds(alexnet=1e6, vgg11=1e5), large_first=True)
    assert choice.chosen == 224
    assert [feed.image_size for feed in choice.tried] == [224]


def test_sizes_that_a_network_does_not_take_are_passed_over(plan_at):
    def picky(size):
        if size in (64, 128, 224):
            raise PlanError(f"no {size}")
        return plan_at(size)

    slow, fast = (speeds(alexnet=1e6, vgg11=rate) for rate in (1, 1e6))
    assert choose_size(picky, slow).chosen == 80
    assert choose_size(picky, fast).chosen == 192


def test_a_plan_begins_at_the_smallest_size_that_is_taken_and_is_not_asked_eight_times(plan_at):
    asked = []

    def from_96_pixels(size):
        asked.append(size)
        if size < 96:
            raise PlanError(f"no {size}")
        return plan_at(size)

    def never(size):
        asked.append(size)
        raise PlanError(f"alexnett at {size}")

    assert smallest_plan(from_96_pixels).cells[0].image_size == 96
    asked.clear()
    with pytest.raises(PlanError, match="alexnett at 64"):
        smallest_plan(never)
    assert asked == [64, 224]


def test_networks_that_take_none_of_the_sizes_are_an_error_that_says_why():
    def refuse(size):
        raise PlanError(f"vgg11 takes no {size} pixels")

    with pytest.raises(PlanError, match="takes no 64"):
        choose_size(refuse, speeds())
    with pytest.raises(PlanError, match="takes no 64"):
        smallest_plan(refuse)


def test_a_machine_whose_speed_cannot_be_measured_gets_the_smallest_size_and_no_foresight(plan_at):
    plan = foreseen(plan_at(64), plan_at, lambda cell: None, large_first=False)
    assert (plan.cells[0].image_size, plan.feeds, seconds_to_end(plan)) == (64, (), None)
    assert "the speed of alexnet could not be measured" in plan.size_choice.why


def test_a_network_whose_speed_cannot_be_measured_is_not_taken_for_fed(plan_at):
    def pace(cell):
        return 10_000.0 if cell.model == "alexnet" or cell.image_size < 128 else None

    for large_first in (True, False):
        choice = choose_size(plan_at, pace, large_first=large_first)
        assert choice.chosen < 128
        assert "the speed of vgg11 could not be measured" in choice.why
    plan = foreseen(plan_at(128), lambda size: plan_at(128), pace, large_first=False)
    assert not_foreseen(plan) == ["vgg11"]
    assert foresight_lines(plan)[-1].startswith("the speed of vgg11 could not be measured")


def test_a_network_smaller_than_the_chosen_size_keeps_its_own():
    plan_at = planner(models=["lenet5", "alexnet"], budget="10s")
    plan = foreseen(plan_at(64), plan_at, speeds(lenet5=1e6, alexnet=1e6), large_first=True)
    native = zoo.card("lenet5").image_size
    assert [cell.image_size for cell in plan.cells] == [native, 224]


@pytest.mark.parametrize(
    "values",
    [{"image_size": 96}, {"recipe": "paper"}, {"budget": "20ep"}, {"models": ["lenet5"]}],
    ids=str,
)
def test_no_size_is_chosen_where_one_was_typed_or_none_makes_a_difference(values):
    given_values = {"models": ["alexnet"], "budget": "10s", **values}
    cells = planner(**given_values)(64)
    assert cells.size_choice is None
    native = zoo.card(cells.cells[0].model).image_size
    assert cells.cells[0].image_size == values.get("image_size", native)


def test_auto_may_be_typed_and_other_words_are_refused():
    auto = {"models": ["alexnet"], "budget": "10s"}
    assert planner(image_size="auto", **auto)(80) == planner(**auto)(80)
    assert planner(image_size="96", **auto)(80).cells[0].image_size == 96
    with pytest.raises(PlanError, match="'big' is neither a number of pixels nor auto"):
        planner(image_size="big", **auto)(80)


def test_a_starved_network_is_named_with_a_budget_and_a_size_that_feed_it():
    plan = planner(models=["alexnet", "vgg"], budget="10s", image_size=224)(64)
    pace = speeds(alexnet=10_000, vgg11=200)
    feeds = {feed.model: feed for feed in feeds_of(plan, pace)}
    assert not feeds["alexnet"].is_starved
    assert not feeds["alexnet"].remedies
    assert feeds["vgg11"].is_starved
    budget, size = feeds["vgg11"].remedies
    assert budget == "--budget 1m"
    assert size == "--image-size 128"  # 200 * (64 / 128)^2 * 10 s = 5 epochs of 100 images


@settings(deadline=None, max_examples=40, derandomize=True)
@given(rate=st.floats(0.01, 1e4), budget=st.sampled_from(["5s", "2m", "3h", "1e12flop", "1ep"]))
def test_the_budget_that_is_advised_feeds_the_network(rate, budget):
    plan = planner(models=["alexnet"], budget=budget, image_size=64)(64)
    (feed,) = feeds_of(plan, lambda cell: rate)
    for remedy in feed.remedies:
        assert feed.is_starved
        advised = planner(models=["alexnet"], budget=remedy.split()[1], image_size=64)(64)
        assert feeds_of(advised, lambda cell: rate)[0].epochs >= STARVED_EPOCHS


def test_the_run_folder_has_one_name_whichever_size_the_machine_leads_to(plan_at):
    names = set()
    for size in (64, 96, 224):
        plan = plan_at(size)
        cells = [c.model_copy(update={"curve_images": size}) for c in plan.cells]
        choice = SizeChoice(chosen=size, why="measured")
        plan = plan.model_copy(update={"size_choice": choice, "cells": tuple(cells)})
        names.add(folder_of(plan, RunOptions()))
    typed = planner(models=["alexnet", "vgg"], budget="10s", image_size=64)(64)
    assert len(names) == 1
    assert folder_of(typed, RunOptions()) not in names


def test_a_run_that_is_continued_keeps_what_was_measured_for_it(plan_at):
    begun = foreseen(plan_at(64), plan_at, speeds(alexnet=1e5, vgg11=300), large_first=False)
    again = as_foreseen(plan_at(64), plan_at, begun)
    assert begun.cells[0].image_size == 96
    assert again == begun


def test_the_time_to_the_end_counts_training_testing_and_starting(plan_at):
    plan = foreseen(plan_at(64), plan_at, speeds(alexnet=1e5, vgg11=300), large_first=False)
    seconds = seconds_to_end(plan)
    assert 2 * 10 < seconds < 2 * 10 * 1.5 + 2 * 3


def test_a_smoke_run_and_one_of_few_images_are_not_measured():
    def never(cell):
        raise AssertionError

    for values in ({"smoke": True}, {"budget": "40ep"}, {"budget": "200img"}):
        plan_at = planner(models=["alexnet"], **values)
        plan = plan_at(64)
        assert foreseen(plan, plan_at, never, large_first=False) == plan


def test_curves_are_tested_on_as_many_images_as_the_slowest_network_can_afford():
    plan_at = planner(models=["alexnet", "vgg"], budget="10s")
    asked = plan_at(64)
    many = asked.dataset.model_copy(update={"images": {"train": 100, "test": 5000}})
    plans = {
        rate: foreseen(
            asked.model_copy(update={"dataset": many, "size_choice": None}),
            plan_at,
            speeds(alexnet=1e6, vgg11=rate),
            large_first=False,
        )
        for rate in (10, 10_000, 1e6)
    }
    samples = {rate: {cell.curve_images for cell in plan.cells} for rate, plan in plans.items()}
    assert samples[10] == {32}
    assert samples[1e6] == {None}
    (sample,) = samples[10_000]
    # 100,000 images are bought: a tenth of them, at a third each, less 5,100 read at the end.
    assert sample == (30_000 - 5_100) // 4 or sample is None
