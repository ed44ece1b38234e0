"""Which cells does a command ask for? Every name and number is checked here, before any starts."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import zoo
from cnnbench.data.dataset import Dataset, first_of_each_class, hold_out
from cnnbench.data.open import one_spelling, open_dataset
from cnnbench.data.quick_check import quick_check
from cnnbench.planning.devices import devices_of, images_a_device, require_shareable
from cnnbench.planning.passes import memory_and_passes, require_passes
from cnnbench.planning.request import PlanError, Request, RunOptions, plan_errors, split_commas
from cnnbench.planning.starts import entrants, require_head_budget, start_of, start_size
from cnnbench.schema.budget import Budget, Currency
from cnnbench.schema.cell import Cell, DatasetFacts, Plan, Precision, slug
from cnnbench.schema.foresight import IMAGE_SIZES, SizeChoice
from cnnbench.schema.recipes import Recipe, make_recipe, start_recipe
from cnnbench.schema.start import Train
from cnnbench.version import __version__
from zoo.cards import ModelName, model_name

__all__ = ["facts_of", "folder_of", "make_plan", "open_for_cell", "respelled"]

DEFAULT_BUDGET = "2m"
DEFAULT_EVALUATIONS = 5
SMOKE: Mapping[str, Any] = {"budget": "48img", "batch_size": 8, "image_size": 96, "evaluations": 2}
SMOKE_SUBSET = 48


def make_plan(
    request: Request,
    *,
    device: str,
    precision: Precision,
    machine: Mapping[str, str | int | None],
    argv: Sequence[str],
    auto_size: int | None = None,
    dataset: Dataset | None = None,
) -> tuple[Plan, Dataset]:
    """Check a request and return the plan with its dataset, whose images are not decoded yet.

    `device` and `precision` are what the request's words mean on this machine, of which `machine`
    keeps what the plan is to say. `auto_size` is the image size where it is to be chosen; the plan
    then has a `size_choice` that is not made yet. Without it each network has its own paper's.
    `dataset` is the one of an earlier plan of the same request, which is not opened again.

    Raises:
        PlanError: if a model, number or combination is wrong.
        DataError: if the dataset is.
    """
    request, typed = _with_smoke(request) if request.smoke else (request, "")
    models, seeds = _models(split_commas(request.models)), _seeds(request)
    with plan_errors():
        budgets = Budget.parse_many(",".join(split_commas(request.budget)) or DEFAULT_BUDGET)
    subset = SMOKE_SUBSET if request.smoke else None
    dataset = dataset or open_for_cell(request.dataset, request.data, subset)
    name, options = one_spelling(request.dataset, request.data)
    request = replace(request, dataset=name, dataset_options=options, skip_broken=None)
    size = auto_size if _size_is_open(request, models, budgets[0]) else None
    # The models stand innermost: they take turns, and a drift of the machine hits all alike.
    values = request.batch_sizes or (None,), request.lrs or (None,)
    grid = itertools.product(seeds, budgets, *values, entrants(models, request))
    cells = tuple(_cell(request, dataset, device, precision, size, *point) for point in grid)
    if len({cell.digest for cell in cells}) < len(cells):
        raise PlanError("two cells of this plan are the same; is a value given twice?")
    plan = Plan(
        cnnbench=__version__,
        argv=tuple(argv),
        dataset=facts_of(dataset, request.data, typed),
        cells=cells,
        machine=dict(machine),
        size_choice=SizeChoice(chosen=size, why="") if size else None,
    )
    return plan, dataset


def _seeds(request: Request) -> list[int]:
    seeds = request.seed_numbers
    if len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise PlanError(f"seeds must be different whole numbers from 0 on, saw {seeds}")
    return seeds


def _size_is_open(request: Request, models: Sequence[ModelName], budget: Budget) -> bool:
    """Tell whether the image size may be chosen: none was typed, and it makes a difference.

    It makes none to what a budget in epochs, images or joules buys, nor to networks whose own
    images are the smallest there is to choose from. `paper` has each paper's, and trained weights
    bring their size along.
    """
    with plan_errors():
        native = max((zoo.card(m.network).image_size for m in models if not m.start), default=0)
    counts = budget.currency in (Currency.SECONDS, Currency.FLOPS)
    is_untyped = request.pixels is None and request.recipe != "paper"
    return is_untyped and counts and native > min(IMAGE_SIZES)


def _with_smoke(request: Request) -> tuple[Request, str]:
    """Return the request with the smoke run's settings where none were typed, and what were."""
    missing = {key for key in SMOKE if not split_commas(getattr(request, key))}
    return replace(request, **{key: SMOKE[key] for key in missing}), _typed_over_smoke(request)


def _typed_over_smoke(request: Request) -> str:
    """Say which of its settings a smoke run has otherwise, because they were typed."""
    words = {key: ",".join(split_commas(getattr(request, key))) for key in SMOKE}
    typed = [
        f"--{key.replace('_', '-')} {word} (not {SMOKE[key]})"
        for key, word in words.items()
        if word not in ("", str(SMOKE[key]))
    ]
    return f"a smoke run with what was typed: {', '.join(typed)}" if typed else ""


def _cell(
    request: Request,
    dataset: Dataset,
    device: str,
    precision: Precision,
    auto_size: int | None,
    seed: int,
    budget: Budget,
    batch_size: int | None,
    lr: float | None,
    entrant: tuple[ModelName, Train],
) -> Cell:
    name, train = entrant
    model = name.text
    image_size = _image_size(request, name, auto_size)
    evaluations = _at_least(1, request.evaluations, DEFAULT_EVALUATIONS, "--evaluations")
    size = {"num_classes": len(dataset.classes), "image_size": image_size}
    start = start_of(name, request.weights_scaling, **size) if name.start else None
    recipe = _recipe(request.recipe, entrant, size, lr=lr, batch_size=batch_size)
    allowed, micro_batch = memory_and_passes(
        request.memory, model, **size, batch_size=images_a_device(request, recipe.batch_size)
    )
    cell = Cell(
        model=model,
        dataset=request.dataset,
        dataset_options=request.data,
        dataset_fingerprint=dataset.fingerprint,
        recipe=recipe,
        budget=budget,
        seed=seed,
        image_size=image_size,
        precision=precision,
        device=device,
        evaluations=evaluations,
        subset=SMOKE_SUBSET if request.smoke else None,
        memory_bytes=allowed,
        micro_batch=micro_batch,
        # A CPU gives the same bits anyway, so there it is no other cell.
        deterministic=request.deterministic and device != "cpu",
        start=start,
        train=train,
        **devices_of(request),
    )
    train_images = len(dataset.splits["train"])
    if train == "head":
        require_head_budget(budget, train_images)
    require_passes(cell, num_classes=size["num_classes"], train_images=train_images)
    require_shareable(cell, num_classes=size["num_classes"], train_images=train_images)
    return cell


def _image_size(request: Request, name: ModelName, auto_size: int | None) -> int:
    """Return the side that is typed or chosen; else that of the weights, or of the paper."""
    with plan_errors(f"{name.text}: "):
        card = zoo.card(name.network)
    native = (start_size(name) if name.start else None) or card.image_size
    typed = min(auto_size, native) if auto_size and not name.start else request.pixels
    return _at_least(card.smallest_image_size, typed, native, f"{name.text}: --image-size")


def _recipe(
    recipe: str,
    entrant: tuple[ModelName, Train],
    size: Mapping[str, int],
    *,
    lr: float | None,
    batch_size: int | None,
) -> Recipe:
    """Return the recipe that was typed, or for a start from weights that of its way of training."""
    name, train = entrant
    model = name.network
    with plan_errors():
        # Of networks from elsewhere nobody here knows the paper: their layout is asked.
        is_normalised = zoo.probe(model, **size) if zoo.is_external(model) else None
    with plan_errors(f"{name.text}: "):
        if name.start:
            return start_recipe(train, lr=lr, batch_size=batch_size)
        return make_recipe(
            recipe,
            family=zoo.card(model).family,
            is_normalised=is_normalised,
            paper=zoo.paper_recipe(model),
            lr=lr,
            batch_size=batch_size,
        )


def _models(names: Sequence[str]) -> list[ModelName]:
    if not names:
        raise PlanError("no model was named; `cnnbench models` lists all")
    resolved: list[ModelName] = []
    for name in names:
        try:
            model = model_name(name)
        except zoo.UnknownModel as error:
            raise PlanError(str(error)) from None
        if model.text in [other.text for other in resolved]:
            raise PlanError(f"model {name!r} ({model.text}) is named twice")
        resolved.append(model)
    return resolved


def _at_least(least: int, typed: int | None, default: int, flag: str) -> int:
    value = default if typed is None else typed
    if value < least:
        raise PlanError(f"{flag} must be at least {least}, saw {value}")
    return value


# -- the dataset and the folder --------------------------------------------------------------------


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


def folder_of(plan: Plan, options: RunOptions) -> Path:
    """Return the run folder of a plan: without `out`, the same request has the same folder.

    With tuning it is named before the rates are chosen, so their number is part of the name.
    """
    tail = f"-tune{options.tune}" if options.tune else ""
    return Path(options.out or f"reports/{slug(plan.dataset.name)}-{plan.digest}{tail}")


def respelled(plan: Plan, dataset: str, options: Mapping[str, str]) -> Plan:
    """Return the plan with its dataset typed otherwise, which gives its cells other digests."""
    facts = {"dataset": dataset, "dataset_options": options}
    cells = tuple(Cell.model_validate(cell.model_dump() | facts) for cell in plan.cells)
    return plan.model_copy(update={"cells": cells})


def facts_of(dataset: Dataset, options: Mapping[str, str], notice: str = "") -> DatasetFacts:
    """Return what a plan keeps of a dataset, with the warnings of a quick check and a `notice`."""
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
        notices=(*dataset.notices, *quick_check(dataset), *filter(None, (notice,))),
    )
