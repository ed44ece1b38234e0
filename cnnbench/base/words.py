"""Which known word was probably meant?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question `did you mean 'NAME'?` for the nearest known word, "" where none is near.

    >>> did_you_mean("alexnett", ["alexnet", "vgg11"]), did_you_mean("zzz", ["alexnet"])
    ("did you mean 'alexnet'?", '')
    """
    nearest = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else ""
