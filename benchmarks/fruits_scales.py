"""How large must each class be drawn for its outline to be as large as the others'?

Prints the line `_SCALES` of cnnbench/fruits/scene/__init__.py: for each class the factor that
makes the geometric mean of its outline's area, over individuals and poses, that of a disc of
diameter two. To be run again when a shape or a pose changes.

    python benchmarks/fruits_scales.py --count 120
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from cnnbench import fruits
from cnnbench.fruits.nuisances import outline_areas
from cnnbench.fruits.render.noise import stream
from cnnbench.fruits.render.trace import Placed
from cnnbench.fruits.scene import pose
from cnnbench.fruits.scene.layouts import sample
from cnnbench.fruits.species import make

_UNIT = 0.2  # of the space of a fruit, in picture widths


def scale_of(label: int, count: int) -> float:
    """Return the factor for class `label`, from `count` individuals in poses of their own."""
    total = 0.0
    for k in range(count):
        rng = stream(7, label, k)
        fruit = make(label, float(rng.random()), rng)
        turn = pose(fruit, sample(stream(7, 99, k)), rng)
        whole, _ = outline_areas(fruit, Placed(centre=(0.0, 0.0, 0.0), linear=turn * _UNIT))
        total += math.log(2.0 * math.sqrt(whole / math.pi) / (2.0 * _UNIT))
    return math.exp(-total / count)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=120)
    count = parser.parse_args().count
    scales = [scale_of(label, count) for label in range(len(fruits.CLASSES))]
    print("_SCALES =", tuple(float(np.round(scale, 3)) for scale in scales))


if __name__ == "__main__":
    main()
