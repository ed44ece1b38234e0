"""In what does a run depart from the papers: in its networks, and in how they were trained?"""

from __future__ import annotations

import zoo
from cnnbench.schema.cell import Cell, Plan


def departures(plan: Plan) -> list[tuple[str, str]]:
    """Return (model, departure) for every network and recipe of a plan.

    A network that is its paper's is listed too, with the words that say so.
    """
    first = {cell.model: cell for cell in reversed(plan.cells)}
    models = dict.fromkeys(cell.model for cell in plan.cells)
    return [(model, text) for model in models for text in _of_cell(first[model])]


def _of_cell(cell: Cell) -> list[str]:
    if ":" in cell.model:  # a card of another library's network imports torch
        return ["built by another library, not checked against its paper"]
    try:
        card = zoo.card(cell.model)
        network = list(card.departures)
        if cell.image_size != card.image_size:
            network.append(
                f"Fed images of {cell.image_size} pixels instead of {card.image_size}; where a "
                "fully connected layer reads the last map, it has other parameters."
            )
        training = zoo.training(cell.model)
    except LookupError:  # written by a version with other models
        return []
    if cell.recipe.name == "common" or training is None:
        return [
            *(network or ["none in the network"]),
            "Trained by the recipe that all share, not by its paper's.",
        ]
    found = [*network, *training["departures"], *(f"Ours: {text}" for text in training["ours"])]
    if cell.recipe.batch_size != training["batch_size"]:
        found.append(
            f"Batches of {cell.recipe.batch_size} images instead of {training['batch_size']}, "
            f"at a learning rate of {cell.recipe.lr:g} instead of {training['lr']:g}."
        )
    return found or ["none"]
