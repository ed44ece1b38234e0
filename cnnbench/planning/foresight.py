"""How well does a budget feed each network, and at which image size is every one fed enough?"""

import math
from collections.abc import Callable, Iterable, Sequence

from cnnbench.planning.passes import images_bought
from cnnbench.planning.request import PlanError
from cnnbench.schema.budget import Budget, Currency
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.curve import EVALUATION_COST, evaluated_images, largest_sample
from cnnbench.schema.foresight import FED_EPOCHS, IMAGE_SIZES, STARVED_EPOCHS, Feed, SizeChoice

__all__ = ["Pace", "PlanAt", "as_foreseen", "choose_size", "devices_note", "feeds_of", "foreseen"]
__all__ += ["not_foreseen", "seconds_to_end", "smallest_plan"]

Pace = Callable[[Cell], float | None]
"""How many images a second a cell trains on here; None where that could not be measured."""

PlanAt = Callable[[int], Plan]
"""The plan at an image size; it raises PlanError where a network does not take that size."""

_MARGIN = 1.1  # a remedy is to be enough where the machine is a little slower than it was measured
_MINUTES = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440)
_START_SECONDS = 3.0  # of a cell, until its first step


_BRIEF_IMAGES = 5000  # of a plan that is over about as soon as its speed would be measured


def smallest_plan(plan_at: PlanAt) -> Plan:
    """Return the plan at the smallest of `IMAGE_SIZES` that every network takes.

    Raises:
        PlanError: if there is none, or for what has nothing to do with the size.
    """
    smallest, *larger = sorted(IMAGE_SIZES)
    try:
        return plan_at(smallest)
    except PlanError:
        if _is_possible(plan_at, larger[-1]):  # else it is not the size that is wrong
            return plan_at(next(size for size in larger if _is_possible(plan_at, size)))
        raise


def _is_possible(plan_at: PlanAt, size: int) -> bool:
    try:
        plan_at(size)
    except PlanError:
        return False
    return True


def foreseen(plan: Plan, plan_at: PlanAt, pace: Pace, *, large_first: bool) -> Plan:
    """Return the plan with its image size chosen, if that is open, and what its budget buys.

    The curves are tested on fewer images where all of them would cost too much beside that.

    A smoke run and one of few images are left as they are.
    """
    if plan.size_choice:
        choice = choose_size(plan_at, pace, large_first=large_first)
        plan = plan_at(choice.chosen).model_copy(update={"size_choice": choice})
    if _is_brief(plan):
        return plan
    feeds = feeds_of(plan, pace)
    sample = _sample(plan, feeds)
    cells = [cell.model_copy(update={"curve_images": sample}) for cell in plan.cells]
    return plan.model_copy(update={"feeds": feeds, "cells": tuple(cells)})


def devices_note(plan: Plan) -> str:
    """Say that several devices are faster than what is foreseen; empty where each cell has one."""
    most = max(cell.devices for cell in plan.cells)
    return f"All of that is foreseen for one device; here {most} train a cell." * (most > 1)


def _sample(plan: Plan, feeds: Sequence[Feed]) -> int | None:
    """Return on how many images all curves are tested: on as many as the slowest can afford."""
    samples = [
        largest_sample(cell, plan.dataset, feed.epochs * plan.dataset.images["train"])
        for cell in _fed_cells(plan)
        for feed in feeds
        if (cell.model, cell.recipe.batch_size) == (feed.model, feed.batch_size)
    ]
    return min((sample for sample in samples if sample is not None), default=None)


def as_foreseen(plan: Plan, plan_at: PlanAt, kept: Plan) -> Plan:
    """Return the plan with what was measured when the run began that it continues."""
    if plan.size_choice and kept.size_choice:
        plan = plan_at(kept.size_choice.chosen)
    cells = [
        cell.model_copy(update={"curve_images": kept.cells[0].curve_images}) for cell in plan.cells
    ]
    measured = {"cells": tuple(cells), "feeds": kept.feeds, "size_choice": kept.size_choice}
    return plan.model_copy(update=measured)


def _is_brief(plan: Plan) -> bool:
    n_train, n_classes = plan.dataset.images["train"], len(plan.dataset.classes)
    bought = [images_bought(cell, n_classes, n_train) for cell in plan.cells]
    return plan.cells[0].subset is not None or sum(b or math.inf for b in bought) < _BRIEF_IMAGES


# -- the image size --------------------------------------------------------------------------------


class _Unmeasured(Exception):
    """The speed of a network, which its message names, could not be measured."""


def choose_size(
    plan_at: PlanAt, pace: Pace, *, epochs: float = FED_EPOCHS, large_first: bool = False
) -> SizeChoice:
    """Choose the largest of `IMAGE_SIZES` at which every network gets as many epochs.

    Where there is none it is the smallest that every network takes. By bisection, so that few
    sizes are measured; the first is the smallest, or with `large_first`, for a GPU, the largest.

    Raises:
        PlanError: if the networks take none of the sizes.
    """
    least_fed: dict[int, Feed | None] = {}
    slowest: str | None = None
    unmeasured: dict[str, None] = {}
    sizes, best = sorted(IMAGE_SIZES), None
    place = len(sizes) - 1 if large_first else 0
    while sizes:
        size = sizes[place]
        try:
            plan = plan_at(size)
            try:
                feed = least_fed[size] = _least_fed(plan, pace, epochs, slowest)
            except _Unmeasured as network:  # nothing says that it is fed
                feed = least_fed[size] = None
                unmeasured[str(network)] = None
        except PlanError:  # a network does not take this size
            del sizes[place]
        else:
            slowest = feed.model if feed else None
            is_fed = feed is not None and feed.epochs >= epochs
            best = size if is_fed else best
            sizes = sizes[place + 1 :] if is_fed else sizes[:place]
        place = len(sizes) // 2
    if not least_fed:
        plan_at(min(IMAGE_SIZES))  # says what is wrong
    return SizeChoice(
        chosen=best or min(least_fed),
        why=_why(best, least_fed, epochs) + _not_measured(unmeasured),
        tried=tuple(feed for _, feed in sorted(least_fed.items()) if feed),
    )


def _why(best: int | None, least_fed: dict[int, Feed | None], epochs: float) -> str:
    sizes = f"{min(IMAGE_SIZES)} to {max(IMAGE_SIZES)} pixels"
    if best == max(IMAGE_SIZES):
        return f"at the largest size every network gets {epochs:g} epochs or more"
    if best:
        return f"the largest of {sizes} at which every network gets {epochs:g} epochs or more"
    if not any(least_fed.values()):
        return "the smallest"
    return f"the smallest; at none of {sizes} does every network get {epochs:g} epochs"


def _not_measured(models: Iterable[str]) -> str:
    names = ", ".join(models)
    return f"; the speed of {names} could not be measured, which counts as too slow" * bool(names)


def _least_fed(plan: Plan, pace: Pace, epochs: float, first: str | None) -> Feed | None:
    """Return the network that gets the fewest epochs, or the one met first that gets too few.

    Raises _Unmeasured for one of which nobody knows. `first` is the model to begin with: the
    slowest at one size is mostly so at another.
    """
    least: Feed | None = None
    open_cells = [cell for cell in _fed_cells(plan) if cell.start is None]  # others bring a size
    for cell in sorted(open_cells, key=lambda each: each.model != first):
        is_counted = cell.budget.currency is not Currency.SECONDS  # then no speed is needed
        feed = _feed(cell, plan, (lambda _: None) if is_counted else pace)
        if feed is None and cell.budget.currency is Currency.SECONDS:
            raise _Unmeasured(cell.model)
        if feed and (least is None or feed.epochs < least.epochs):
            least = feed
        if feed and feed.epochs < epochs:
            break
    return least


# -- what each network gets ------------------------------------------------------------------------


def feeds_of(plan: Plan, pace: Pace) -> tuple[Feed, ...]:
    """Return what the smallest budget buys each network, and what would feed those it starves.

    Networks are left out whose budget only a meter can turn into images.
    """
    feeds = []
    for cell in _fed_cells(plan):
        feed = _feed(cell, plan, pace)
        if feed and feed.is_starved:
            remedies = _remedies(cell, feed, plan, pace)
            feed = feed.model_copy(update={"remedies": remedies})
        feeds += [feed] if feed else []
    return tuple(feeds)


def _fed_cells(plan: Plan) -> list[Cell]:
    """Return a cell for each network and batch, with its smallest budget.

    Heads are left out: once the features are there, epochs cost next to nothing.
    """
    cells: dict[tuple[str, int], Cell] = {}
    whole = [cell for cell in plan.cells if cell.train == "all"]
    for cell in sorted(whole, key=lambda each: each.budget.limit):
        cells.setdefault((cell.model, cell.recipe.batch_size), cell)
    return list(cells.values())


def _feed(cell: Cell, plan: Plan, pace: Pace) -> Feed | None:
    if cell.budget.currency is Currency.JOULES:  # nobody knows what they buy
        return None
    n_train, rate = plan.dataset.images["train"], pace(cell)
    images: float | None = images_bought(cell, len(plan.dataset.classes), n_train)
    if cell.budget.currency is Currency.SECONDS and rate is not None:
        images = rate * cell.budget.limit
    if images is None:
        return None
    return Feed(
        model=cell.model,
        image_size=cell.image_size,
        batch_size=cell.recipe.batch_size,
        images_per_second=rate,
        epochs=images / n_train,
        from_scratch=cell.start is None,
    )


def _remedies(cell: Cell, feed: Feed, plan: Plan, pace: Pace) -> tuple[str, ...]:
    """Return the flags that would feed a starved network: a budget, and a size where one does."""
    factor = STARVED_EPOCHS / feed.epochs * _MARGIN if feed.epochs else math.inf
    remedies = [f"--budget {_rounded_up(cell.budget, factor)}"] if factor < math.inf else []

    def alone_at(size: int) -> Plan:
        smaller = cell.model_copy(update={"image_size": min(size, cell.image_size)})
        return plan.model_copy(update={"cells": (smaller,)})

    counts = cell.budget.currency in (Currency.SECONDS, Currency.FLOPS)
    if counts and min(IMAGE_SIZES) < cell.image_size:
        choice = choose_size(alone_at, pace, epochs=STARVED_EPOCHS)
        if any(f.image_size == choice.chosen and not f.is_starved for f in choice.tried):
            remedies.append(f"--image-size {choice.chosen}")
    return tuple(remedies)


def _rounded_up(budget: Budget, factor: float) -> Budget:
    """Return a budget that is at least `factor` times as large, in round figures."""
    limit = budget.limit * factor
    if budget.currency is Currency.SECONDS:
        minutes = next((m for m in _MINUTES if m * 60 >= limit), math.ceil(limit / 60))
        return Budget(currency=budget.currency, limit=minutes * 60.0)
    step = 10 ** math.floor(math.log10(limit)) / 2
    return Budget(currency=budget.currency, limit=math.ceil(limit / step) * step)


def not_foreseen(plan: Plan) -> list[str]:
    """Return the networks of which nobody knows what their seconds buy."""
    known = {feed.model for feed in plan.feeds}
    cells = [cell for cell in _fed_cells(plan) if cell.budget.currency is Currency.SECONDS]
    return list(dict.fromkeys(cell.model for cell in cells if cell.model not in known))


def seconds_to_end(plan: Plan) -> float | None:
    """Return about how many seconds all cells take, evaluations included; None if one is unknown.

    Preparing the images comes on top, the first time.
    """
    rates = {(feed.model, feed.batch_size): feed.images_per_second for feed in plan.feeds}
    total = 0.0
    for cell in plan.cells:
        rate = rates.get((cell.model, cell.recipe.batch_size))
        images = images_bought(cell, len(plan.dataset.classes), plan.dataset.images["train"])
        if rate is None:
            return None
        passes = plan.dataset.images["train"] if cell.train == "head" else images
        trained = cell.budget.limit if images is None else (passes or 0.0) / rate
        evaluated = evaluated_images(cell, plan.dataset) * EVALUATION_COST / rate
        total += trained + evaluated + _START_SECONDS
    return total
