"""What goes wrong because of the user's data, told in clear lines?"""

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """Say what is wrong with the data, what was seen and what to do; shown without a traceback."""


class FetchError(OSError):
    """A download that failed, or whose content is not what it must be; the message says which."""


def hint(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'NAME'?` for the nearest known word, or nothing when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def listed(names: Iterable[str], *, at_most: int = 10) -> str:
    """Join names for a message: the first few, then how many more; hostile ones are escaped."""
    every = list(names)
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in every[:at_most])
    return shown if len(every) <= at_most else f"{shown} and {len(every) - at_most} more"
