"""How many images go through a network at once, and can it be trained on so few?"""

import math
import re

import zoo
from cnnbench.planning.request import PlanError, plan_errors
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell

__all__ = ["images_bought", "memory_and_passes", "require_passes"]


def require_passes(cell: Cell, *, num_classes: int, train_images: int) -> None:
    """Check that a network can be trained on passes as small as the cell's smallest.

    BatchNorm has no variance over a single value: one image whose last maps are 1x1. A training
    step keeps such passes out wherever its batch is larger (`TrainingState.next_batch_size`,
    `engine.step.pass_sizes`), so only batches of one and budgets of one image are tried.

    Raises:
        PlanError: if it cannot; the message says what to do.
    """
    if cell.recipe.batch_size > 1 and images_bought(cell, num_classes, train_images) != 1:
        return
    with plan_errors():
        zoo.probe(cell.model, num_classes=num_classes, image_size=cell.image_size, n_images=1)


def images_bought(cell: Cell, num_classes: int, train_images: int) -> int | None:
    """Return how many images the budget buys, None where only a meter can tell."""
    flops_per_image = math.nan
    if cell.budget.currency is Currency.FLOPS:
        from cnnbench.engine.step import training_flops_per_image

        flops_per_image = training_flops_per_image(
            cell.model, num_classes=num_classes, image_size=cell.image_size
        )
    return cell.budget.total_images(train_images=train_images, flops_per_image=flops_per_image)


# -- memory ----------------------------------------------------------------------------------------

_UNITS = {"b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 1e3, "mb": 1e6, "gb": 1e9}
_BYTES = 4
_COPIES_OF_MAPS = 2  # kept for the backward pass, with the map's gradient beside it for a while
_COPIES_OF_WEIGHTS = 3  # weights, gradients and the momentum of each
_BASE_BYTES = 600 * 2**20  # the process itself: torch and the libraries that it loads


def memory_and_passes(
    memory: str | None, model: str, *, num_classes: int, image_size: int, batch_size: int
) -> tuple[int | None, int | None]:
    """Return the bytes that were asked for, and how many images a pass may hold in them.

    None is no limit, and None a whole batch in one pass.

    Raises:
        PlanError: if the amount is no memory, or two images need more.
    """
    if memory is None:
        return None, None
    allowed = _memory_bytes(memory)
    size = {"num_classes": num_classes, "image_size": image_size, "batch_size": batch_size}
    return allowed, _micro_batch(model, **size, allowed=allowed)


def _memory_bytes(text: str) -> int:
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+|[0-9]+\.)\s*([a-zA-Z]+)\s*", text)
    amount = float(match[1]) * _UNITS.get(match[2].lower(), 0) if match else 0.0
    if not 0 < amount < math.inf:
        raise PlanError(
            f"--memory: memory {text!r} is not an amount with a unit; write 8GiB or 500MiB"
        )
    return int(amount)


def _micro_batch(
    model: str, *, num_classes: int, image_size: int, batch_size: int, allowed: int
) -> int | None:
    """Return how many images a pass may hold, or None where the whole batch fits.

    The batch is halved until it fits, so the optimisation still sees `batch_size` images a step.
    What a pass needs in fp32 is estimated from above, from the layer table; what a run did need is
    measured, in its row's `peak_memory_bytes`.
    """
    facts = zoo.describe(model, num_classes=num_classes, image_size=image_size)
    fixed = _BASE_BYTES + _COPIES_OF_WEIGHTS * facts.params * _BYTES
    maps = sum(math.prod(layer.output_shape) for layer in facts.layers)
    per_image = _COPIES_OF_MAPS * maps * _BYTES
    batch = batch_size
    while fixed + per_image * batch > allowed:
        if batch <= 2:
            needed = fixed + per_image * batch
            smaller = ", or try a smaller --image-size" if fixed < allowed else ""
            raise PlanError(
                f"--memory: {model} needs about {needed / 2**30:.3g} GiB for {batch} images of "
                f"{image_size} pixels, {fixed / 2**30:.3g} GiB of it for images of any size, and "
                f"{allowed / 2**30:.3g} GiB are allowed; allow more{smaller}"
            )
        batch = math.ceil(batch / 2)
    return None if batch == batch_size else batch
