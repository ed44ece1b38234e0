"""In which settings do two plans differ?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnbench.schema.cell import Plan

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
