"""Which pictures of a trained network are kept for its report?"""

import sys
import traceback

import numpy as np
from torch import Tensor, nn

from cnnbench.data.pixels.cache import Decoded
from cnnbench.data.pixels.decode import thumbnail
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
from cnnbench.engine.train import Scored
from cnnbench.runner.inputs import CellContext, Inputs, cut_batches
from cnnbench.store.gallery import CellGallery

SHOWN, MISTAKES, QUERIES, NEIGHBOURS, GUESSES = 8, 6, 5, 6, 5


def write_cell_gallery(
    context: CellContext, inputs: Inputs, network: nn.Module, headline: Scored, *, macs: int
) -> None:
    """Write a finished cell's gallery; pictures that cannot be made fail no cell.

    What went wrong goes to stderr, which the launcher keeps as `log.txt`.
    """
    try:
        gallery = collect_gallery(context, inputs, network, headline, macs=macs)
        context.folder.write_gallery(gallery)
    except Exception:
        traceback.print_exc()
        print("the pictures of what the network sees could not be made", file=sys.stderr)


def collect_gallery(
    context: CellContext, inputs: Inputs, network: nn.Module, headline: Scored, *, macs: int
) -> CellGallery:
    """Return first filters, guesses, neighbours in the last hidden layer and worst mistakes.

    `headline` evaluates a whole split, in its order; `macs` are the multiply-adds of an image.
    """
    train, test = inputs.splits["train"], inputs.splits[headline.event.split]
    labels, logits = headline.evaluation.labels, headline.evaluation.logits

    def features(split: Decoded, places: IntArray) -> Tensor | None:
        batches = cut_batches(context, inputs, split.images[places], split.labels[places])
        return last_layer_inputs(network, batches, context.device)

    shown = representatives(labels, SHOWN)
    test_places = np.concatenate([shown, worst_mistakes(logits, labels, MISTAKES)])
    guesses, chances = most_probable(logits[test_places], GUESSES)
    filters, towers = first_filters(network)
    searched = candidates(len(train.labels), macs)
    queries = features(test, shown[:QUERIES])
    points = None if queries is None else features(train, searched)
    near = np.zeros((0, 0), dtype=np.int64)
    if queries is not None and points is not None:
        near = searched[nearest(queries, points, NEIGHBOURS)]
    train_places = near.ravel()
    return CellGallery(
        filters=filters,
        towers=towers,
        jpegs=(*_thumbnails(test, test_places), *_thumbnails(train, train_places)),
        truth=np.concatenate([labels[test_places], train.labels[train_places]]).astype(np.int64),
        shown=np.arange(len(shown), dtype=np.int64),
        mistakes=np.arange(len(shown), len(test_places), dtype=np.int64),
        guesses=guesses,
        chances=chances,
        near=np.arange(near.size, dtype=np.int64).reshape(near.shape) + len(test_places),
        searched=0 if points is None else len(searched),
    )


def _thumbnails(split: Decoded, places: IntArray) -> list[bytes]:
    return [thumbnail(np.ascontiguousarray(split.images[int(place)])) for place in places]
