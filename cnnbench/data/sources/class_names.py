"""Which names of classes look the same to a reader, and are not?"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

__all__: list[str] = []

CASE = "upper and lower case"


def twins(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ only in Unicode form, case, spaces or marks unseen.

    >>> twins(["Apple", "lemon", "apple "])
    [['Apple', 'apple ']]
    """
    groups = defaultdict(list)
    for name in names:
        groups[_as_read(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def difference(first: str, second: str) -> str:
    """Say how two twins differ.

    >>> difference("Apple", "apple"), difference("apple", "apple ")
    ('upper and lower case', 'spaces or marks that are not seen')
    """
    if is_same_text(first, second):
        return "Unicode form (an accent is one sign or two)"
    if _without_unseen(first) == _without_unseen(second):
        return "spaces or marks that are not seen"
    return CASE


def is_same_text(first: str, second: str) -> bool:
    """Return whether two names are the same signs, whether accents are composed or not."""
    return unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second)


def _without_unseen(name: str) -> str:
    """Drop format signs such as a zero-width space; every run of spaces becomes one."""
    text = unicodedata.normalize("NFC", name)
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())


def _as_read(name: str) -> str:
    return unicodedata.normalize("NFC", _without_unseen(name).casefold())
