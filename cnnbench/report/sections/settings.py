"""Under which settings and rules was a run made?"""

import re
from collections.abc import Callable, Sequence
from importlib import resources

from cnnbench.report.analysis.origins import values_of
from cnnbench.report.analysis.rows import grouped
from cnnbench.report.sections import Facts, Paragraph, Points, RunReport, Section
from cnnbench.report.sections.foresight import foresight_blocks
from cnnbench.report.text.wording import (
    amount,
    join_and,
    join_numbers,
    percent,
    plural,
    significant,
)
from cnnbench.schema.budget import Budget, Currency
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.origin import VERSIONED
from cnnbench.schema.recipes import Recipe
from cnnbench.schema.result import Row

NamedValues = list[tuple[str, str]]


def section(report: RunReport) -> Section:
    """Show the settings of the run."""
    return Section(
        title="Settings",
        anchor="settings",
        menu="Settings",
        blocks=[
            Facts(settings(report.plan, report.rows)),
            *foresight_blocks(report.plan, report.rows),
        ],
    )


def rules_section(report: RunReport) -> Section:
    """Show the rules of the budget."""
    del report  # every run follows the same rules
    rules = [
        Paragraph(rule.replace("`", ""), code=tuple(re.findall("`([^`]+)`", rule)))
        for rule in budget_rules()
    ]
    return Section(title="The rules of the budget", blocks=[Points(rules, numbered=True)])


def budget_rules() -> list[str]:
    """Return the rules that every run follows, from the one file that holds them."""
    file = resources.files("cnnbench.report.sections").joinpath("budget_rules.md")
    lines = file.read_text("utf-8").splitlines()
    return [re.sub(r"^\d+\. ", "", line) for line in lines if line]


def budget_words(budget: Budget) -> str:
    """Return a budget as a reader understands it, with what is counted."""
    if budget.currency is Currency.SECONDS:
        return f"{significant(budget.limit)} s of charged training time ({budget})"
    return amount(budget.currency, budget.limit)


def title(plan: Plan) -> str:
    """Return the title of a report."""
    models = list(dict.fromkeys(cell.name for cell in plan.cells))
    budgets = list(dict.fromkeys(str(cell.budget) for cell in plan.cells))
    return f"{plan.dataset.title}: {plural(len(models), 'network')}, {join_and(budgets)} each"


def settings(plan: Plan, rows: Sequence[Row]) -> NamedValues:
    """Return the settings that stand above the table, as (name, value)."""
    dataset = plan.dataset
    origin = "drawn by a program, not photos" if dataset.drawn else "read from image files"
    name = dataset.name if dataset.name == dataset.title else f"{dataset.name}: {dataset.title}"
    counts = ", ".join(f"{count:,} {split}" for split, count in dataset.images.items())
    options = ", ".join(f"{key} {value}" for key, value in dataset.options.items())
    origins = {fact: join_and(values) for fact, values in values_of(rows).items()}
    machine = origins.get("ran on") or str(plan.machine.get("line") or "")
    versions = ", ".join(f"{name} {origins[name]}" for name in VERSIONED if name in origins)
    lines = [
        ("dataset", f"{name}; {origin}"),
        ("dataset options", options),
        ("images", f"{counts}; {plural(len(dataset.classes), 'class', 'classes')}"),
        ("budget", _by_value(plan.cells, lambda cell: budget_words(cell.budget))),
        ("recipe", _by_value(plan.cells, _recipe_words)),
        ("learning rate", _by_value(plan.cells, lambda cell: f"{cell.recipe.lr:g}")),
        ("image size", _by_value(plan.cells, lambda cell: _size_words(cell, plan))),
        ("precision", _precision_words(plan)),
        ("device", _by_value(plan.cells, _device_words)),
        ("machine", machine),
        ("threads", origins.get("threads") or str(plan.machine.get("threads") or "")),
        ("seeds", join_numbers(list(dict.fromkeys(cell.seed for cell in plan.cells)))),
        ("dataset fingerprint", dataset.fingerprint[:16]),
        ("versions", versions or f"cnnbench {plan.cnnbench}"),
    ]
    return [(name, value) for name, value in lines if value]


def _size_words(cell: Cell, plan: Plan) -> str:
    chosen = ", chosen for this budget" if plan.size_choice and cell.start is None else ""
    return f"{cell.image_size} pixels{chosen}"


def _precision_words(plan: Plan) -> str:
    precisions, why = (
        _by_value(plan.cells, lambda c: c.precision),
        plan.machine.get("precision_why"),
    )
    return f"{precisions} ({why})" if why else precisions


def _device_words(cell: Cell) -> str:
    shared = {
        "batches": f"{cell.devices} devices share out each batch, BatchNorm's statistics over "
        + ("all its images" if cell.batchnorm_over == "all" else "each device's images"),
        "towers": f"{cell.devices} devices, a tower of the network on each",
    }
    parts = [
        cell.device,
        "deterministic" if cell.deterministic else "",
        shared[cell.parallel] if cell.devices > 1 else "",
    ]
    return ", ".join(part for part in parts if part)


def _area_words(recipe: Recipe) -> str:
    if recipe.augment != "area-aspect":
        return ""
    eased = f", from the epoch {recipe.ease_epochs:g} on" if recipe.ease_epochs else ""
    return f" of {percent(recipe.least_area, digits=0)} % of an image or more{eased}"


def _recipe_words(cell: Cell) -> str:
    recipe = cell.recipe
    decayed = "all weights and biases" if recipe.bias_decay else "weights only"
    views = f"headline over {recipe.test_views} crops" if recipe.test_views > 1 else ""
    biases = f"biases at {recipe.bias_lr:g} times the rate" if recipe.bias_lr != 1 else ""
    parts = [
        f"{recipe.name}: {recipe.optimizer.upper()}",
        f"batch size {recipe.batch_size}",
        f"momentum {recipe.momentum:g}{' as velocity' if recipe.velocity else ''}",
        f"weight decay {recipe.weight_decay:g} on {decayed}",
        biases,
        f"all but the head at {recipe.body_lr:g} times the rate" if recipe.body_lr != 1 else "",
        _schedule_words(recipe),
        *_start_words(cell),
        "BatchNorm's statistics as they came" if recipe.batchnorm == "kept" else "",
        f"augmentation {recipe.augment}{_area_words(recipe)}",
        views,
    ]
    return ", ".join(part for part in parts if part)


def _start_words(cell: Cell) -> tuple[str, str]:
    """Return how the weights begin and how inputs are scaled."""
    if cell.start is None:
        return f"{cell.recipe.init} initialisation", f"inputs: {cell.recipe.scaling}"
    kept = " that stay as they are" if cell.train == "head" else ""
    scaled = "as the weights know them" if cell.start.mean else cell.recipe.scaling
    return f"trained weights{kept}, the head begins at zero", f"inputs: {scaled}"


def _schedule_words(recipe: Recipe) -> str:
    if recipe.schedule == "steps":
        drops = ", ".join(f"{percent(drop)} %" for drop in recipe.drops)
        return f"learning rate times {recipe.drop_factor:g} at {drops} of the budget"
    if not recipe.warmup:
        return "learning rate linear to zero"
    rise = percent(recipe.warmup, digits=0)
    return f"learning rate rising over {rise} % of the budget, then linear to zero"


def _by_value(cells: Sequence[Cell], read: Callable[[Cell], str]) -> str:
    """Return the values, each with the models that have it unless all models have all of them."""
    models = {
        value: list(dict.fromkeys(cell.name for cell in having))
        for value, having in grouped(cells, read).items()
    }
    if len(set(map(frozenset, models.values()))) == 1:
        return "; ".join(models)
    return "; ".join(f"{value} ({join_and(having)})" for value, having in models.items())
