"""In which settings do two plans differ?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from cnnbench.schema.cell import Plan

if TYPE_CHECKING:
    from cnnbench.schema.cell import Cell, Plan


SHOWN = 6


def differences(old: Plan, new: Plan) -> list[str]:
    """Return what changed as lines like `recipe.lr: 0.1 -> 0.01`, the first few of them."""
    found = []
    for what, before, after in (
        ("models", _models(old), _models(new)),
        ("seeds", _seeds(old), _seeds(new)),
        ("cells", len(old.cells), len(new.cells)),
    ):
        if before != after:
            found.append(f"{what}: {before} -> {after}")
    later = {(cell.model, cell.seed): cell for cell in new.cells}
    for cell in old.cells:
        same = later.get((cell.model, cell.seed))
        if same is not None and same.digest != cell.digest:
            one, two = _flat(cell.model_dump(mode="json")), _flat(same.model_dump(mode="json"))
            lines = [
                f"{key}: {one.get(key)} -> {two.get(key)}"
                for key in sorted(one.keys() | two.keys())
                if one.get(key) != two.get(key)
            ]
            found += [line for line in lines if line not in found]
    more = len(found) - SHOWN
    return found[:SHOWN] + ([f"and {more} more"] if more > 0 else [])


def _models(plan: Plan) -> str:
    return ",".join(dict.fromkeys(cell.model for cell in plan.cells))


def _seeds(plan: Plan) -> str:
    return ",".join(dict.fromkeys(str(cell.seed) for cell in plan.cells))


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{key}.")
        else:
            flat[prefix + key] = item
    return flat


def labels(plan: Plan, *, apart: Collection[str] = ()) -> dict[str, str]:
    """Name every cell of a plan by its model and by the settings that vary within that model.

    The seed is left out: cells that differ in the seed alone are one contender. `apart` leaves out
    more settings, such as `budget` for the lines of a ladder.
    """
    settings = {cell.id: settings_of(cell, apart=apart) for cell in plan.cells}
    values: dict[tuple[str, str], set[str]] = {}
    for cell in plan.cells:
        for key, value in settings[cell.id].items():
            values.setdefault((cell.model, key), set()).add(value)
    return {
        cell.id: " ".join(
            [cell.model]
            + [
                f"at {value}" if key == "budget" else f"{key} {value}"
                for key, value in settings[cell.id].items()
                if len(values[cell.model, key]) > 1
            ]
        )
        for cell in plan.cells
    }


def line_names(plan: Plan) -> dict[str, str]:
    """Return by the label of a contender the name of its line, which leaves the budget out."""
    full, lines = labels(plan), labels(plan, apart={"budget"})
    return {full[cell.id]: lines[cell.id] for cell in plan.cells}


def settings_of(cell: Cell, *, apart: Collection[str] = ()) -> dict[str, str]:
    """Flatten all that decides a cell's result, apart from its model, its seed and `apart`."""
    kept = cell.model_dump(mode="json", exclude={"version", "model", "seed", "budget", "recipe"})
    recipe = cell.recipe.model_dump(mode="json")
    values = {"recipe": recipe.pop("name"), "budget": str(cell.budget)} | recipe | kept
    return {
        key.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in values.items()
        if key.replace("_", " ") not in apart
    }
