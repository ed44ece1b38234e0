"""Do the intervals cover what they promise, and how often is a false winner declared?

Networks are drawn whose true accuracy is known: an answer is right where the sum of an accuracy, an
image's ease, the network's own liking for the image, the seed's luck and plain luck is above zero.
Answers of different networks and seeds are thus correlated as those of real ones are. Run it with

    python benchmarks/statistics_simulation.py --draws 2000

and it prints a table of coverages, one of false winners among four equal networks, and one of two
runs of the same network that hardly differ. The suite checks the same functions with fewer draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from scipy.special import ndtr, ndtri

from cnnbench.report.stats.differences import decide, difference_of
from cnnbench.report.stats.intervals import (
    CorrectMask,
    bootstrap_both,
    over_both,
    over_images,
    over_seeds,
)

SEED_SPREADS = (0.0, 0.05, 0.15, 0.4)  # deviations of the seed's luck, in units of plain luck
TEST_SIZES = (50, 128, 500, 1117)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """How strongly image, network and seed move an answer, in units of plain luck."""

    seed: float
    image: float = 1.0
    own: float = 0.5


def draw_answers(
    rng: np.random.Generator,
    world: World,
    *,
    networks: int,
    seeds: int,
    images: int,
    accuracy: float,
) -> list[CorrectMask]:
    """Return `(seeds, images)` answers of equal networks whose true accuracy is given."""
    scale = np.sqrt(1 + world.seed**2 + world.image**2 + world.own**2)
    ease = ndtri(accuracy) * scale + rng.normal(0, world.image, images)
    return [
        ease
        + rng.normal(0, world.own, images)
        + rng.normal(0, world.seed, (seeds, 1))
        + rng.normal(0, 1, (seeds, images))
        > 0
        for _ in range(networks)
    ]


def settings(rng: np.random.Generator, draws: int) -> Iterator[tuple[int, float]]:
    """Yield so many test sizes and true accuracies."""
    for _ in range(draws):
        yield int(rng.choice(TEST_SIZES)), float(rng.uniform(0.3, 0.97))


def coverage(
    rng: np.random.Generator, world: World, *, seeds: int, draws: int, bootstrap: bool = False
) -> dict[str, float]:
    """Return how often each interval holds the accuracy of the training, over seeds and images.

    The bootstrap takes most of the time, so it is left out unless it is asked for.
    """
    covered: dict[str, list[bool]] = {}
    for images, accuracy in settings(rng, draws):
        (is_correct,) = draw_answers(
            rng, world, networks=1, seeds=seeds, images=images, accuracy=accuracy
        )
        intervals = {"both": over_both(is_correct), "images": over_images(is_correct)}
        if seeds > 1:
            intervals["seeds"] = over_seeds(is_correct) or (0.0, 1.0)
        if seeds > 1 and bootstrap:
            intervals["bootstrap"] = bootstrap_both(is_correct, seed=0)
        for name, (low, high) in intervals.items():
            covered.setdefault(name, []).append(low <= accuracy <= high)
    return {name: float(np.mean(values)) for name, values in covered.items()}


def false_winners(
    rng: np.random.Generator, world: World, *, seeds: int, draws: int
) -> tuple[float, float]:
    """Return how often any of four equal networks is called better than another.

    The first share is of the test that decides; the second of the test that asks only about the
    networks that were trained, which may truly differ.
    """
    decided, networks = 0, 0
    for images, accuracy in settings(rng, draws):
        four = draw_answers(rng, world, networks=4, seeds=seeds, images=images, accuracy=accuracy)
        decisions = decide([difference_of(a, b) for a, b in combinations(four, 2)])
        decided += any(decision.separated for decision in decisions)
        networks += any(decision.networks_differ for decision in decisions)
    return decided / draws, networks / draws


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondRun:
    """How run B of the same network and seeds is unlike run A.

    A share of the answers has other plain luck, and every answer is easier by `gain`.
    """

    name: str
    other_luck: float
    gain: float = 0.0


SECOND_RUNS = (
    SecondRun(name="equal answers", other_luck=0.0),
    SecondRun(name="1 % drawn anew", other_luck=0.01),
    SecondRun(name="a little better", other_luck=0.01, gain=0.03),
    SecondRun(name="all drawn anew", other_luck=1.0),
)


def draw_two_runs(
    rng: np.random.Generator,
    world: World,
    second: SecondRun,
    *,
    seeds: int,
    images: int,
    accuracy: float,
) -> tuple[CorrectMask, CorrectMask, float]:
    """Return the `(seeds, images)` answers of both runs and B's true accuracy minus A's."""
    scale = np.sqrt(1 + world.seed**2 + world.image**2 + world.own**2)
    ease = rng.normal(0, np.hypot(world.image, world.own), images)
    score = ndtri(accuracy) * scale + ease + rng.normal(0, world.seed, (seeds, 1))
    luck, other_luck = rng.normal(0, 1, (2, seeds, images))
    is_other = rng.random((seeds, images)) < second.other_luck
    b = score + second.gain + np.where(is_other, other_luck, luck) > 0
    difference = float(ndtr(ndtri(accuracy) + second.gain / scale) - accuracy)
    return score + luck > 0, b, difference


def two_runs(
    rng: np.random.Generator, world: World, second: SecondRun, *, seeds: int, draws: int
) -> dict[str, float]:
    """Return how often the interval holds the true difference, and half its width in points.

    `separated` is how often one run is called better, `contradictions` how often the interval and
    that decision disagree about zero.
    """
    covered, separated, contradictions, halves = 0, 0, 0, []
    for images, accuracy in settings(rng, draws):
        a, b, true = draw_two_runs(
            rng, world, second, seeds=seeds, images=images, accuracy=accuracy
        )
        (decision,) = decide([difference_of(b, a)])
        low, high = decision.interval
        covered += low <= true <= high
        separated += decision.separated
        contradictions += decision.separated == (low <= 0 <= high)
        halves.append(50 * (high - low))
    return {
        "coverage": covered / draws,
        "separated": separated / draws,
        "contradictions": contradictions / draws,
        "half_width": float(np.median(halves)),
        "widest": max(halves),
    }


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--bootstrap", action="store_true", help="the slow interval too")
    args = parser.parse_args()
    draws, bootstrap = args.draws, args.bootstrap
    rng = np.random.default_rng(0)
    print(f"{draws} draws a line; accuracies 30 to 97 %, {TEST_SIZES} test images\n")
    print("seed spread  seeds  coverage of the training's accuracy by each interval")
    for spread in SEED_SPREADS:
        for seeds in (1, 3, 5):
            covered = coverage(
                rng, World(seed=spread), seeds=seeds, draws=draws, bootstrap=bootstrap
            )
            shown = "  ".join(f"{name} {100 * share:.1f} %" for name, share in covered.items())
            print(f"{spread:11g}  {seeds:5}  {shown}", flush=True)
    print("\nseed spread  seeds  false winner among four  (of the trained networks only)")
    for spread in SEED_SPREADS:
        for seeds in (1, 3, 5):
            decided, networks = false_winners(rng, World(seed=spread), seeds=seeds, draws=draws)
            shown = f"{100 * decided:.1f} %  ({100 * networks:.1f} %)"
            print(f"{spread:11g}  {seeds:5}  {shown}", flush=True)
    print("\nseed spread  seeds  B against A: covered, separated, half-width in points (widest)")
    for second, spread, seeds in product(SECOND_RUNS, SEED_SPREADS, (1, 3, 5)):
        found = two_runs(rng, World(seed=spread), second, seeds=seeds, draws=draws)
        shares = [f"{100 * found[key]:.1f} %" for key in ("coverage", "separated")]
        width = f"{found['half_width']:.1f} ({found['widest']:.1f})"
        against = f"contradictions {100 * found['contradictions']:.1f} %"
        line = "  ".join([second.name, *shares, width, against])
        print(f"{spread:11g}  {seeds:5}  {line}", flush=True)


if __name__ == "__main__":
    main()
