"""How many images of the drawn fruit set does this machine draw a second?

Draws the same images in one process and with a process a core, and measures their nuisances in
one process. To be run on a machine that does nothing else; the best of the rounds is printed.

    python benchmarks/fruits_speed.py --size 256 --count 240 --rounds 3
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from cnnbench import fruits
from cnnbench.base.processes import usable_cores


def _draw(options: fruits.FruitOptions, index: int) -> int:
    return int(fruits.draw(options, "train", index)[0, 0, 0])  # not the pixels: they cost a copy


def rate(work: Callable[[Iterable[int]], Any], count: int, rounds: int) -> float:
    """Return the images a second of `work` on `count` images, the best of `rounds`."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work(range(count))
        seconds.append(time.perf_counter() - start)
    return count / min(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    options = fruits.FruitOptions(size=given.size, train=max(12, given.count))
    draw = partial(_draw, options)
    know = partial(fruits.nuisances, options, "train")
    cores = usable_cores()
    print(f"drawing version {fruits.VERSION}, {given.size} px, n = {given.count}, numpy", end=" ")
    print(f"{np.__version__}, load before: {os.getloadavg()[0]:.1f}")
    once = rate(lambda k: [draw(i) for i in k], given.count, given.rounds)
    print(f"one process: {once:.1f} images/s")
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(draw, range(cores * 4)))  # the workers start and fill their tables of noise
        many = rate(lambda k: list(pool.map(draw, k, chunksize=8)), given.count, given.rounds)
    print(f"{cores} processes: {many:.1f} images/s")
    known = rate(lambda k: [know(i) for i in k], given.count, given.rounds)
    print(f"nuisances, one process: {known:.1f} images/s")


if __name__ == "__main__":
    main()
