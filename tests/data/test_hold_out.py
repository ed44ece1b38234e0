"""A hold-out leaves every class something to learn from, also where images have copies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.data import DataError
from cnnbench.data.dataset import Dataset, Split, hold_out


class NoPixels:
    releases_gil = True

    def image(self, index, size):
        raise AssertionError("a hold-out looks at no pixels")


def dataset(contents, labels):
    """Training images of given contents and classes."""
    train = Split(
        names=tuple(f"{index}.png" for index in range(len(contents))),
        labels=np.array(labels, dtype=np.int64),
        source=NoPixels(),
        digests=tuple(contents),
        fingerprint="f",
    )
    classes = tuple(str(label) for label in range(max(labels) + 1))
    return Dataset(
        name="made-up", title="", classes=classes, drawn=False, splits={"train": train}, notices=()
    )


images = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), min_size=1)


def can_spare(made):
    """Whether a content is nowhere the only one of a class."""
    contents_of = {label: {c for c, of in made if of == label} for _, label in made}
    return any({each} not in contents_of.values() for each, _ in made)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(images.filter(can_spare), st.sampled_from([0.1, 0.2, 0.5, 0.9]))
def test_every_class_keeps_an_image_and_no_content_is_on_both_sides(made, share):
    contents, labels = zip(*made, strict=True)
    splits = hold_out(dataset(contents, labels), share).splits
    assert set(splits["train"].labels) == set(labels)
    assert len(splits["val"])
    assert not {*splits["train"].digests} & {*splits["val"].digests}


def test_copies_of_one_image_are_no_hold_out_of_their_class():
    splits = hold_out(dataset("xxabcde", [0, 0, 1, 1, 1, 1, 1]), 0.2).splits
    assert splits["train"].digests[:2] == ("x", "x")
    assert len(splits["val"]) == 1


def test_an_image_in_two_classes_is_held_out_of_neither_if_one_has_no_other():
    splits = hold_out(dataset("axyz", [0, 1, 1, 1]), 0.2).splits
    assert len(splits["val"]) == 1
    splits = hold_out(dataset("aaxyz", [0, 1, 1, 1, 1]), 0.2).splits
    assert "a" in splits["train"].digests
    assert splits["val"].digests == ("x",)


def test_without_copies_each_class_gives_its_share():
    labels = [0] * 10 + [1] * 5 + [2] * 2 + [3]
    splits = hold_out(dataset([f"{n:02}" for n in range(18)], labels), 0.2).splits
    assert splits["val"].labels.tolist() == [0, 0, 1, 2]


def test_a_dataset_that_can_hold_nothing_out_is_refused():
    with pytest.raises(DataError, match="no class has a different image to spare"):
        hold_out(dataset("aab", [0, 0, 1]), 0.2)
