"""How do tables, sentences and JSON reach stdout, whatever names they hold?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.table import Table
from rich.text import Text


def print_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> None:
    """Print a table; names are shown as they are, never read as markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, side in zip(titles, align, strict=True):
        table.add_column(title, justify="right" if side == "r" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 160, force_terminal=None if terminal else False).print(
        table
    )


def say(text: str) -> None:
    """Print a sentence."""
    print(printable(text))


def printable(text: str) -> str:
    """Drop control characters, which could drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


# -- progress of images and bytes -----------------------------------------------------------------


@contextmanager
def counting(title: str, *, in_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with (done, in all), where 0 in all means unknown; on stderr."""
    shown = sys.stderr.isatty() and not os.environ.get("CI")
    amount = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeLeft())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield update
