"""Does a nuisance ever tell the class, and is it known without drawing?"""

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import numpy as np
import pytest
from scipy import stats

from cnnbench import fruits
from cnnbench.fruits.nuisances import Nuisances
from cnnbench.fruits.render.noise import stream
from cnnbench.fruits.scene import layouts as scenes

OPTIONS = fruits.FruitOptions(train=2400, test=96)
_DOUBT = 1e-3  # a p-value below is no chance; some twenty are tested, at one fixed seed


@cache
def many_scenes() -> tuple[tuple[int, scenes.Scene], ...]:
    return tuple(
        (fruits.label_of(OPTIONS, "train", k), scenes.sample(stream(0, 0, k, 1)))
        for k in range(OPTIONS.train)
    )


@cache
def some_nuisances() -> tuple[Nuisances, ...]:
    return tuple(fruits.nuisances(OPTIONS, "test", k) for k in range(OPTIONS.test))


def test_what_is_known_of_an_image_fits_into_json() -> None:
    known = fruits.nuisances(OPTIONS, "test", 0)
    row = json.loads(json.dumps(dataclasses.asdict(known)))
    assert row["label"] == fruits.label_of(OPTIONS, "test", 0)
    assert 0.0 <= row["occluded"] <= 1.0
    assert row["hero_pixels"] > 0


def test_nuisances_are_the_same_in_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(fruits.nuisances, OPTIONS, "test", 5).result()
    assert there == fruits.nuisances(OPTIONS, "test", 5)


def test_lengths_follow_the_size_and_shares_do_not() -> None:
    half = dataclasses.replace(OPTIONS, size=128)
    large, small = (fruits.nuisances(each, "test", 9) for each in (OPTIONS, half))
    assert small.hero_pixels == pytest.approx(large.hero_pixels / 2, abs=0.1)
    assert small.blur_pixels == pytest.approx(large.blur_pixels / 2, abs=0.01)
    assert small.occluded == large.occluded


def test_a_single_fruit_in_the_middle_is_seen_whole() -> None:
    alone = [
        known
        for known in some_nuisances()
        if known.scene == "single" and known.intruder < 0 and known.hero_pixels < 130
    ]
    assert len(alone) > 4
    assert np.median([known.occluded for known in alone]) < 0.02


def test_fruit_in_a_bowl_hide_one_another() -> None:
    dish = [known.occluded for known in some_nuisances() if known.scene in ("dish", "crate")]
    assert max(dish) > 0.15


def test_an_image_past_the_end_has_no_nuisances() -> None:
    with pytest.raises(IndexError, match="test has 96 images"):
        fruits.nuisances(OPTIONS, "test", 96)


def test_a_scene_is_chosen_without_knowing_the_class() -> None:
    scene = scenes.sample(stream(0, 0, 5, 1))
    assert scene == scenes.sample(stream(0, 0, 5, 1))
    assert "label" not in {field.name for field in dataclasses.fields(scene)}


@pytest.mark.parametrize("name", ["layout", "container", "ground", "backdrop", "light"])
def test_no_kind_of_scene_is_commoner_for_a_class(name: str) -> None:
    labels = np.array([label for label, _ in many_scenes()])
    kinds = [getattr(scene, name) for _, scene in many_scenes()]
    counts = np.array(
        [np.bincount(labels[np.array(kinds) == kind], minlength=12) for kind in sorted(set(kinds))]
    )
    assert stats.chi2_contingency(counts).pvalue > _DOUBT


_MEASURES: dict[str, Callable[[scenes.Scene], float]] = {
    "camera elevation": lambda scene: scene.elevation,
    "lamp azimuth": lambda scene: scene.lamp_azimuth,
    "lamp elevation": lambda scene: scene.lamp_elevation,
    "warmth": lambda scene: scene.warmth,
    "contrast": lambda scene: scene.contrast,
    "softness": lambda scene: scene.softness,
    "places": lambda scene: len(scene.places),
    "diameter": lambda scene: scene.places[0].diameter,
    "x": lambda scene: scene.middle[0],
    "y": lambda scene: scene.middle[1],
    "exposure": lambda scene: scene.camera.exposure,
    "white balance": lambda scene: scene.camera.gains[0],
    "saturation": lambda scene: scene.camera.saturation,
    "blur": lambda scene: scene.camera.blur,
    "motion": lambda scene: float(np.hypot(*scene.camera.motion)),
    "noise": lambda scene: scene.camera.noise,
    "jpeg quality": lambda scene: scene.camera.jpeg_quality,
}


@pytest.mark.parametrize("name", _MEASURES)
def test_no_measure_of_the_scene_differs_between_classes(name: str) -> None:
    groups: list[list[float]] = [[] for _ in range(12)]
    for label, scene in many_scenes():
        groups[label].append(_MEASURES[name](scene))
    assert stats.kruskal(*groups).pvalue > _DOUBT


def test_slices_are_masks_over_the_images_they_name() -> None:
    rows = some_nuisances()
    groups = fruits.slices(fruits.columns_of(rows))
    assert all(mask.shape == (len(rows),) for mask in groups.values())
    assert groups["one fruit"].tolist() == [row.fruits == 1 for row in rows]
    shared = groups["hardly hidden (under 2 %)"] & groups["partly hidden (over 10 %)"]
    assert not shared.any()
    lights = [mask for name, mask in groups.items() if name.startswith("light: ")]
    assert (np.sum(lights, axis=0) == 1).all()


def test_slices_do_not_depend_on_the_size_that_is_drawn() -> None:
    small = dataclasses.replace(OPTIONS, size=64)
    rows = [fruits.nuisances(small, "test", k) for k in range(24)]
    here = fruits.slices(fruits.columns_of(rows))["fruit wider than half of the picture"]
    there = fruits.slices(fruits.columns_of(some_nuisances()[:24]))
    assert (here == there["fruit wider than half of the picture"]).all()


def by_class(name: str) -> list[list[float]]:
    groups: list[list[float]] = [[] for _ in range(12)]
    for known in some_nuisances():
        groups[known.label].append(getattr(known, name))
    return groups


@pytest.mark.parametrize("name", ["hero_pixels", "fruits"])
def test_no_measure_of_the_hero_tells_the_class(name: str) -> None:
    assert stats.kruskal(*by_class(name)).pvalue > _DOUBT


def test_what_is_hidden_says_little_of_the_class() -> None:
    # Not nothing: long fruit reach under others and over the picture's edge more often.
    share_explained = stats.kruskal(*by_class("occluded")).statistic / (OPTIONS.test - 1)
    assert share_explained < 0.2
