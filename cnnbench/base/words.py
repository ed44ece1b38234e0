"""How is a mistake told: with the word that was probably meant, or with the line that counts?"""

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "first_line", "last_line", "with_hint"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question `did you mean 'NAME'?` for the nearest known word, "" where none is near.

    >>> did_you_mean("alexnett", ["alexnet", "vgg11"]), did_you_mean("zzz", ["alexnet"])
    ("did you mean 'alexnet'?", '')
    """
    nearest = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else ""


def with_hint(mistake: str, word: str, known: Iterable[str], advice: str) -> str:
    """Return a message of a mistake, the nearest known word where one is near, and advice.

    >>> with_hint("unknown recipe 'papr'", "papr", ["common", "paper"], "there is common, paper")
    "unknown recipe 'papr'; did you mean 'paper'? there is common, paper"
    """
    return " ".join(filter(None, (f"{mistake};", did_you_mean(word, known), advice)))


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the error's type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def last_line(text: str, *, otherwise: str) -> str:
    """Return the end of what a process printed, where its error stands; at most 300 characters."""
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else otherwise
