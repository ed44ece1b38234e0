"""How many images fit into a pass, where memory is part of the budget?"""

from __future__ import annotations

import math
import re

import zoo

_UNITS = {"b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 1e3, "mb": 1e6, "gb": 1e9}
_BYTES = 4
# A map is kept for the backward pass, and its gradient stands beside it for a while.
_COPIES_OF_MAPS = 2
# Weights, gradients and the momentum of each.
_COPIES_OF_WEIGHTS = 3
# The process itself: torch and the libraries that it loads.
_BASE_BYTES = 600 * 2**20


def parse_memory(text: str) -> int:
    """Read an amount of memory, in bytes.

    Raises:
        ValueError: if it is no amount with a unit.

    >>> parse_memory("8GiB"), parse_memory("1.5 gb")
    (8589934592, 1500000000)
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]+)\s*", text)
    unit = match and _UNITS.get(match[2].lower())
    try:
        amount = float(match[1]) * unit if match and unit else 0.0
    except ValueError:
        amount = 0.0
    if not 0 < amount < math.inf:
        raise ValueError(f"memory {text!r} is not an amount with a unit; write 8GiB or 500MiB")
    return int(amount)


def needed_bytes(model: str, *, num_classes: int, image_size: int, batch: int) -> int:
    """Estimate what one training pass over `batch` images needs, in fp32, from the layer table.

    An estimate from above for the plan, not a measurement: a row's `peak_memory_bytes` is one.
    """
    facts = zoo.describe(model, num_classes=num_classes, image_size=image_size)
    maps = sum(math.prod(layer.output_shape) for layer in facts.layers)
    weights = _COPIES_OF_WEIGHTS * facts.params * _BYTES
    return _BASE_BYTES + weights + _COPIES_OF_MAPS * maps * batch * _BYTES


def micro_batch(
    model: str, *, num_classes: int, image_size: int, batch_size: int, memory_bytes: int
) -> int | None:
    """Return how many images a pass may hold, or None where the whole batch fits.

    The batch is halved until it fits, so the optimisation still sees `batch_size` images a step.

    Raises:
        ValueError: if not even a pass of two images fits.
    """
    images = batch_size
    while True:
        needed = needed_bytes(model, num_classes=num_classes, image_size=image_size, batch=images)
        if needed <= memory_bytes:
            return None if images == batch_size else images
        if images <= 2:
            raise ValueError(
                f"{model} needs about {needed / 2**30:.1f} GiB for {images} images of "
                f"{image_size} pixels, and {memory_bytes / 2**30:.1f} GiB are allowed; "
                "try a smaller --image-size"
            )
        images = math.ceil(images / 2)
