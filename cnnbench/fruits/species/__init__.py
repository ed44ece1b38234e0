"""Which fruit are there, and how is an individual of each made?"""

from collections.abc import Callable

from cnnbench.fruits.render.noise import Rng
from cnnbench.fruits.render.solids import Fruit
from cnnbench.fruits.species.berries import cherry, grape, strawberry
from cnnbench.fruits.species.opened import kiwi, watermelon
from cnnbench.fruits.species.tree_fruit import apple, lemon, orange, pear
from cnnbench.fruits.species.tropical import banana, mango, pineapple

__all__ = ["CLASSES", "make"]

# The order is that of the labels.
_MAKERS: tuple[Callable[[float, Rng], Fruit], ...] = (
    *(apple, banana, cherry, grape, kiwi, lemon),
    *(mango, orange, pear, pineapple, strawberry, watermelon),
)
CLASSES: tuple[str, ...] = tuple(maker.__name__ for maker in _MAKERS)


def make(label: int, choice: float, rng: Rng) -> Fruit:
    """Return an individual of class `label`; `choice` in [0, 1) says which variety it is."""
    return _MAKERS[label](choice, rng)
