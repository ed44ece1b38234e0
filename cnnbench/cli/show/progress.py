"""What does a person see while a run goes on? A live table, or plain lines in a pipe."""

import time
from collections.abc import Collection
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from cnnbench.base.words import printable
from cnnbench.cli.show.foresight import foresight_lines, time_lines
from cnnbench.cli.show.starts import start_lines
from cnnbench.launch.attempt import CellUpdate
from cnnbench.report.text.wording import RUNNING_LOSS, decimals, percent, significant
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.names import labels
from cnnbench.schema.result import planned

LINE_EVERY_SECONDS = 30.0
MOST_LINES = 40  # of a table; of more cells only those that run are shown
_ESTIMATE_AFTER_SECONDS = 2.0  # the first images come in bursts, one from each process
_BAR, _LOSS = "progress bar", RUNNING_LOSS
_COLUMNS = ("model", "seed", "status", "budget", _BAR, _LOSS, "top-1 %", "images/s", "time left")
_LEAST_NEEDED = (_LOSS, "images/s", "budget", _BAR)  # in this order they go from a narrow terminal
_WIDER_THAN_ANY = 1000  # columns: only with room to spare does a table say how wide it would be


class Progress:
    """Shows on stderr every cell of the plan that runs; a context manager around the runs.

    `was_done` says whether the last plan had nothing left to train when it started.
    """

    def __init__(self, console: Console) -> None:
        self.was_done = False
        self._console = console
        self._live: Live | None = None
        self._names: dict[str, str] = {}
        self._updates: dict[str, CellUpdate] = {}
        self._printed: dict[str, float] = {}
        self._waited_for = ""
        self._makes_images_by = "decoding"
        self._counted: tuple[str, int, float] = ("", 0, 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def measure(self, cell: Cell) -> None:
        """Say which network's speed is measured."""
        self._say(f"measuring how fast {cell.model} trains at {cell.image_size} pixels")

    def start(self, plan: Plan, n_final: int) -> None:
        """Begin to show a plan, `n_final` of its cells ended before; tuning's trials come first."""
        if self._live:
            self._live.stop()
        if plan.cells[0].holdout is not None:
            self._say(f"tuning: {len(plan.cells)} trials of {plan.cells[0].budget} each")
        else:
            for notice in plan.dataset.notices:
                self._say(f"note: {notice}")
        for tuned in plan.tuned:
            self._say(f"tuning: {tuned.model} learns at {tuned.chosen:g}")
        if why := plan.machine.get("precision_why"):
            self._say(f"{plan.cells[0].device}, {plan.cells[0].precision}: {why}")
        self.was_done = n_final == len(plan.cells)
        to_say = start_lines(plan) + foresight_lines(plan) + time_lines(plan)
        for line in [] if self.was_done else to_say:
            self._say(line)
        self.join(plan, n_final)

    def join(self, plan: Plan, n_final: int) -> None:
        """Show a plan that another process has begun and told of, `n_final` of its cells ended."""
        self.was_done = n_final == len(plan.cells)
        self._makes_images_by = "drawing" if plan.dataset.drawn else "decoding"
        self._names = labels(plan)
        self._updates = {c.id: CellUpdate(cell=c, result=planned(c)) for c in plan.cells}
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()

    def note(self, notice: str) -> None:
        """Say what a person should know."""
        self._say(f"note: {notice}")

    def wait(self, who: str) -> None:
        """Say once for which process the run waits."""
        if who != self._waited_for:
            self._waited_for = who
            self._say(f"waiting for {who}")

    def decode(self, split: str, done: int, total: int) -> None:
        """Say how far the images of a split are decoded or drawn, and how long the rest takes."""
        left = self._count(split, done, total)
        text = f"{self._makes_images_by} {split} images: {done} of {total}{left}"
        if self._live:
            self._live.update(text, refresh=True)
        elif done == total or self._is_due(f"images of {split}"):
            self._say(text)

    def _count(self, split: str, done: int, total: int) -> str:
        """Return how long the rest takes at the pace since the split's first images, if known."""
        now = time.monotonic()
        name, first, since = self._counted
        if name != split or done <= first:
            self._counted = (split, done, now)
            return ""
        seconds = now - since
        if seconds < _ESTIMATE_AFTER_SECONDS or done == total:
            return ""
        return f", about {_duration(seconds / (done - first) * (total - done))} left"

    def update(self, update: CellUpdate) -> None:
        """Show how a cell stands."""
        self._updates[update.cell.id] = update
        if self._live:
            self._live.update(self._table(), refresh=True)
        else:
            self._line(update)

    def _say(self, text: str) -> None:
        self._console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def _line(self, update: CellUpdate) -> None:
        """Print a plain line now and then, and a line when the cell ends."""
        is_due = self._is_due(update.cell.id)
        if update.result.status == "running" and not is_due:
            return
        words = [word for word in _words(update, self._names[update.cell.id]) if word]
        self._say("  ".join(words))

    def _is_due(self, what: str) -> bool:
        """Return whether it is time for another line about this; the first comes after a while."""
        now = time.monotonic()
        is_due = now - self._printed.setdefault(what, now) >= LINE_EVERY_SECONDS
        if is_due:
            self._printed[what] = now
        return is_due

    def _table(self) -> Table:
        """Return a line a cell; a narrow terminal loses columns and never an accuracy."""
        left = _duration(sum(_seconds_left(update) for update in self._updates.values()))
        seeds = {update.cell.seed for update in self._updates.values()}
        dropped = set() if len(seeds) > 1 else {"seed"}
        wide = self._console.options.update_width(_WIDER_THAN_ANY)
        for unneeded in ("", *_LEAST_NEEDED):
            dropped.add(unneeded)
            table = self._table_without(dropped)
            if self._console.measure(table, options=wide).maximum <= self._console.width:
                break
        table.caption = f"about {left} left for all"
        return table

    def _shown(self) -> list[CellUpdate]:
        """Return the cells that a screen has room for: all, or of many those that run."""
        updates = list(self._updates.values())
        running = [update for update in updates if update.result.status == "running"]
        return (updates if len(updates) <= MOST_LINES else running)[:MOST_LINES]

    def _table_without(self, dropped: Collection[str]) -> Table:
        table = Table(box=None, pad_edge=False)
        shown = [title for title in _COLUMNS if title not in dropped]
        for title in shown:
            right = title in {"top-1 %", "images/s", "time left"}
            table.add_column(
                "" if title == _BAR else title,
                no_wrap=title != "model",
                overflow="fold",
                justify="right" if right else "left",
            )
        for update in self._shown():
            loss, top1, rate = _numbers(update)
            cells: dict[str, str | ProgressBar] = {
                "model": escape(self._names[update.cell.id]),
                "seed": str(update.cell.seed),
                "status": update.result.status,
                "budget": str(update.cell.budget),
                _BAR: ProgressBar(total=1.0, completed=_progress(update), width=20),
                _LOSS: loss,
                "top-1 %": top1,
                "images/s": rate,
                "time left": _time_left(update),
            }
            table.add_row(*(cells[title] for title in shown))
        return table


def _words(update: CellUpdate, name: str) -> list[str]:
    loss, top1, rate = _numbers(update)
    status, left = update.result.status, _time_left(update)
    return [
        f"{name} seed {update.cell.seed}: {status}",
        f"{percent(_progress(update), digits=0)} % of {update.cell.budget}",
        f"{_LOSS} {loss}" if loss else "",
        f"top-1 {top1} %" if top1 else "",
        f"{rate} images/s" if rate else "",
        f"{left} left" if left and status == "running" else "",
        update.result.reason,
    ]


def _numbers(update: CellUpdate) -> tuple[str, str, str]:
    """Return running train loss, top-1 in per cent and images/s as text.

    The loss is the mean since the evaluation before the last one, as in the result, so there is
    none before the first. The result has the numbers of a cell that is done.
    """
    result, stepped, evaluated = update.result, update.stepped, update.evaluated
    loss, top1, rate = result.train_loss, result.top1, result.images_per_second
    if loss is None and evaluated:
        loss = evaluated.train_loss
    if top1 is None and evaluated:
        top1 = evaluated.top1
    if rate is None and stepped:
        rate = stepped.images_per_second
    return (
        "" if loss is None else decimals(loss, 3),
        "" if top1 is None else percent(top1),
        "" if rate is None else significant(rate),
    )


def _progress(update: CellUpdate) -> float:
    if update.result.status == "done":
        return 1.0
    return update.stepped.progress if update.stepped else 0.0


def _time_left(update: CellUpdate) -> str:
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
