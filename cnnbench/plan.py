"""Which cells does a command ask for? Every name and number is checked here, before any starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import zoo
from cnnbench import __version__
from cnnbench.data.check import quick_check
from cnnbench.data.dataset import Dataset, first_of_each_class
from cnnbench.data.opening import open_dataset
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts, Plan, Precision, slug
from cnnbench.schema.recipes import Recipe, make_recipe

DEFAULT_BUDGET = "2m"
DEFAULT_EVALUATIONS = 5
SMOKE_SUBSET = 48


class PlanError(ValueError):
    """A command that makes no plan; the message says what was wrong and what to type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What was typed, before it is checked. None means the default."""

    models: Sequence[str]
    dataset: str
    dataset_options: Mapping[str, str] = field(default_factory=dict)
    budget: str | None = None
    recipe: str = "common"
    lr: float | None = None
    batch_size: int | None = None
    image_size: int | None = None
    seeds: Sequence[int] = (0,)
    evaluations: int | None = None
    smoke: bool = False


def make_plan(
    wishes: Wishes, *, device: str, precision: Precision, machine: str, argv: Sequence[str]
) -> tuple[Plan, Dataset]:
    """Check every wish and return the plan with its dataset, whose images are not decoded yet.

    Raises:
        PlanError: if a model, number or combination is wrong.
        DataError: if the dataset is.
    """
    wishes = _with_smoke(wishes) if wishes.smoke else wishes
    models = _models(wishes.models)
    budget = _budget(wishes.budget or DEFAULT_BUDGET)
    if not wishes.seeds or len(set(wishes.seeds)) != len(wishes.seeds) or min(wishes.seeds) < 0:
        raise PlanError(f"seeds must be different whole numbers from 0 on, saw {wishes.seeds}")
    evaluations = _at_least(1, wishes.evaluations or DEFAULT_EVALUATIONS, "--evaluations")
    dataset = open_for_cell(
        wishes.dataset, wishes.dataset_options, SMOKE_SUBSET if wishes.smoke else None
    )
    cells = [
        Cell(
            model=model,
            dataset=wishes.dataset,
            dataset_options=dict(wishes.dataset_options),
            dataset_fingerprint=dataset.fingerprint,
            recipe=_recipe(wishes, model),
            budget=budget,
            seed=seed,
            image_size=_at_least(
                8, wishes.image_size or zoo.card(model).image_size, "--image-size"
            ),
            precision=precision,
            device=device,
            evaluations=evaluations,
            subset=SMOKE_SUBSET if wishes.smoke else None,
        )
        for seed in wishes.seeds  # seeds outside: models take turns, a drift hits all alike
        for model in models
    ]
    plan = Plan(
        cnnbench=__version__,
        argv=tuple(argv),
        dataset=_facts(dataset, wishes.dataset_options),
        cells=tuple(cells),
        machine={"line": machine},
    )
    return plan, dataset


def open_for_cell(name: str, options: Mapping[str, str], subset: int | None) -> Dataset:
    """Open a dataset as a cell sees it: whole, or the small part that a smoke run takes.

    Raises:
        DataError: if there is no such dataset or it cannot be used.
    """
    dataset = open_dataset(name, options=options)
    if subset is None:
        return dataset
    return first_of_each_class(dataset, {"train": subset, "val": subset // 2, "test": subset // 2})


def default_folder(plan: Plan) -> str:
    """Return the run folder for a plan without `--out`: the same command, the same folder."""
    return f"reports/{slug(plan.dataset.name)}-{plan.digest}"


def _with_smoke(wishes: Wishes) -> Wishes:
    return replace(
        wishes,
        budget=wishes.budget or "48img",
        batch_size=wishes.batch_size or 8,
        image_size=wishes.image_size or 96,
        evaluations=wishes.evaluations or 2,
    )


def _models(names: Sequence[str]) -> list[str]:
    if not names:
        raise PlanError("no model was named; `cnnbench models` lists all")
    resolved = []
    for name in names:
        try:
            model = zoo.resolve(name)
        except zoo.UnknownModel as error:
            raise PlanError(str(error)) from None
        if model in resolved:
            raise PlanError(f"model {name!r} ({model}) is named twice")
        resolved.append(model)
    return resolved


def _budget(text: str) -> Budget:
    try:
        return Budget.parse(text)
    except ValueError as error:
        raise PlanError(str(error)) from None


def _recipe(wishes: Wishes, model: str) -> Recipe:
    try:
        return make_recipe(
            wishes.recipe,
            family=zoo.card(model).family,
            paper=zoo.training(model),
            lr=wishes.lr,
            batch_size=wishes.batch_size,
        )
    except ValueError as error:
        raise PlanError(f"{model}: {error}") from None


def _at_least(least: int, value: int, flag: str) -> int:
    if value < least:
        raise PlanError(f"{flag} must be at least {least}, saw {value}")
    return value


def _facts(dataset: Dataset, options: Mapping[str, str]) -> DatasetFacts:
    return DatasetFacts(
        name=dataset.name,
        title=dataset.title,
        drawn=dataset.drawn,
        classes=dataset.classes,
        images={name: len(split) for name, split in dataset.splits.items()},
        curve_split=dataset.curve_split,
        headline_split=dataset.headline_split,
        fingerprint=dataset.fingerprint,
        options=dict(options),
        notices=(*dataset.notices, *quick_check(dataset)),
    )
