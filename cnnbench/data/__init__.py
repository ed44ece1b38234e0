"""The data room: from a name or a folder to checked, decoded and batched images.

Only `augment` and `loader` import torch, so that listing and checking data stays quick. This file
holds what every part of the room needs: its errors, and how names are listed in them.
"""

from collections.abc import Callable, Iterable

from cnnbench.base.exits import Exit

__all__ = ["DataError", "FetchError", "Progress", "shortlist"]

Progress = Callable[[int, int], None]
"""Called with (done, in all); 0 in all means unknown."""


class DataError(ValueError):
    """Say what is wrong with the data, what was seen and what to do; shown without a traceback."""

    exit_code = Exit.DATA


class FetchError(OSError):
    """A download that failed, or whose content is not what it must be; the message says which."""


def shortlist(names: Iterable[str], *, at_most: int = 10) -> str:
    """Join names for a message: the first few, then how many more; hostile ones are escaped."""
    every = list(names)
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in every[:at_most])
    return shown if len(every) <= at_most else f"{shown} and {len(every) - at_most} more"
