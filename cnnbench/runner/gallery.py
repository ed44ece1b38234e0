"""Which pictures of a trained network are kept for its report?"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from cnnbench.data.pixels.cache import Decoded
from cnnbench.data.pixels.decode import thumbnail
from cnnbench.engine.device import Device
from cnnbench.engine.evaluate import Evaluation
from cnnbench.engine.gallery import (
    IntArray,
    candidates,
    first_filters,
    last_layer_inputs,
    most_probable,
    nearest,
    representatives,
    worst_mistakes,
)
from cnnbench.store import CellFolder
from cnnbench.store.gallery import Gallery

SHOWN, MISTAKES, QUERIES, NEIGHBOURS, GUESSES = 8, 6, 5, 6, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class GalleryImages:
    """The images that a gallery is made of, and the device that the network runs on.

    `batches` turns some images of a split into batches as for an evaluation.
    """

    train: Decoded
    test: Decoded
    batches: Callable[[Decoded, IntArray], Iterator[tuple[Tensor, Tensor]]]
    device: Device
    macs: int


def write_cell_gallery(
    folder: CellFolder, model: nn.Module, evaluation: Evaluation, images: GalleryImages
) -> None:
    """Write a finished cell's gallery; pictures that cannot be made fail no cell.

    What went wrong goes to stderr, which the launcher keeps as `log.txt`.
    """
    try:
        folder.write_gallery(collect_gallery(model, evaluation, images))
    except Exception:
        traceback.print_exc()
        print("the pictures of what the network sees could not be made", file=sys.stderr)


def collect_gallery(model: nn.Module, evaluation: Evaluation, images: GalleryImages) -> Gallery:
    """Return first filters, guesses, neighbours in the last hidden layer and worst mistakes.

    `evaluation` is of the whole test split, in its order.
    """
    labels, logits = evaluation.labels, evaluation.logits
    shown = representatives(labels, SHOWN)
    mistakes = worst_mistakes(logits, labels, MISTAKES)
    tested = np.concatenate([shown, mistakes])
    guesses, chances = most_probable(logits[tested], GUESSES)
    neighbours, n_searched = _neighbours(model, shown[:QUERIES], images)
    trained = neighbours.ravel()
    filters, towers = first_filters(model)
    return Gallery(
        filters=filters,
        towers=towers,
        images=(*_thumbnails(images.test, tested), *_thumbnails(images.train, trained)),
        truth=np.concatenate([labels[tested], images.train.labels[trained]]).astype(np.int64),
        shown=np.arange(len(shown), dtype=np.int64),
        mistakes=np.arange(len(shown), len(tested), dtype=np.int64),
        guesses=guesses,
        chances=chances,
        near=np.arange(trained.size, dtype=np.int64).reshape(neighbours.shape) + len(tested),
        searched=n_searched,
    )


def _thumbnails(split: Decoded, places: IntArray) -> list[bytes]:
    return [thumbnail(np.ascontiguousarray(split.images[int(place)])) for place in places]


def _neighbours(model: nn.Module, queries: IntArray, images: GalleryImages) -> tuple[IntArray, int]:
    """Return the training images nearest to test images, `(Q, 6)`, and how many were searched."""
    places = candidates(len(images.train.labels), images.macs)
    tested = last_layer_inputs(model, images.batches(images.test, queries), images.device)
    if tested is None:
        return np.zeros((0, 0), dtype=np.int64), 0
    trained = last_layer_inputs(model, images.batches(images.train, places), images.device)
    assert trained is not None  # the layer was there for the test images
    return places[nearest(tested, trained, NEIGHBOURS)], len(places)
