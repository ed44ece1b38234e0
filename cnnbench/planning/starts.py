"""With which trained weights does a network of the plan begin, and do they fit it?"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from cnnbench.base.words import unescape_bytes
from cnnbench.data import DataError
from cnnbench.planning.request import PlanError, Request, split_commas
from cnnbench.schema.budget import Budget, Currency
from cnnbench.schema.cell import Cell
from cnnbench.schema.start import Channels, Start, Train
from zoo.cards import ModelName, model_name
from zoo.weights import (
    BadWeights,
    MissingWeights,
    WeightsCard,
    weights_card,
    weights_file,
    weights_sha256,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["entrants", "load_cell_start", "require_head_budget", "start_of", "start_size"]

# What the inputs of weights are scaled by, where no card says it: mean and deviation in [0, 1].
_SCALINGS: dict[str, tuple[Channels, Channels] | None] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "images": None,
}


def entrants(models: Sequence[ModelName], request: Request) -> list[tuple[ModelName, Train]]:
    """Return each model with each way of training it; from scratch there is only `all`.

    Raises:
        PlanError: `--train` has another word, or asks for heads where no model has weights.
    """
    words = split_commas(request.train)
    if not words or set(words) - set(get_args(Train)):
        raise PlanError(f"--train {request.train!r}: write all, head, or all,head")
    ways = [way for way in get_args(Train) if way in words]
    if "head" in ways and not any(model.start for model in models):
        raise PlanError(
            "--train head needs trained weights: features of random weights tell little; name "
            f"some, like {models[0].network}@FILE.safetensors"
        )
    return [
        (model, way) for model in models for way in (ways if model.start else get_args(Train)[:1])
    ]


def start_size(model: ModelName) -> int | None:
    """Return the image size that a model's weights were trained at, None if nobody stated it."""
    return weights_card(model.typed).image_size


def start_of(model: ModelName, scaling: str | None, *, num_classes: int, image_size: int) -> Start:
    """Read a model's weights and fit them to it; return what a cell has to know of them.

    `scaling` is what `--weights-scaling` says of weights whose card does not know it.

    Raises:
        PlanError: the scaling of the inputs is unknown, or its words are wrong.
        MissingWeights: the weights are not here; the message has the command that brings them.
        BadWeights: they cannot be read or do not fit.
    """
    card = weights_card(model.typed)
    mean, std = _scaling(model, card, scaling)
    changed_ns = weights_file(card).stat().st_mtime_ns
    sha256, notes = _fitted(
        model, num_classes=num_classes, image_size=image_size, changed_ns=changed_ns
    )
    return Start(
        source=str(model.start),
        sha256=sha256,
        mean=mean,
        std=std,
        image_size=card.image_size,
        trained_on=card.trained_on,
        trained_images=card.trained_images,
        licence=card.licence,
        top1=card.top1,
        overlaps=card.overlaps,
        fit=(*card.notes, *notes),
        file=str(model.path or ""),
    )


@functools.cache
def _fitted(
    model: ModelName, *, num_classes: int, image_size: int, changed_ns: int
) -> tuple[str, tuple[str, ...]]:
    """Return the sha256 of weights, and what fitting them says.

    A plan is made several times, and large files take seconds; `changed_ns` is when this one was
    last changed.
    """
    from zoo.weights.fitting import fit, read_tensors

    card = weights_card(model.typed)
    file = weights_file(card)
    size = {"num_classes": num_classes, "image_size": image_size}
    fitted = fit(model.network, read_tensors(file), key_map=card.key_map, **size)
    return weights_sha256(card, file), fitted.notes


def load_cell_start(network: nn.Module, cell: Cell, *, num_classes: int) -> None:
    """Copy the weights that a cell begins with into its network, but for the head.

    Raises:
        DataError: they are not here, cannot be read, or are not those of the plan.
    """
    from zoo.weights.fitting import load_start, read_tensors

    assert cell.start
    file = unescape_bytes(cell.start.file)
    name = model_name(f"{cell.model.partition('@')[0]}@{file}" if file else cell.model)
    try:
        card = weights_card(name.typed)
        seen = weights_sha256(card, weights_file(card))
        if seen != cell.start.sha256:
            raise DataError(
                f"the weights of {cell.model} changed since the plan was made (sha256 "
                f"{cell.start.sha256[:8]}, now {seen[:8]}); bring them back, or train anew with "
                "--fresh"
            )
        load_start(
            network,
            name.network,
            read_tensors(weights_file(card)),
            num_classes=num_classes,
            image_size=cell.image_size,
            key_map=card.key_map,
        )
    except (MissingWeights, BadWeights) as error:
        raise DataError(str(error)) from None


def _scaling(
    model: ModelName, card: WeightsCard, typed: str | None
) -> tuple[Channels | None, Channels | None]:
    """Return mean and deviation of the inputs, None where the run's own images decide."""
    if card.mean is not None and card.std is not None:
        return card.mean, card.std
    if typed is None:
        raise PlanError(
            f"{model.text}: nothing says how the inputs of these weights were scaled; say it with "
            f"--weights-scaling: {', '.join(_SCALINGS)} (by the statistics of the training "
            "images here), or six numbers in [0, 1], MEAN/STD like 0.5,0.5,0.5/0.25,0.25,0.25"
        )
    if typed in _SCALINGS:
        return _SCALINGS[typed] or (None, None)
    numbers = [float(n) for n in re.findall(r"\d*\.?\d+", typed)]
    if not re.fullmatch(r"[\d.,/ ]+", typed) or typed.count("/") != 1 or len(numbers) != 6:
        raise PlanError(
            f"--weights-scaling {typed!r} is none of {', '.join(_SCALINGS)}, nor MEAN/STD with "
            "three numbers each"
        )
    mean, std = tuple(numbers[:3]), tuple(numbers[3:])
    if not all(0 <= m <= 1 and 0 < s <= 1 for m, s in zip(mean, std, strict=True)):
        raise PlanError(
            f"--weights-scaling {typed!r}: numbers are of pixels in [0, 1], and no deviation is 0"
        )
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def require_head_budget(budget: Budget, train_images: int) -> None:
    """Check that a budget can pay for the features that a head is trained on, and for more.

    Raises:
        PlanError: it cannot, or counts what the features do not cost.
    """
    if budget.currency in (Currency.FLOPS, Currency.JOULES):
        raise PlanError(
            f"--budget {budget}: with --train head a budget is in seconds, epochs or images"
        )
    images = budget.total_images(train_images=train_images, flops_per_image=0.0)
    if images is not None and images <= train_images:
        raise PlanError(
            f"--budget {budget}: computing the features counts as one epoch ({train_images:,} "
            "images), so --train head needs more than one"
        )
