"""Which fruit are there?"""

from __future__ import annotations

from collections.abc import Callable

from cnnbench.fruits.render.solids import Fruit
from cnnbench.fruits.species.berries import cherry, grape, strawberry
from cnnbench.fruits.species.growth import Rng
from cnnbench.fruits.species.opened import kiwi, watermelon
from cnnbench.fruits.species.tree_fruit import apple, lemon, orange, pear
from cnnbench.fruits.species.tropical import banana, mango, pineapple

_MAKERS: dict[str, Callable[[float, Rng], Fruit]] = {
    "apple": apple,
    "banana": banana,
    "cherry": cherry,
    "grape": grape,
    "kiwi": kiwi,
    "lemon": lemon,
    "mango": mango,
    "orange": orange,
    "pear": pear,
    "pineapple": pineapple,
    "strawberry": strawberry,
    "watermelon": watermelon,
}
CLASSES: tuple[str, ...] = tuple(_MAKERS)


def make(label: int, choice: float, rng: Rng) -> Fruit:
    """Return one individual of class `label`; `choice` in [0, 1) says which variety it is."""
    return _MAKERS[CLASSES[label]](choice, rng)
