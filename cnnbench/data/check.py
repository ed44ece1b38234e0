"""What about this data would make a comparison mean less than it seems to?"""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from cnnbench.data.dataset import Dataset, Split, SplitName
from cnnbench.data.errors import listed

_IMBALANCE = 5  # largest class of train to smallest; beyond it, say so
_FINE_ENOUGH = 3.0  # points that a test split should be able to separate


def quick_check(dataset: Dataset) -> tuple[str, ...]:
    """Return warnings on duplicates, unequal classes and a small test; decodes no image."""
    return (
        *_duplicates_within(dataset),
        *_duplicates_between(dataset),
        *_imbalance(dataset),
        *_small_test(dataset),
    )


def smallest_difference(images: int) -> float:
    """Return how many points apart two models must be on `images` test images to be told apart.

    Two models that are right on 88 % and err independently disagree on 2 * 0.88 * 0.12 = 21 % of
    the images; McNemar's z = difference / sqrt(0.21 / n) reaches 1.96 at 8.0 points for n = 128,
    and at 2.0 points for n = 2,000. Models that err alike are told apart a little sooner.
    """
    return 100 * 1.96 * math.sqrt(2 * 0.88 * 0.12 / images)


def _duplicates_within(dataset: Dataset) -> Iterable[str]:
    for name, split in dataset.splits.items():
        copies = len(split.digests) - len(set(split.digests))
        if copies:
            seen = Counter(split.digests)
            example = [i for i, digest in enumerate(split.digests) if seen[digest] > 1]
            same = [i for i in example if split.digests[i] == split.digests[example[0]]]
            yield f"{name} holds {copies} exact copies of its images, {_pair(split, same)}"
        yield from _contradictions(dataset, name, split)


def _contradictions(dataset: Dataset, name: SplitName, split: Split) -> Iterable[str]:
    first: dict[str, int] = {}
    for index, digest in enumerate(split.digests):
        other = first.setdefault(digest, index)
        if split.labels[other] != split.labels[index]:
            classes = [dataset.classes[split.labels[i]] for i in (other, index)]
            yield (
                f"{name} holds one image in two classes ({listed(classes)}), "
                f"{_pair(split, [other, index])}"
            )
            return


def _duplicates_between(dataset: Dataset) -> Iterable[str]:
    names = list(dataset.splits)
    for place, name in enumerate(names):
        for later in names[place + 1 :]:
            earlier, split = dataset.splits[name], dataset.splits[later]
            known = set(earlier.digests)
            leaks = [i for i, digest in enumerate(split.digests) if digest in known]
            if leaks:
                yield (
                    f"{len(leaks)} of {len(split)} {later} images are exact copies of {name} "
                    f"images, for example {listed([split.names[leaks[0]]])}"
                )


def _imbalance(dataset: Dataset) -> Iterable[str]:
    classes = len(dataset.classes)
    counts = np.bincount(dataset.splits["train"].labels, minlength=classes)
    large, small = int(counts.argmax()), int(counts.argmin())
    if counts[large] > _IMBALANCE * counts[small]:
        yield (
            f"train is unequal: {listed([dataset.classes[large]])} has {counts[large]} images, "
            f"{listed([dataset.classes[small]])} has {counts[small]}"
        )
    tested = dataset.splits[dataset.headline_split]
    share = np.bincount(tested.labels, minlength=classes) / len(tested)
    if share.max() > 2 / classes:
        yield (
            f"answering {listed([dataset.classes[int(share.argmax())]])} every time is right on "
            f"{share.max():.1%} of {dataset.headline_split}, chance would be {1 / classes:.1%}"
        )


def _small_test(dataset: Dataset) -> Iterable[str]:
    images = len(dataset.splits[dataset.headline_split])
    points = smallest_difference(images)
    if points > _FINE_ENOUGH:
        yield (
            f"{images} {dataset.headline_split} images cannot separate models that are less than "
            f"about {points:.0f} points apart"
        )


def _pair(split: Split, indices: list[int]) -> str:
    return f"for example {listed([split.names[i] for i in indices[:2]])}"
