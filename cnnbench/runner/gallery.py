"""Which pictures of a trained network are kept for its report?"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnbench.data.pixels.decode import thumbnail
from cnnbench.engine.gallery import (
    Ints,
    features,
    first_filters,
    most_probable,
    nearest,
    representatives,
    searched,
    worst_mistakes,
)
from cnnbench.store.gallery import CellGallery

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from cnnbench.data.pixels.cache import Decoded
    from cnnbench.engine.device import Machine
    from cnnbench.engine.evaluate import Evaluation
    from cnnbench.store import CellFolder

SHOWN, MISTAKES, QUERIES, NEIGHBOURS, GUESSES = 8, 6, 5, 6, 5

Feed = Callable[["Decoded", Ints], Iterator[tuple["Tensor", "Tensor"]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The images that a network is looked at with.

    `feed` turns some images of a split into batches as for an evaluation.
    """

    train: Decoded
    test: Decoded
    feed: Feed
    machine: Machine
    macs: int


def keep_gallery(folder: CellFolder, model: nn.Module, evaluation: Evaluation, view: View) -> None:
    """Write a finished cell's pictures; that they cannot be made fails no cell, and is said.

    What went wrong goes to stderr, which the launcher keeps as `log.txt`.
    """
    try:
        folder.write_gallery(look_at(model, evaluation, view))
    except Exception:
        traceback.print_exc()
        print("the pictures of what the network sees could not be made", file=sys.stderr)


def look_at(model: nn.Module, evaluation: Evaluation, view: View) -> CellGallery:
    """Return first filters, guesses, neighbours in the last hidden layer and worst mistakes.

    `evaluation` is of the whole test split, in its order.
    """
    train, test = view.train, view.test
    labels, logits = evaluation.labels, evaluation.logits
    shown = representatives(labels, SHOWN)
    wrong = worst_mistakes(logits, labels, MISTAKES)
    tested = np.concatenate([shown, wrong])
    guesses, chances = most_probable(logits[tested], GUESSES)
    near, among = _neighbours(model, shown[:QUERIES], view)
    filters, towers = first_filters(model)
    images = [*_files(test, tested), *_files(train, near.ravel())]
    return CellGallery(
        filters=filters,
        towers=towers,
        jpegs=tuple(images),
        truth=np.concatenate([labels[tested], train.labels[near.ravel()]]).astype(np.int64),
        shown=np.arange(len(shown), dtype=np.int64),
        mistakes=np.arange(len(shown), len(tested), dtype=np.int64),
        guesses=guesses,
        chances=chances,
        near=np.arange(near.size, dtype=np.int64).reshape(near.shape) + len(tested),
        searched=among,
    )


def _files(split: Decoded, places: Ints) -> list[bytes]:
    return [thumbnail(_pixels(split, int(place))) for place in places]


def _pixels(split: Decoded, place: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(split.images[place])


def _neighbours(model: nn.Module, queries: Ints, view: View) -> tuple[Ints, int]:
    """Return the training images nearest to test images, `(Q, 6)`, and among how many."""
    places = searched(len(view.train.labels), view.macs)
    asked = features(model, view.feed(view.test, queries), view.machine)
    if asked is None:
        return np.zeros((0, 0), dtype=np.int64), 0
    known = features(model, view.feed(view.train, places), view.machine)
    assert known is not None  # the layer was there for the test images
    return places[nearest(asked, known, NEIGHBOURS)], len(places)
