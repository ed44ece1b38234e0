"""How is a function of one object called with what makes that object?"""

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar, get_type_hints

__all__ = ["called_like"]

P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R")


def called_like(make: Callable[P, A]) -> Callable[[Callable[[A], R]], Callable[P, R]]:
    """Let a function of one object be called with the arguments that make that object."""

    def decorate(function: Callable[[A], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(make(*args, **kwargs))

        hints, given = get_type_hints(make), inspect.signature(make).parameters.values()
        call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(annotation=hints[each.name]) for each in given],
            return_annotation=get_type_hints(function)["return"],
        )
        return call

    return decorate
