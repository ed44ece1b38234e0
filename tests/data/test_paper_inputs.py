"""What the papers do to an image: mean images, colour jitter, patches of any shape, ten crops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.data.augment import colour_directions, mean_image, standardise
from cnnbench.data.draws import boxes
from cnnbench.data.loader import Batches, evaluation_batches

RAW = (1 / 255, 1 / 255, 1 / 255)


def photos(count: int, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return images, np.arange(count, dtype=np.int64)


def stream(augment: str, *, seed: int = 0, count: int = 12, **options) -> Batches:
    images, labels = photos(count)
    return Batches(
        images,
        labels,
        seed=seed,
        image_size=4,
        augment=augment,
        mean=(0.0, 0.0, 0.0),
        std=RAW,
        **options,
    )


def test_raw_pixels_minus_the_mean_image_average_to_zero() -> None:
    images, _ = photos(20)
    centre = torch.from_numpy(images[:, 2:6, 2:6].copy()).permute(0, 3, 1, 2)
    inputs = standardise(centre, mean_image(images, 4), RAW)
    assert inputs.abs().max() > 50
    torch.testing.assert_close(inputs.mean(dim=0), torch.zeros(3, 4, 4), atol=1e-3, rtol=0)


def test_the_mean_image_is_that_of_the_central_squares() -> None:
    images, _ = photos(9)
    expected = images[:, 2:6, 2:6].mean(axis=0) / 255
    np.testing.assert_allclose(mean_image(images, 4), expected, rtol=1e-6)


def test_colour_directions_hold_the_covariance_of_the_pixels() -> None:
    images, _ = photos(30)
    directions = colour_directions(images) * 255
    covariance = np.cov(images.reshape(-1, 3).T.astype(float), bias=True)
    np.testing.assert_allclose(directions @ directions.T, covariance, rtol=1e-3, atol=1)


def test_jitter_adds_one_colour_to_a_whole_image() -> None:
    colours = np.diag([40.0, 20.0, 10.0]) / 255
    plain, _ = stream("crop-flip").batch(0, 12)
    tinted, _ = stream("crop-flip-jitter", colours=colours).batch(0, 12)
    added = tinted - plain
    torch.testing.assert_close(added.amax((2, 3)), added.amin((2, 3)), atol=1e-3, rtol=0)
    assert added.abs().amax((1, 2, 3)).min() > 0


def test_jitter_has_a_tenth_of_a_deviation_along_each_component() -> None:
    colours = np.diag([100.0, 50.0, 20.0]) / 255
    tint = stream("crop-flip-jitter", colours=colours)._tint(np.arange(20_000))
    np.testing.assert_allclose(tint.std(axis=0) * 255, [10, 5, 2], rtol=0.03)
    np.testing.assert_allclose(tint.mean(axis=0), 0, atol=1e-3)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**40), side=st.integers(16, 300))
def test_patches_lie_inside_the_image_and_keep_area_and_aspect(seed: int, side: int) -> None:
    top, left, height, width = boxes(seed, np.arange(200), side, least_area=0.08).T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= side).all()
    assert (left + width <= side).all()
    rounding = 2 * side / side**2 + 1 / side**2
    assert ((height * width) / side**2 >= 0.08 - rounding).all()
    slack = 1 + 2 / np.minimum(height, width)
    assert (np.maximum(height / width, width / height) <= 4 / 3 * slack).all()


def test_patches_are_spread_evenly_over_their_areas() -> None:
    *_, height, width = boxes(1, np.arange(20_000), 256, least_area=0.08).T
    share = height * width / 256**2
    assert abs(np.quantile(share, 0.1) - 0.16) < 0.02  # large narrow patches do not fit as often


@pytest.mark.parametrize("augment", ["crop-flip-jitter", "area-aspect"])
def test_pixels_do_not_depend_on_how_the_stream_is_cut(augment: str) -> None:
    options = {"colours": np.eye(3)}
    whole, _ = stream(augment, **options).batch(3, 9)
    parts = [stream(augment, **options).batch(start, 3)[0] for start in (3, 6, 9)]
    assert torch.equal(torch.cat(parts), whole)


def test_the_ten_crops_are_corners_centre_and_their_mirrors() -> None:
    images, labels = photos(3)
    views = [
        next(
            iter(
                evaluation_batches(
                    images, labels, 3, image_size=6, mean=(0, 0, 0), std=RAW, view=view
                )
            )
        )[0]
        for view in range(10)
    ]
    for view, (top, left) in enumerate([(1, 1), (0, 0), (0, 2), (2, 0), (2, 2)]):
        cut = images[:, top : top + 6, left : left + 6].transpose(0, 3, 1, 2).astype(np.float32)
        np.testing.assert_allclose(views[view].numpy(), cut, atol=1e-3)
        torch.testing.assert_close(views[view + 5], views[view].flip(3))
