"""How do tables, sentences, JSON and bars of progress reach the terminal, whatever they hold?"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from cnnbench.base.words import escape_bytes, printable


def print_json(value: object) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(json.dumps(_with_bytes_escaped(value), indent=1, default=str) + "\n")


def _with_bytes_escaped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_with_bytes_escaped(key): _with_bytes_escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_bytes_escaped(item) for item in value]
    return escape_bytes(value) if isinstance(value, str) else value


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> None:
    """Print a table to stdout; `align` has an `l` or `r` for each column.

    Names are shown as they are, never read as markup.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, side in zip(titles, align, strict=True):
        table.add_column(title, justify="right" if side == "r" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    is_terminal = sys.stdout.isatty()
    width, force_terminal = (None, None) if is_terminal else (160, False)
    Console(width=width, force_terminal=force_terminal).print(table)


def say(text: str) -> None:
    """Print a sentence to stdout."""
    print(printable(text))


def counts(numbers: Mapping[Any, int]) -> str:
    """Say how many there are of each name.

    >>> counts({"train": 48, "test": 24})
    'train 48, test 24'
    """
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def duration(seconds: float) -> str:
    """Say a duration as people do.

    >>> duration(8.25), duration(150), duration(7320)
    ('8.2 s', '2 min 30 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def stderr_console() -> Console:
    """Return the console of progress: a live one in a terminal, plain lines in a pipe or in CI."""
    return Console(stderr=True, force_terminal=None if _is_live() else False)


@contextmanager
def counting(title: str, *, in_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr; yield a function to call with (done, total), 0 for an unknown total."""
    amount = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not _is_live()) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield update


def _is_live() -> bool:
    return sys.stderr.isatty() and not os.environ.get("CI")
