"""What is a cell of a plan called, and in which settings do two cells or two plans differ?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from cnnbench.schema.cell import Cell, Plan

__all__ = ["Settings", "changes", "differences", "labels", "line_names", "settings_of"]

_MOST_DIFFERENCES = 6


def labels(plan: Plan, *, ignore: Collection[str] = ()) -> dict[str, str]:
    """Name every cell of a plan by its model and by the settings that vary within that model.

    A network whose head alone is trained is another one than the same network trained whole.

    Cells that differ only in the seed share a label, and are one entry of a report.
    `ignore` leaves out more settings, such as `budget` for the lines of a ladder.
    """
    but_seed = {cell.id: cell.model_dump_json(exclude={"seed"}) for cell in plan.cells}
    # Of thousands of seeds one is looked at.
    cells = {but_seed[cell.id]: cell for cell in plan.cells}
    settings = {text: settings_of(cell, ignore=ignore) for text, cell in cells.items()}
    values: dict[tuple[str, str], set[str]] = {}
    for text, cell in cells.items():
        for key, value in settings[text].items():
            values.setdefault((cell.name, key), set()).add(value)
    names = {
        text: " ".join(
            [cell.name]
            + [
                f"at {value}" if key == "budget" else f"{key} {value}"
                for key, value in settings[text].items()
                if len(values[cell.name, key]) > 1
            ]
        )
        for text, cell in cells.items()
    }
    return {id: names[text] for id, text in but_seed.items()}


def line_names(plan: Plan) -> dict[str, str]:
    """Map the label of each entry to the name of its line, which leaves the budget out."""
    full, lines = labels(plan), labels(plan, ignore={"budget"})
    return {full[cell.id]: lines[cell.id] for cell in plan.cells}


def settings_of(cell: Cell, *, ignore: Collection[str] = ()) -> dict[str, str]:
    """Flatten all that decides a cell's result except its model, its seed and what to ignore.

    The keys are words for people, such as `batch size`.
    """
    kept = cell.deciding()
    for apart in ("version", "model", "seed", "budget", "recipe", "train"):
        del kept[apart]
    kept["start"] = cell.start.sha256[:8] if cell.start else "scratch"
    recipe = cell.recipe.model_dump(mode="json")
    values = {"recipe": recipe.pop("name"), "budget": str(cell.budget)} | recipe | kept
    settings = {
        key.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in values.items()
    }
    return {key: value for key, value in settings.items() if key not in ignore}


# -- differences ----------------------------------------------------------------------------------

Settings = Mapping[str, str]
Change = tuple[str, str, str]  # a setting, its value before, its value after


def changes(old: Settings, new: Settings, *, missing: str = "None") -> list[Change]:
    """Return every setting that differs; one that a side does not have is `missing` there."""
    both = {key: (old.get(key, missing), new.get(key, missing)) for key in [*old, *new]}
    return [(key, before, after) for key, (before, after) in both.items() if before != after]


def differences(old: Plan, new: Plan) -> list[str]:
    """Return what changed as lines like `recipe.lr: 0.1 -> 0.01`, the first few of them.

    A setting that varies within a network, as in a sweep, has all its values: `0.1,0.01 -> 0.1`.
    """
    lines = _as_lines(changes(_summary(old), _summary(new)))
    before, after = _cells_of_models(old), _cells_of_models(new)
    for model in (model for model in before if model in after):
        of_model = _as_lines(sorted(changes(_values(before[model]), _values(after[model]))))
        if not of_model and before[model] != after[model]:
            of_model = [f"{model} has the same values of its settings in other combinations"]
        lines += of_model
    lines = list(dict.fromkeys(lines))
    more = len(lines) - _MOST_DIFFERENCES
    return lines[:_MOST_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])


def _as_lines(changed: Sequence[Change]) -> list[str]:
    return [f"{key}: {before} -> {after}" for key, before, after in changed]


def _summary(plan: Plan) -> Settings:
    return {
        "models": ",".join(dict.fromkeys(cell.name for cell in plan.cells)),
        "seeds": ",".join(dict.fromkeys(str(cell.seed) for cell in plan.cells)),
        "cells": str(len(plan.cells)),
    }


def _cells_of_models(plan: Plan) -> dict[str, list[Settings]]:
    """Return by model the settings of its cells, without what `_summary` has, in plan order."""
    cells: dict[str, list[Settings]] = {}
    for cell in plan.cells:
        decides = cell.deciding()
        of_name = cells.setdefault(cell.name, [])
        settings = dict(_flat({k: v for k, v in decides.items() if k not in ("model", "seed")}))
        if settings not in of_name:
            of_name.append(settings)
    return cells


def _values(cells: Sequence[Settings]) -> Settings:
    """Return for each key of the cells' JSON, such as `recipe.lr`, its values in their order."""
    keys = dict.fromkeys(key for cell in cells for key in cell)
    return {key: ",".join(dict.fromkeys(cell.get(key, "None") for cell in cells)) for key in keys}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)
