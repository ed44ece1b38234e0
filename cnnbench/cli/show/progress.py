"""What does a person see while a run goes on? A live table, or plain lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from cnnbench.launch.processes import CellUpdate
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell
from cnnbench.schema.result import planned

LINE_EVERY_SECONDS = 30.0


class Progress:
    """Shows every cell of a plan on stderr; a context manager around the run.

    `names` says what to call a cell, by its id: cells of one model differ in more than the seed.
    """

    def __init__(self, cells: Sequence[Cell], console: Console, names: Mapping[str, str]) -> None:
        self._console = console
        self._names = names
        self._updates = {cell.id: CellUpdate(cell=cell, result=planned(cell)) for cell in cells}
        self._said: dict[str, float] = {}
        self._finished: set[str] = set()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def decode(self, split: str, done: int, total: int) -> None:
        """Say how far the images of a split are decoded or drawn."""
        text = f"preparing {split} images: {done} of {total}"
        if self._live:
            self._live.update(text, refresh=True)
        elif done == total:
            self._console.print(text, highlight=False)

    def update(self, update: CellUpdate) -> None:
        """Show how a cell stands."""
        self._updates[update.cell.id] = update
        if self._live:
            self._live.update(self._table(), refresh=True)
        else:
            self._line(update)

    def _line(self, update: CellUpdate) -> None:
        """Print a plain line now and then, and one when the cell ends."""
        now = time.monotonic()
        name, ended = update.cell.id, update.result.status != "running"
        if ended and name in self._finished:
            return
        if ended:
            self._finished.add(name)
        elif now - self._said.setdefault(name, now) < LINE_EVERY_SECONDS:
            return
        self._said[name] = now
        words = [word for word in _words(update, self._names[update.cell.id]) if word]
        self._console.print("  ".join(words), highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for title in ("model", "seed", "status", "budget", "", "train loss", "top-1", "images/s"):
            table.add_column(title, no_wrap=True)
        table.add_column("time left", justify="right")
        for update in self._updates.values():
            done = _progress(update)
            table.add_row(
                escape(self._names[update.cell.id]),
                str(update.cell.seed),
                update.result.status,
                str(update.cell.budget),
                ProgressBar(total=1.0, completed=done, width=20),
                *_numbers(update),
                _time_left(update),
            )
        table.caption = f"about {self._plan_left()} left for all"
        return table

    def _plan_left(self) -> str:
        return _duration(sum(_seconds_left(update) for update in self._updates.values()))


def _words(update: CellUpdate, name: str) -> list[str]:
    loss, top1, rate = _numbers(update)
    status = update.result.status
    left = _time_left(update)
    return [
        f"{name} seed {update.cell.seed}: {status}",
        f"{_progress(update):.0%} of {update.cell.budget}",
        f"train loss {loss}" if loss else "",
        f"top-1 {top1}" if top1 else "",
        f"{rate} images/s" if rate else "",
        f"{left} left" if left and status == "running" else "",
        update.result.reason,
    ]


def _numbers(update: CellUpdate) -> tuple[str, str, str]:
    """Return train loss, top-1 and images/s as text, the result's own where the cell is done."""
    result, stepped, tested = update.result, update.stepped, update.evaluated
    loss = result.train_loss if result.train_loss is not None else stepped and stepped.train_loss
    top1 = result.top1 if result.top1 is not None else tested and tested.top1
    rate = result.images_per_second or (stepped and stepped.images_per_second)
    return (
        "" if loss is None else f"{loss:.3f}",
        "" if top1 is None else f"{top1:.1%}",
        "" if rate is None else f"{rate:.1f}",
    )


def _progress(update: CellUpdate) -> float:
    if update.result.status == "done":
        return 1.0
    return update.stepped.progress if update.stepped else 0.0


def _time_left(update: CellUpdate) -> str:
    if update.result.status not in {"running", "planned"}:
        return ""
    seconds = _seconds_left(update)
    return _duration(seconds) if seconds else ""


def _seconds_left(update: CellUpdate) -> float:
    """Estimate the charged seconds that a cell still needs; 0 where nothing is known yet."""
    if update.result.status not in {"running", "planned"}:
        return 0.0
    budget, stepped = update.cell.budget, update.stepped
    if budget.currency is Currency.SECONDS:
        return budget.limit * (1.0 - _progress(update))
    if not stepped or not stepped.progress:
        return 0.0
    return stepped.spent.seconds / stepped.progress * (1.0 - stepped.progress)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
