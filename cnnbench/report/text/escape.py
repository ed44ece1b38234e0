"""How is a name from outside shown in Markdown, LaTeX, CSV, a shell or a picture, not obeyed?"""

import re
import shlex
import unicodedata
from collections.abc import Iterable

from cnnbench.base.words import escape_bytes, unescape_bytes

__all__ = ["csv_text", "escape_markdown", "shell_command"]

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # part of the spelling of Persian, of Indic scripts and of emoji

_MARKDOWN = re.compile(r"[\\`*_\[\]|~$]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|:(?=//)|(?<=www)\.")
_LINE_START = re.compile(r"^(\s*)([-+](?!\d)|[#=>]|\d+(?=[.)](?:\s|$)))")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "-": "{-}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "\u2212": r"\textminus{}",
    "\u2013": "--",
    "\u2020": r"\textdagger{}",
}
_LATEX_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))
# The full-width forms of = + - @ count in some spreadsheets.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def visible(text: str) -> str:
    r"""Return one line of text: control, bidirectional and unpaired characters become `\u202e`.

    What a reader sees is then the order of what is stored. Raw text stays in `results.json`.

    >>> visible("a\nb\u202ec")
    'a\\nb\\u202ec'
    """
    if text.isascii() and text.isprintable():  # nearly all of them, and a report has thousands
        return text
    text = escape_bytes(text)
    return "".join(c.encode("unicode_escape").decode() if _is_hidden(c) else c for c in text)


def _is_hidden(char: str) -> bool:
    nonsense = ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF  # not allowed in XML
    return nonsense or (unicodedata.category(char) in _HIDDEN and char not in _JOINERS)


def escape_markdown(text: str) -> str:
    r"""Return text that GitHub's Markdown shows as it is: no table cell, tag, link or formula.

    Works inside a table cell, in a sentence and at the start of a line.

    >>> escape_markdown("a|b_c <b> $x$")
    'a\\|b\\_c \\<b> \\$x\\$'
    """
    escaped = _MARKDOWN.sub(lambda match: "\\" + match[0], visible(text))
    return _LINE_START.sub(_escape_start, escaped)


def _escape_start(match: re.Match[str]) -> str:
    space, sign = match[1], match[2]
    # A number is made a list by the character after it, which is escaped in its place.
    return f"{space}{sign}\\" if sign[0].isdigit() else f"{space}\\{sign}"


def escape_latex(text: str) -> str:
    r"""Return text that LaTeX sets as it is: no command, formula, comment or column.

    Dashes and quotes are kept from joining into others; letters outside Latin need XeLaTeX or
    LuaLaTeX, `\textquotesingle` and its like the package textcomp.

    >>> escape_latex("50 % of $x_1$")
    '50 \\% of \\$x\\_1\\$'
    """
    return _LATEX_SPECIAL.sub(lambda match: _LATEX[match[0]], visible(text))


def csv_text(text: str) -> str:
    """Return text that no spreadsheet runs as a formula: a quote is put before = + - @ and tab.

    Leading blanks do not hide a formula, so they are skipped when looking.

    >>> csv_text("=HYPERLINK(1)"), csv_text(" -x"), csv_text("alexnet")
    ("'=HYPERLINK(1)", "' -x", 'alexnet')
    """
    risky = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    return "'" + visible(text) if risky else visible(text)


def shorten(text: str, limit: int = 28) -> str:
    """Return text of at most `limit` characters, cut in the middle, for a label in a picture.

    >>> shorten("abcdefghij", 7)
    'abc…hij'
    """
    shown = visible(text)
    if len(shown) <= limit:
        return shown
    half = (limit - 1) // 2
    return f"{shown[: limit - 1 - half]}…{shown[-half:]}"


def shell_command(words: Iterable[str]) -> str:
    r"""Return a command on one line that a shell reads back as exactly these words.

    Words with hidden characters use bash's `$'...'`, so nothing in them is hidden.
    """
    return " ".join(_shell_word(unescape_bytes(word)) for word in words)


def _shell_word(word: str) -> str:
    if not any(_is_hidden(char) for char in word):
        return shlex.quote(word)
    quoted = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{visible(quoted)}'"
