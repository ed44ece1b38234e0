"""How is what was typed read, and what is wrong with it? Texts, numbers, pairs."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cnnbench.base.exits import Exit
from cnnbench.base.words import with_hint

__all__ = ["PlanError", "numbers", "pairs", "plan_errors", "require_known", "split_commas"]

T = TypeVar("T")


class PlanError(ValueError):
    """A command that makes no plan; the message says what was wrong and what to type."""

    exit_code = Exit.USAGE


@contextlib.contextmanager
def plan_errors(where: str = "") -> Iterator[None]:
    """Let what is wrong with a value be wrong with the plan, said with `where` in front."""
    try:
        yield
    except ValueError as error:
        raise PlanError(f"{where}{error}") from None


def pairs(flag: str, given: Mapping[str, Any] | Sequence[str] | None) -> dict[str, str]:
    """Return what was typed as KEY=VALUE, or given as a mapping; PlanError if it is neither.

    >>> pairs("--data", ["seed=1", "url=a=b"]), pairs("--data", {"seed": 1})
    ({'seed': '1', 'url': 'a=b'}, {'seed': '1'})
    """
    given = given or {}
    if not isinstance(given, Mapping):
        for word in given:
            if not word.partition("=")[0] or "=" not in word:
                raise PlanError(f"{flag} {word!r} must be KEY=VALUE, like {flag} seed=1")
        given = dict(word.split("=", 1) for word in given)
    return {key: str(value) for key, value in given.items()}


def require_known(flag: str, given: str, known: Sequence[str]) -> None:
    """Check that a word is one of those known; PlanError with a hint if not."""
    if given not in known:
        hint = with_hint(f"unknown {flag} {given!r}", given, known, f"there is {', '.join(known)}")
        raise PlanError(hint)


def split_commas(given: object) -> list[str]:
    """Split text at its commas; a list or a number of Python is read as if it were typed.

    >>> split_commas("alexnet, vgg"), split_commas([0.1, 0.01]), split_commas(None)
    (['alexnet', 'vgg'], ['0.1', '0.01'], [])
    """
    if given is None:
        return []
    if isinstance(given, Iterable) and not isinstance(given, str):
        given = ",".join(map(str, given))
    return [part.strip() for part in str(given).split(",") if part.strip()]


def numbers(flag: str, given: object, read: Callable[[str], T]) -> list[T]:
    """Return the numbers of text with commas, or of a list; PlanError if one is none."""
    read_numbers = []
    for part in split_commas(given):
        try:
            read_numbers.append(read(part))
        except ValueError:
            raise PlanError(f"{flag} {given!r}: {part!r} is no number") from None
    return read_numbers
