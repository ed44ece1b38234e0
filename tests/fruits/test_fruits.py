"""Is the drawn fruit set a pure function, balanced, and free of telltale nuisances?"""

import dataclasses
import tomllib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench import fruits
from cnnbench.fruits import species
from cnnbench.fruits.render import shapes, trace
from cnnbench.fruits.render.noise import stream

SMALL = fruits.FruitOptions(size=48, train=24, val=12, test=24)


def digest(index: int, options: fruits.FruitOptions = SMALL) -> bytes:
    return fruits.draw(options, "train", index).tobytes()


def test_an_image_has_the_size_asked_for_and_three_colours() -> None:
    image = fruits.draw(fruits.FruitOptions(size=72), "test", 3)
    assert image.shape == (72, 72, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("label", range(12), ids=fruits.CLASSES)
def test_the_same_image_twice_has_the_same_bytes(label: int) -> None:
    index = next(k for k in range(12) if fruits.label_of(SMALL, "train", k) == label)
    assert digest(index) == digest(index)


def test_bytes_do_not_depend_on_order_or_process() -> None:
    here = [digest(index) for index in (5, 0, 3)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = list(pool.map(digest, (0, 3, 5)))
    assert here == [there[2], there[0], there[1]]


def test_more_images_of_a_split_leave_the_others_as_they_are() -> None:
    longer = dataclasses.replace(SMALL, train=600, test=2000)
    assert digest(7) == digest(7, longer)


def test_splits_and_seeds_never_share_an_image() -> None:
    other = dataclasses.replace(SMALL, seed=1)
    pictures = {fruits.draw(SMALL, split, 1).tobytes() for split in fruits.SPLITS}
    pictures.add(fruits.draw(other, "train", 1).tobytes())
    assert len(pictures) == 4


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    count=st.integers(12, 2000), seed=st.integers(0, 2**40), split=st.sampled_from(fruits.SPLITS)
)
def test_any_number_of_images_is_balanced_to_one_a_class(count: int, seed: int, split: str) -> None:
    options = fruits.FruitOptions(seed=seed)
    start = count - count % 12
    tail = Counter(fruits.label_of(options, split, k) for k in range(start, count))
    whole = Counter(fruits.label_of(options, split, k) for k in range(start - 12, start))
    assert set(whole) == set(range(12))
    assert all(times == 1 for times in tail.values())


def test_classes_do_not_come_in_the_same_order_again_and_again() -> None:
    orders = {
        tuple(fruits.label_of(SMALL, "train", 12 * block + k) for k in range(12))
        for block in range(20)
    }
    assert len(orders) == 20


@pytest.mark.parametrize(
    ("name", "value"),
    [("train", 0), ("train", 11), ("test", -1), ("size", 31), ("size", 4096), ("seed", -1)],
)
def test_a_number_that_makes_no_set_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        fruits.FruitOptions(**{name: value})


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        fruits.draw(SMALL, "dev", 0)


def test_an_image_past_the_end_is_refused() -> None:
    with pytest.raises(IndexError, match="test has 24 images"):
        fruits.draw(SMALL, "test", 24)


@pytest.mark.parametrize("label", range(12), ids=fruits.CLASSES)
def test_a_fruit_has_a_body_and_a_shadow(label: int) -> None:
    fruit = species.make(label, 0.5, stream(label))
    assert fruit.bodies
    assert len(fruit.balls)


def test_a_ray_finds_the_front_of_a_ball() -> None:
    ball = shapes.measured(shapes.Revolved(polynomial=(1.0,)))
    placed = trace.Placed(centre=(0.0, 0.0, 0.0), linear=np.eye(3) * 0.3)
    hits = trace.meet(ball, placed, 64, None)
    assert hits is not None
    x, y, z = hits.position
    sure = hits.alpha == 1.0
    np.testing.assert_allclose(np.sqrt(x * x + y * y + z * z)[sure], 0.3, atol=2e-3)
    assert (z[sure] > 0).all()
    np.testing.assert_allclose(hits.normal[:, sure], hits.position[:, sure] / 0.3, atol=0.02)


def test_the_pixels_of_a_ball_cover_its_area() -> None:
    ball = shapes.measured(shapes.Revolved(polynomial=(1.0,)))
    placed = trace.Placed(centre=(0.02, 0.01, 0.0), linear=np.eye(3) * 0.3)
    hits = trace.meet(ball, placed, 128, None)
    assert hits is not None
    assert float(hits.alpha.sum()) / 128**2 == pytest.approx(np.pi * 0.09, rel=0.01)


def test_the_card_says_what_the_code_does() -> None:
    card = tomllib.loads(
        (Path(__file__).resolve().parents[2] / "datasets" / "fruits.toml").read_text("utf-8")
    )
    options = fruits.FruitOptions()
    assert tuple(card["classes"]) == fruits.CLASSES
    assert f"version {fruits.VERSION}," in card["citation"]
    assert {name: row["default"] for name, row in card["options"].items()} == dataclasses.asdict(
        options
    )
    assert card["splits"] == {"train": options.train, "test": options.test}


def test_a_change_of_the_drawing_raises_its_version() -> None:
    # Means of nine fields, so that the last bits of another processor do not matter.
    picture = fruits.draw(fruits.FruitOptions(size=48), "train", 1)
    fields = picture.reshape(3, 16, 3, 16, 3).mean(axis=(1, 3)).reshape(9, 3)
    version_2 = [
        [150, 136, 126],
        [154, 126, 93],
        [149, 125, 100],
        [144, 131, 122],
        [171, 130, 79],
        [143, 109, 70],
        [142, 128, 119],
        [143, 130, 121],
        [122, 103, 95],
    ]
    np.testing.assert_allclose(fields, version_2, atol=2.0)
    assert fruits.VERSION == 2
