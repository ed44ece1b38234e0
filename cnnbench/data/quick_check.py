"""What about this data would make a comparison mean less than it seems to?"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from cnnbench.base.words import plural
from cnnbench.data import shortlist
from cnnbench.data.dataset import Dataset, Split, SplitName

__all__ = ["Finding", "quick_check"]

_IMBALANCE = 5  # largest class of train to smallest; beyond it, say so
_FINE_ENOUGH = 3.0  # points that a test split should be able to separate

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a check says of a dataset: an error must be mended, a warning known, a note is a fact.

    `names` are the images it is about, or some of them; it may be empty.
    """

    severity: Severity
    verdict: str
    detail: str
    names: tuple[str, ...] = ()


def quick_check(dataset: Dataset) -> tuple[str, ...]:
    """Return warnings on duplicates, unequal classes and a small test; decodes no image."""
    return tuple(finding.detail for finding in quick_findings(dataset))


def quick_findings(dataset: Dataset) -> tuple[Finding, ...]:
    """Return what labels, counts and contents of files show; decodes no image."""
    return (
        *_duplicates_within(dataset),
        *_duplicates_between(dataset),
        *_imbalance(dataset),
        *_small_test(dataset),
    )


def smallest_difference(n_images: int) -> float:
    """Return how many points apart two models must be on `n_images` to be told apart.

    Two models that are right on 88 % and err independently disagree on 2 * 0.88 * 0.12 = 21 % of
    the images; McNemar's z = difference / sqrt(0.21 / n) reaches 1.96 at 8.0 points for n = 128,
    and at 2.0 points for n = 2,000. Models that err alike are told apart a little sooner.
    """
    return 100 * 1.96 * math.sqrt(2 * 0.88 * 0.12 / n_images)


def _duplicates_within(dataset: Dataset) -> Iterable[Finding]:
    for name, split in dataset.splits.items():
        copies = len(split.digests) - len(set(split.digests))
        if copies:
            number = Counter(split.digests)
            exact_copies = plural(copies, "exact copy", "exact copies")
            repeated = [i for i, digest in enumerate(split.digests) if number[digest] > 1]
            same = [i for i in repeated if split.digests[i] == split.digests[repeated[0]]]
            yield Finding(
                severity="warning",
                verdict="duplicates",
                detail=f"{name} holds {exact_copies} of its images, {_pair(split, same)}",
                names=tuple(split.names[i] for i in repeated),
            )
        yield from _contradictions(dataset, name, split)


def _contradictions(dataset: Dataset, name: SplitName, split: Split) -> Iterable[Finding]:
    first: dict[str, int] = {}
    for index, digest in enumerate(split.digests):
        other = first.setdefault(digest, index)
        if split.labels[other] != split.labels[index]:
            classes = [dataset.classes[split.labels[i]] for i in (other, index)]
            yield Finding(
                severity="error",
                verdict="two labels",
                detail=f"{name} holds one image in two classes ({shortlist(classes)}), "
                f"{_pair(split, [other, index])}",
                names=(split.names[other], split.names[index]),
            )
            return


def _duplicates_between(dataset: Dataset) -> Iterable[Finding]:
    for earlier, later in combinations(dataset.splits, 2):
        split = dataset.splits[later]
        known = set(dataset.splits[earlier].digests)
        leaks = [i for i, digest in enumerate(split.digests) if digest in known]
        if leaks:
            yield Finding(
                severity="error",
                verdict="leak",
                detail=f"{len(leaks)} of {len(split)} {later} images are exact copies of "
                f"{earlier} images, for example {shortlist([split.names[leaks[0]]])}",
                names=tuple(split.names[i] for i in leaks),
            )


def _imbalance(dataset: Dataset) -> Iterable[Finding]:
    classes = len(dataset.classes)
    counts = np.bincount(dataset.splits["train"].labels, minlength=classes)
    large, small = int(counts.argmax()), int(counts.argmin())
    if counts[large] > _IMBALANCE * counts[small]:
        yield Finding(
            severity="warning",
            verdict="imbalance",
            detail=f"train is unequal: {shortlist([dataset.classes[large]])} has "
            f"{plural(counts[large], 'image')}, {shortlist([dataset.classes[small]])} has "
            f"{counts[small]}",
        )
    tested = dataset.splits[dataset.headline_split]
    share = np.bincount(tested.labels, minlength=classes) / len(tested)
    if share.max() > 2 / classes:
        yield Finding(
            severity="warning",
            verdict="imbalance",
            detail=f"answering {shortlist([dataset.classes[int(share.argmax())]])} every time is "
            f"right on {share.max():.1%} of {dataset.headline_split}, "
            f"chance would be {1 / classes:.1%}",
        )


def _small_test(dataset: Dataset) -> Iterable[Finding]:
    n_images = len(dataset.splits[dataset.headline_split])
    points = smallest_difference(n_images)
    if points > _FINE_ENOUGH:
        yield Finding(
            severity="warning",
            verdict="small test",
            detail=f"{plural(n_images, f'{dataset.headline_split} image')} cannot separate models "
            f"that are less than about {points:.0f} points apart",
        )


def _pair(split: Split, indices: list[int]) -> str:
    return f"for example {shortlist([split.names[i] for i in indices[:2]])}"
