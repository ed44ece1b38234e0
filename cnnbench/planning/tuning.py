"""Which learning rate suits each network, when every network gets the same trials?

A trial trains at a fraction of the budget and is scored on a hold-out of the training images.
The validation and test images are left out of it altogether.
"""

from collections.abc import Iterable, Sequence

from cnnbench.data.dataset import Dataset, hold_out
from cnnbench.planning.devices import require_shareable
from cnnbench.planning.passes import require_passes
from cnnbench.planning.plan import facts_of
from cnnbench.planning.request import PlanError
from cnnbench.schema.budget import Budget, Currency
from cnnbench.schema.cell import Cell, Plan, Tuned
from cnnbench.schema.result import Result

__all__ = ["trial_plan", "tuned_rates", "with_rates"]

BUDGET_SHARE = 0.1
HOLDOUT_SHARE = 0.2
SPREAD = 10.0


def rates(base: float, trials: int) -> tuple[float, ...]:
    """Return the rates to try: from a tenth to ten times the recipe's, at equal ratios.

    >>> rates(0.01, 3)
    (0.001, 0.01, 0.1)
    """
    steps = [2 * index / (trials - 1) - 1 for index in range(trials)]
    return tuple(float(f"{base * SPREAD**step:.3g}") for step in steps)


def trial_plan(plan: Plan, dataset: Dataset, trials: int) -> tuple[Plan, Dataset]:
    """Return the plan of all trials, and `dataset` as they see it: with a hold-out to be scored on.

    Every model gets the same number of trials, over the same range.

    Raises:
        PlanError: if there are fewer than two trials, several learning rates already, or a trial
            would be too short for its network.
    """
    if trials < 2:
        raise PlanError(f"--tune {trials}: at least 2 trials are needed to choose between")
    models = _first_of_each_model(plan.cells)
    held_out = hold_out(dataset, HOLDOUT_SHARE)
    shared = {
        "budget": _share_of(min((cell.budget for cell in plan.cells), key=lambda b: b.limit)),
        "evaluations": 1,
        "holdout": HOLDOUT_SHARE,
        "dataset_fingerprint": held_out.fingerprint,
    }
    cells = tuple(
        _with_rate(cell, rates(cell.recipe.lr, trials)[index]).model_copy(update=shared)
        for index in range(trials)
        for cell in models
    )
    n_train = len(held_out.splits["train"])
    for cell in cells:  # a tenth of a budget may be a single image
        require_passes(cell, num_classes=len(held_out.classes), train_images=n_train)
        require_shareable(cell, num_classes=len(held_out.classes), train_images=n_train)
    facts = facts_of(held_out, plan.dataset.options)
    return plan.model_copy(update={"cells": cells, "dataset": facts}), held_out


def tuned_rates(trials: Plan, results: Iterable[Result]) -> tuple[Tuned, ...]:
    """Choose for each model the rate that was best on the hold-out, at a tie the lower loss.

    Raises:
        PlanError: if every trial of a model failed, so that there is nothing to choose by.
    """
    by_model: dict[str, list[Result]] = {}
    for result in results:
        by_model.setdefault(result.name, []).append(result)
    tuned = []
    for model, of_model in by_model.items():
        done = [r for r in of_model if r.status == "done" and r.top1 is not None]
        if not done:
            reasons = "; ".join(dict.fromkeys(f"{r.status}: {r.reason}" for r in of_model))
            raise PlanError(f"every trial of {model} failed ({reasons}); choose --lr by hand")
        best = max(done, key=lambda r: (r.top1, r.test_loss is not None, -(r.test_loss or 0.0)))
        tuned.append(
            Tuned(
                model=model,
                rates=tuple(r.lr for r in of_model),
                top1=tuple(r.top1 if r.status == "done" else None for r in of_model),
                images=trials.dataset.images["val"],
                chosen=best.lr,
                charged_seconds=sum(r.seconds.train or 0.0 for r in of_model),
                budget=trials.cells[0].budget,
            )
        )
    return tuple(tuned)


def with_rates(plan: Plan, tuned: Sequence[Tuned]) -> Plan:
    """Return the plan in which every cell has its model's chosen rate."""
    chosen = {each.model: each.chosen for each in tuned}
    cells = tuple(_with_rate(cell, chosen[cell.name]) for cell in plan.cells)
    return plan.model_copy(update={"cells": cells, "tuned": tuple(tuned)})


def _with_rate(cell: Cell, rate: float) -> Cell:
    return cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"lr": rate})})


def _first_of_each_model(cells: Sequence[Cell]) -> list[Cell]:
    first: dict[str, Cell] = {}
    for cell in cells:
        known = first.setdefault(cell.name, cell)
        if known.recipe != cell.recipe:
            raise PlanError("--tune chooses the learning rate; give no list of rates or batches")
    return list(first.values())


def _share_of(budget: Budget) -> Budget:
    limit = budget.limit * BUDGET_SHARE
    whole = budget.currency is Currency.IMAGES
    return Budget(currency=budget.currency, limit=max(1.0, round(limit)) if whole else limit)
