"""Can a cell be trained on several devices, and what do they share out?"""

import math
from typing import Any, get_args

import zoo
from cnnbench.base.words import with_hint
from cnnbench.planning.passes import images_bought
from cnnbench.planning.request import PlanError, Request, plan_errors
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import BatchNormOver, Cell, Parallel

__all__ = ["devices_of", "images_a_device", "require_shareable"]


def devices_of(request: Request) -> dict[str, Any]:
    """Return the fields of a cell that say what several devices do; PlanError for another word."""
    words = {
        "parallel": (request.parallel, get_args(Parallel)),
        "batchnorm_over": (request.batchnorm_over, get_args(BatchNormOver)),
    }
    for key, (word, known) in words.items():
        if word not in known:
            wrong = f"unknown --{key.replace('_', '-')} {word!r}"
            raise PlanError(with_hint(wrong, word, known, f"there is {', '.join(known)}"))
    return {"devices": request.devices, **{key: word for key, (word, _) in words.items()}}


def images_a_device(request: Request, batch_size: int) -> int:
    """Return how many images of a batch the device that gets most of them gets."""
    is_shared = request.parallel == "batches"
    return math.ceil(batch_size / max(1, request.devices)) if is_shared else batch_size


def require_shareable(cell: Cell, *, num_classes: int, train_images: int) -> None:
    """Check that a cell can be trained by as many devices as it names, in its way.

    Raises:
        PlanError: if it cannot; the message says what to do.
    """
    n = cell.devices
    if n == 1:
        for flag, is_default in {
            "--parallel towers": cell.parallel == "batches",
            "--batchnorm-over all": cell.batchnorm_over == "device",
        }.items():
            if not is_default:
                raise PlanError(f"{flag} is for several devices; add --devices 2, or leave it out")
        return
    if cell.budget.currency is Currency.JOULES:
        raise PlanError(
            f"a budget in joules is counted on one device; --devices {n} cannot have it"
        )
    if cell.train == "head":
        raise PlanError(f"--train head needs one device, its features are computed once; not {n}")
    if cell.parallel == "towers":
        _require_towers(cell, num_classes)
    else:
        _require_batches(cell, images_bought(cell, num_classes, train_images))


def _require_batches(cell: Cell, images: int | None) -> None:
    n, batch_size = cell.devices, cell.recipe.batch_size
    if batch_size < 2 * n:
        raise PlanError(
            f"{cell.model}: a batch of {batch_size} leaves some of {n} devices fewer than two "
            f"images; give --batch-size {2 * n} or more, or fewer --devices"
        )
    if images is not None and images < 2 * n:
        raise PlanError(
            f"{cell.model}: a budget of {images} images leaves some of {n} devices fewer than two; "
            "give a larger --budget, or fewer --devices"
        )
    if cell.batchnorm_over == "all" and cell.device != "cuda":
        raise PlanError(
            f"--batchnorm-over all needs GPUs, torch has it nowhere else, and the device is "
            f"{cell.device}; leave it out"
        )


def _require_towers(cell: Cell, num_classes: int) -> None:
    if cell.devices != 2:
        raise PlanError(f"--parallel towers: AlexNet has two; not {cell.devices} --devices")
    if cell.batchnorm_over == "all":
        raise PlanError("--batchnorm-over all: with --parallel towers no batch is shared out")
    if cell.start:
        raise PlanError(f"--parallel towers starts from scratch; {cell.model} brings weights")
    if zoo.card(cell.model).family != "alexnet":
        raise PlanError(f"--parallel towers is for AlexNets alone; {cell.model} has no towers")
    from zoo.alexnet_towers import split
    from zoo.registry import skeleton

    network = skeleton(cell.model, num_classes=num_classes, image_size=cell.image_size)
    with plan_errors(f"{cell.model}: --parallel towers: "):
        split(network)
