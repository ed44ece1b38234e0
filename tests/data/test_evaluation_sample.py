"""A curve is tested on images that stand for their whole split, the same for every network."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.data.loader import evaluation_sample


@settings(max_examples=100, deadline=None, derandomize=True)
@given(labels=st.lists(st.integers(0, 8), min_size=1, max_size=300), n_images=st.integers(1, 320))
def test_the_sample_has_each_class_to_its_share(labels: list[int], n_images: int) -> None:
    sample = evaluation_sample(np.array(labels, dtype=np.int64), n_images)
    assert len(sample) == min(n_images, len(labels))
    assert sorted(set(sample.tolist())) == sample.tolist()
    assert 0 <= sample[0] <= sample[-1] < len(labels)
    share = len(sample) / len(labels)
    for label in set(labels):
        taken = sum(labels[place] == label for place in sample)
        assert abs(taken - share * labels.count(label)) < 1


def test_the_sample_is_drawn_at_random_within_a_class() -> None:
    alternating = evaluation_sample(np.arange(100_000, dtype=np.int64) % 2, 1000)
    quarters = np.bincount(alternating // 25_000, minlength=4)
    assert quarters.min() > 200
    in_blocks = evaluation_sample(np.arange(100_000, dtype=np.int64) // 50_000, 1000)
    assert len(set(np.diff(in_blocks).tolist())) > 50
