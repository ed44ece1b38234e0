"""Which fruit are there?"""

from __future__ import annotations

from collections.abc import Callable

from cnnbench.data.fruits.berries import cherry, grape, strawberry
from cnnbench.data.fruits.citrus import lemon, orange
from cnnbench.data.fruits.growth import Rng
from cnnbench.data.fruits.opened import kiwi, watermelon
from cnnbench.data.fruits.pomes import apple, pear
from cnnbench.data.fruits.solids import Fruit
from cnnbench.data.fruits.tropical import banana, mango, pineapple

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
