"""Which cells does a command ask for? Every name and number is checked here, before any starts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import zoo
from cnnbench.data.dataset import Dataset, first_of_each_class, hold_out
from cnnbench.data.open import open_dataset
from cnnbench.data.quick_check import quick_check
from cnnbench.planning.memory import micro_batch, parse_memory
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts, Plan, Precision, slug
from cnnbench.schema.recipes import Recipe, make_recipe
from cnnbench.version import __version__

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
    lrs: Sequence[float] = ()
    batch_sizes: Sequence[int] = ()
    image_size: int | None = None
    memory: str | None = None
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
    budgets = _budgets(wishes.budget or DEFAULT_BUDGET)
    if not wishes.seeds or len(set(wishes.seeds)) != len(wishes.seeds) or min(wishes.seeds) < 0:
        raise PlanError(f"seeds must be different whole numbers from 0 on, saw {wishes.seeds}")
    dataset = open_for_cell(
        wishes.dataset, wishes.dataset_options, SMOKE_SUBSET if wishes.smoke else None
    )
    grid = itertools.product(
        wishes.seeds, budgets, wishes.batch_sizes or (None,), wishes.lrs or (None,), models
    )
    # The models stand innermost: they take turns, and a drift of the machine hits all alike.
    cells = [
        _cell(
            wishes,
            dataset,
            model=model,
            recipe=_recipe(wishes, model, lr, batch_size),
            budget=budget,
            seed=seed,
            device=device,
            precision=precision,
        )
        for seed, budget, batch_size, lr, model in grid
    ]
    if len({cell.digest for cell in cells}) < len(cells):
        raise PlanError("two cells of this plan are the same; is a value given twice?")
    plan = Plan(
        cnnbench=__version__,
        argv=tuple(argv),
        dataset=facts_of(dataset, wishes.dataset_options),
        cells=tuple(cells),
        machine={"line": machine},
    )
    return plan, dataset


def _cell(
    wishes: Wishes,
    dataset: Dataset,
    *,
    model: str,
    recipe: Recipe,
    budget: Budget,
    seed: int,
    device: str,
    precision: Precision,
) -> Cell:
    card = zoo.card(model)
    least = card.smallest_image_size
    image_size = _at_least(least, wishes.image_size or card.image_size, f"{model}: --image-size")
    evaluations = _at_least(1, wishes.evaluations or DEFAULT_EVALUATIONS, "--evaluations")
    memory_bytes, images = _memory(wishes, dataset, model, image_size, recipe.batch_size)
    return Cell(
        model=model,
        dataset=wishes.dataset,
        dataset_options=dict(wishes.dataset_options),
        dataset_fingerprint=dataset.fingerprint,
        recipe=recipe,
        budget=budget,
        seed=seed,
        image_size=image_size,
        precision=precision,
        device=device,
        evaluations=evaluations,
        subset=SMOKE_SUBSET if wishes.smoke else None,
        memory_bytes=memory_bytes,
        micro_batch=images,
    )


def _memory(
    wishes: Wishes, dataset: Dataset, model: str, image_size: int, batch_size: int
) -> tuple[int | None, int | None]:
    """Return the bytes that are allowed and the images a pass, where a batch does not fit."""
    if wishes.memory is None:
        return None, None
    try:
        allowed = parse_memory(wishes.memory)
        images = micro_batch(
            model,
            num_classes=len(dataset.classes),
            image_size=image_size,
            batch_size=batch_size,
            memory_bytes=allowed,
        )
    except ValueError as error:
        raise PlanError(f"--memory: {error}") from None
    return allowed, images


def open_for_cell(
    name: str, options: Mapping[str, str], subset: int | None, holdout: float | None = None
) -> Dataset:
    """Open a dataset as a cell sees it: whole, or what a smoke run or a tuning trial takes of it.

    Raises:
        DataError: if there is no such dataset or it cannot be used.
    """
    dataset = open_dataset(name, options=options)
    if subset is not None:
        half = subset // 2
        dataset = first_of_each_class(dataset, {"train": subset, "val": half, "test": half})
    return dataset if holdout is None else hold_out(dataset, holdout)


def default_folder(plan: Plan, *, trials: int = 0) -> str:
    """Return the run folder for a plan without `--out`: the same command, the same folder.

    With tuning it is named before the rates are chosen, so their number is part of the name.
    """
    tail = f"-tune{trials}" if trials else ""
    return f"reports/{slug(plan.dataset.name)}-{plan.digest}{tail}"


def _with_smoke(wishes: Wishes) -> Wishes:
    return replace(
        wishes,
        budget=wishes.budget or "48img",
        batch_sizes=wishes.batch_sizes or (8,),
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


def _budgets(text: str) -> list[Budget]:
    try:
        return Budget.parse_many(text)
    except ValueError as error:
        raise PlanError(str(error)) from None


def _recipe(wishes: Wishes, model: str, lr: float | None, batch_size: int | None) -> Recipe:
    try:
        return make_recipe(
            wishes.recipe,
            family=zoo.card(model).family,
            paper=zoo.training(model),
            lr=lr,
            batch_size=batch_size,
        )
    except ValueError as error:
        raise PlanError(f"{model}: {error}") from None


def _at_least(least: int, value: int, flag: str) -> int:
    if value < least:
        raise PlanError(f"{flag} must be at least {least}, saw {value}")
    return value


def facts_of(dataset: Dataset, options: Mapping[str, str]) -> DatasetFacts:
    """Return what a plan keeps of a dataset, with the warnings of a quick check."""
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
