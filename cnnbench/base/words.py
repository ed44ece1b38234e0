"""How is a mistake told, and how is a name written whose bytes are no text?"""

import difflib
import re
from collections.abc import Iterable

__all__ = ["did_you_mean", "escape_bytes", "first_line", "last_line", "plural"]
__all__ += ["printable", "unescape_bytes", "with_hint"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question `did you mean 'NAME'?` for the nearest known word, "" where none is near.

    Capitals do not count.

    >>> did_you_mean("AlexNett", ["alexnet", "vgg11"]), did_you_mean("zzz", ["alexnet"])
    ("did you mean 'alexnet'?", '')
    """
    spellings = {each.lower(): each for each in known}
    nearest = difflib.get_close_matches(word.lower(), spellings, n=1)
    return f"did you mean {spellings[nearest[0]]!r}?" if nearest else ""


def with_hint(mistake: str, word: str, known: Iterable[str], advice: str) -> str:
    """Return a message of a mistake, the nearest known word where one is near, and advice.

    >>> with_hint("unknown recipe 'papr'", "papr", ["common", "paper"], "there is common, paper")
    "unknown recipe 'papr'; did you mean 'paper'? there is common, paper"
    """
    return " ".join(filter(None, (f"{mistake};", did_you_mean(word, known), advice)))


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Return a count with its noun.

    >>> plural(1, "class", "classes"), plural(128, "image")
    ('1 class', '128 images')
    """
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def escape_bytes(text: str) -> str:
    r"""Return text in which each byte that is not UTF-8 is spelled, as the shell's `$'\xe4'` does.

    Python keeps such a byte of a file's name as half a surrogate pair, which opens the file and
    can be written nowhere; the name's `repr` spells that half.

    >>> escape_bytes("\udce4pfel/1.png"), escape_bytes(repr("\udce4pfel"))
    ('\\xe4pfel/1.png', "'\\xe4pfel'")
    """
    return re.sub(r"[\ud800-\udfff]|\\udc[89a-f][0-9a-f]", _spelled, text)


def _spelled(match: re.Match[str]) -> str:
    code = int(match[0][2:], 16) if match[0][1:] else ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def unescape_bytes(text: str) -> str:
    r"""Return the name that `escape_bytes` spelled, for opening the file."""
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), text)


def printable(text: str) -> str:
    """Spell bytes that are no text, and replace what could drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in escape_bytes(text))


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the error's type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def last_line(text: str, *, otherwise: str) -> str:
    """Return the end of what a process printed, where its error stands; at most 300 characters."""
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else otherwise
