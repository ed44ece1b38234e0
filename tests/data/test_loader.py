"""Is what stands at a position of the stream the same however the stream is cut?"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.data.augment import (
    crop_and_flip,
    crop_at,
    gather_crops,
    inner_square,
    standardise,
)
from cnnbench.data.draws import boxes, hashed
from cnnbench.data.loader import Batches, evaluation_batches, training_sample
from cnnbench.schema.cell import stored_size

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def numbered(count: int, size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return images whose first value is their number, and labels that repeat it."""
    images = np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return images, np.arange(count, dtype=np.int64)


def stream(count: int, *, seed: int = 0, augment: str = "crop-flip", size: int = 6) -> Batches:
    images, labels = numbered(count, size)
    return Batches(images, labels, seed=seed, image_size=4, augment=augment, mean=MEAN, std=STD)


counts = st.integers(1, 40)
seeds = st.integers(0, 2**63)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(count=counts, seed=seeds, epoch=st.integers(0, 50))
def test_every_epoch_is_a_permutation(count: int, seed: int, epoch: int) -> None:
    order = stream(count, seed=seed).indices(epoch * count, count)
    assert sorted(order.tolist()) == list(range(count))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(count=counts, seed=seeds, start=st.integers(0, 200), sizes=st.lists(st.integers(1, 30)))
def test_pixels_do_not_depend_on_how_the_stream_is_cut(count, seed, start, sizes) -> None:
    sizes = [*sizes, 1]
    whole, labels = stream(count, seed=seed).batch(start, sum(sizes))
    cut = stream(count, seed=seed)
    starts = start + np.cumsum([0, *sizes[:-1]])
    parts = [cut.batch(int(at), size) for at, size in zip(starts, sizes, strict=True)]
    assert torch.equal(torch.cat([images for images, _ in parts]), whole)
    assert torch.equal(torch.cat([labels for _, labels in parts]), labels)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(count=counts, jumps=st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 20)), max_size=8))
def test_batches_that_are_cut_ahead_are_the_same(count: int, jumps: list[tuple[int, int]]) -> None:
    images, labels = numbered(count)
    ahead, plain = (
        Batches(
            images,
            labels,
            seed=0,
            image_size=4,
            augment="crop-flip",
            mean=MEAN,
            std=STD,
            prefetch=prefetch,
        )
        for prefetch in (True, False)
    )
    start = 0
    for jump, size in [(0, 5), (0, 5), *jumps, (0, 5)]:  # 0: goes on where the last one ended
        start = max(0, start + jump)
        for got, wanted in zip(ahead.batch(start, size), plain.batch(start, size), strict=True):
            assert torch.equal(got, wanted)
        start += size


def test_a_rank_cuts_its_own_next_batch_ahead() -> None:
    images, labels = numbered(40)
    options = {"seed": 0, "image_size": 4, "augment": "crop-flip", "mean": MEAN, "std": STD}
    second_of_two = Batches(images, labels, prefetch=True, **options)
    for start in (4, 12, 20):
        second_of_two.batch(start, 4)
    assert second_of_two._foreseen is not None
    assert second_of_two._foreseen[0] == (28, 4)


def test_order_differs_by_seed_and_by_epoch() -> None:
    first = stream(40).indices(0, 40).tolist()
    assert stream(40, seed=1).indices(0, 40).tolist() != first
    assert stream(40).indices(40, 40).tolist() != first


def test_order_is_the_same_on_every_machine() -> None:
    assert stream(8, seed=3).indices(0, 8).tolist() == [1, 6, 5, 3, 2, 7, 4, 0]


def test_an_image_is_cut_anew_each_epoch() -> None:
    batches = stream(1, size=40)
    assert not torch.equal(batches.batch(0, 1)[0], batches.batch(1, 1)[0])


def test_without_augmentation_the_centre_is_cut() -> None:
    images, labels = numbered(9)
    batch, order = stream(9, augment="none").batch(0, 9)
    centre = standardise(crop_at(images, 4, top=1, left=1), MEAN, STD)
    assert torch.equal(batch, centre[order])
    assert sorted(order.tolist()) == labels.tolist()


def test_a_batch_is_what_the_network_needs() -> None:
    images, labels = stream(9).batch(3, 5)
    assert images.shape == (5, 3, 4, 4)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64


def test_places_and_flips_are_even() -> None:
    bits = hashed(7, 1, np.arange(40_000, dtype=np.int64))
    shares = np.bincount((bits >> np.uint64(60)).astype(np.int64), minlength=16) / 40_000
    assert np.abs(shares - 1 / 16).max() < 0.005
    assert len(np.unique(bits)) == 40_000


def test_streams_of_choices_are_independent() -> None:
    positions = np.arange(10_000, dtype=np.int64)
    first, second = (hashed(0, which, positions) >> np.uint64(11) for which in (1, 2))
    assert abs(np.corrcoef(first.astype(float), second.astype(float))[0, 1]) < 0.03


def test_crop_and_flip_cut_what_they_say() -> None:
    images, _ = numbered(3)
    cut = crop_and_flip(
        images,
        np.array([2, 0]),
        4,
        top=np.array([0, 2]),
        left=np.array([1, 0]),
        flip=np.array([False, True]),
    )
    first, second = cut.permute(0, 2, 3, 1).numpy()
    assert (first == images[2, 0:4, 1:5]).all()
    assert (second == images[0, 2:6, 0:4][:, ::-1]).all()


def test_standardise_is_the_textbook_formula() -> None:
    images, _ = numbered(4)
    planes = torch.from_numpy(images).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    expected = (planes.float() / 255 - mean) / std
    torch.testing.assert_close(standardise(planes, MEAN, STD), expected, atol=2e-6, rtol=0)


def test_evaluation_sees_every_image_once_in_order() -> None:
    images, labels = numbered(10)
    parts = list(evaluation_batches(images, labels, 4, image_size=4, mean=MEAN, std=STD))
    assert [len(each) for _, each in parts] == [4, 4, 2]
    assert torch.cat([each for _, each in parts]).tolist() == labels.tolist()
    whole = standardise(crop_at(images, 4, top=1, left=1), MEAN, STD)
    assert torch.equal(torch.cat([each for each, _ in parts]), whole)


def test_read_only_maps_are_accepted(tmp_path) -> None:
    images, labels = numbered(5)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    options = {"image_size": 6, "mean": MEAN, "std": STD}
    Batches(mapped, labels, seed=0, augment="crop-flip", **options).batch(0, 5)
    assert len(list(evaluation_batches(mapped, labels, 2, **options))) == 3


@pytest.mark.parametrize("image_size", [0, 7])
def test_an_image_size_that_does_not_fit_is_refused(image_size: int) -> None:
    images, labels = numbered(5)
    with pytest.raises(ValueError, match=f"image_size {image_size} must be in 1..6"):
        Batches(
            images, labels, seed=0, image_size=image_size, augment="crop-flip", mean=MEAN, std=STD
        )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=seeds, count=st.integers(1, 20))
def test_images_that_lie_on_the_device_are_cut_to_the_same_bytes(seed, count) -> None:
    images, _ = numbered(5, size=9)
    rng = np.random.default_rng(seed)
    chosen, top, left = (rng.integers(0, limit, count) for limit in (5, 4, 4))
    places = {"top": top, "left": left, "flip": rng.random(count) < 0.5}
    gathered = gather_crops(torch.from_numpy(images), chosen, 6, **places)
    cut = crop_and_flip(images, chosen, 6, **places)
    assert torch.equal(gathered, cut)
    assert gathered.stride() == cut.stride()


@pytest.mark.gpu
def test_a_gpu_gets_the_batches_of_a_cpu() -> None:
    images, labels = numbered(12)
    options = {"seed": 0, "image_size": 4, "augment": "crop-flip", "mean": MEAN, "std": STD}
    here = Batches(images, labels, **options).batch(3, 8)
    there = Batches(images, labels, **options, device="cuda").batch(3, 8)
    assert torch.allclose(here[0], there[0].cpu(), atol=1e-5)
    assert torch.equal(here[1], there[1].cpu())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(count=st.integers(1, 2000))
def test_the_training_sample_is_of_different_images_in_order(count: int) -> None:
    sample = training_sample(count)
    assert len(sample) == min(256, count)
    assert sorted(set(sample.tolist())) == sample.tolist()
    assert 0 <= sample[0] <= sample[-1] < count


def test_the_training_sample_is_drawn_once_for_all() -> None:
    assert training_sample(1178)[:5].tolist() == training_sample(1178)[:5].tolist()
    quarters = np.bincount(training_sample(100_000) // 25_000, minlength=4)
    assert quarters.min() > 40  # of 256: it takes from everywhere, though a folder has its order


@pytest.mark.parametrize("least_area", [0.08, 0.35, 1.0])
def test_a_part_of_an_image_has_at_least_the_area_that_is_asked_for(least_area: float) -> None:
    _, _, height, width = boxes(0, np.arange(2000), 100, least_area=least_area).T
    areas = height * width / 100**2
    assert areas.min() >= least_area - 0.02
    assert areas.min() <= least_area + 0.05
    assert areas.max() > 0.95


@settings(max_examples=30, deadline=None, derandomize=True)
@given(image_size=st.integers(8, 300), detail=st.sampled_from([256 / 224, 1.7]))
def test_images_are_tested_on_the_same_part_however_large_they_are_stored(image_size, detail):
    stored = stored_size(image_size, detail)
    top, left, height, width = inner_square(stored)
    assert height == width
    assert height / stored == pytest.approx(224 / 256, abs=0.5 / stored)
    assert abs((stored - height) - 2 * top) <= 1
    assert left == top
    if detail < 1.2:
        assert height == image_size  # nothing is resized
    elif image_size <= 150:
        assert stored == round(1.7 * image_size)


def test_an_image_that_is_stored_larger_is_tested_as_its_central_square_resized() -> None:
    ramp = np.broadcast_to(np.arange(109, dtype=np.uint8)[None, :, None], (109, 109, 3))
    images = np.stack([ramp, ramp])
    raw = {"mean": (0, 0, 0), "std": (1 / 255,) * 3}
    ((batch, _),) = evaluation_batches(images, np.array([0, 1]), 2, image_size=64, **raw)
    assert batch.shape == (2, 3, 64, 64)
    across = batch[0, 0, 0].numpy()
    assert across[0] == pytest.approx(7.2, abs=1)  # the first of 95 columns from the 7th on
    assert across[-1] == pytest.approx(101, abs=1)
    assert np.all(np.diff(across) >= 1)


def test_parts_that_are_cut_by_several_threads_are_the_same() -> None:
    images, labels = numbered(40, 16)
    options = {"seed": 3, "image_size": 8, "augment": "area-aspect", "mean": MEAN, "std": STD}
    alone = Batches(images, labels, prefetch=False, **options).batch(0, 40)
    together = Batches(images, labels, prefetch=True, **options).batch(0, 40)
    assert torch.equal(alone[0], together[0])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(count=st.integers(2, 50), ease=st.floats(0, 20), epoch=st.floats(0, 40))
def test_parts_are_eased_in_over_the_first_epochs(count: int, ease: float, epoch: float) -> None:
    images, labels = numbered(count)
    options = {"augment": "area-aspect", "least_area": 0.25, "ease_epochs": ease}
    eased = Batches(images, labels, seed=0, image_size=4, mean=MEAN, std=STD, **options)
    first, here, later = eased._least_areas(np.array([0, int(epoch * count), 100 * count])).tolist()
    assert first == (0.9 if ease else 0.25)
    assert 0.25 <= here <= first
    assert later == 0.25
    if ease:
        gone = int(epoch * count) / count / ease
        assert here == pytest.approx(max(0.25, 0.9 - 0.65 * gone))
