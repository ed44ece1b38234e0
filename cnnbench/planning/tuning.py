"""Which learning rate suits each network, when every network gets the same trials?

A trial trains at a fraction of the budget and is scored on a slice of the training images. The
validation and test images are left out of it altogether.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnnbench.planning.plan import PlanError, facts_of, open_for_cell
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, Plan, Tuned
from cnnbench.schema.result import Result

BUDGET_SHARE = 0.1
SLICE = 0.2
SPREAD = 10.0


def rates(base: float, trials: int) -> tuple[float, ...]:
    """Return the rates to try: from a tenth to ten times the recipe's, at equal ratios.

    >>> rates(0.01, 3)
    (0.001, 0.01, 0.1)
    """
    steps = [2 * index / (trials - 1) - 1 for index in range(trials)]
    return tuple(float(f"{base * SPREAD**step:.3g}") for step in steps)


def trial_plan(plan: Plan, trials: int) -> Plan:
    """Return the plan of all trials: the same number, over the same range, for every model.

    Raises:
        PlanError: if there are fewer than two trials, or several learning rates already.
        DataError: if the dataset can no longer be read.
    """
    if trials < 2:
        raise PlanError(f"--tune {trials}: at least 2 trials are needed to choose between")
    first = _first_of_each_model(plan.cells)
    cell = plan.cells[0]
    dataset = open_for_cell(cell.dataset, cell.dataset_options, cell.subset, SLICE)
    budget = _shorter(min((cell.budget for cell in plan.cells), key=lambda each: each.limit))
    cells = [
        cell.model_copy(
            update={
                "recipe": cell.recipe.model_copy(update={"lr": rate}),
                "budget": budget,
                "evaluations": 1,
                "holdout": SLICE,
                "dataset_fingerprint": dataset.fingerprint,
            }
        )
        for index in range(trials)
        for cell in first
        for rate in rates(cell.recipe.lr, trials)[index : index + 1]
    ]
    return plan.model_copy(
        update={"cells": tuple(cells), "dataset": facts_of(dataset, cell.dataset_options)}
    )


def tuned_rates(trials: Plan, results: Iterable[Result]) -> tuple[Tuned, ...]:
    """Choose for each model the rate that was best on the slice, at a tie the lower loss.

    Raises:
        PlanError: if every trial of a model failed, so that there is nothing to choose by.
    """
    by_model: dict[str, list[Result]] = {}
    for result in results:
        by_model.setdefault(result.model, []).append(result)
    images = trials.dataset.images["val"]
    budget = trials.cells[0].budget
    return tuple(_tuned(model, found, images, budget) for model, found in by_model.items())


def _tuned(model: str, results: Sequence[Result], images: int, budget: Budget) -> Tuned:
    done = [r for r in results if r.status == "done" and r.top1 is not None]
    if not done:
        reasons = "; ".join(dict.fromkeys(f"{r.status}: {r.reason}" for r in results))
        raise PlanError(f"every trial of {model} failed ({reasons}); choose --lr by hand")
    best = max(done, key=lambda r: (r.top1 or 0.0, -(r.test_loss or 0.0)))
    return Tuned(
        model=model,
        rates=tuple(r.lr for r in results),
        top1=tuple(r.top1 if r.status == "done" else None for r in results),
        images=images,
        chosen=best.lr,
        charged_seconds=sum(r.seconds.train for r in results),
        budget=budget,
    )


def with_rates(plan: Plan, tuned: Sequence[Tuned]) -> Plan:
    """Return the plan in which every cell has its model's chosen rate."""
    chosen = {each.model: each.chosen for each in tuned}
    cells = tuple(
        cell.model_copy(
            update={"recipe": cell.recipe.model_copy(update={"lr": chosen[cell.model]})}
        )
        for cell in plan.cells
    )
    return plan.model_copy(update={"cells": cells, "tuned": tuple(tuned)})


def _first_of_each_model(cells: Sequence[Cell]) -> list[Cell]:
    first: dict[str, Cell] = {}
    for cell in cells:
        known = first.setdefault(cell.model, cell)
        if known.recipe != cell.recipe:
            raise PlanError("--tune chooses the learning rate; give no list of rates or batches")
    return list(first.values())


def _shorter(budget: Budget) -> Budget:
    limit = budget.limit * BUDGET_SHARE
    whole = budget.currency.value == "images"
    return Budget(currency=budget.currency, limit=max(1.0, round(limit)) if whole else limit)
