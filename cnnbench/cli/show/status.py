"""How is it shown how a run stands? A screen at most, however many cells there are."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cnnbench.base.words import plural, printable
from cnnbench.cli.show.console import duration
from cnnbench.report.text.wording import join_and, percent
from cnnbench.store.status import RunStatus

__all__ = ["StatusScreen", "status_document", "status_lines"]

MOST_LISTED = 5  # cells at work, and as many that failed
MOST_REASON = 60  # characters
ESTIMATE = (
    "a cell takes as long as those of its network and budget that are done, else its budget in "
    "seconds or the charged pace of those that run; as many run at once as now"
)


class StatusScreen:
    """Shows a status, and the next one in its place; in a pipe below, where it changed."""

    def __init__(self, folder: str, *, shown: bool) -> None:
        self._folder, self._shown = folder, shown
        self._console = Console()
        self._live: Live | None = None
        self._last = ""

    def __enter__(self) -> Self:
        if self._shown and self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, status: RunStatus) -> None:
        """Show how the run stands now."""
        text = "\n".join(status_lines(self._folder, status))
        if self._live:
            self._live.update(Text(printable(text), overflow="fold"), refresh=True)
        elif self._shown and text != self._last:
            print(printable(text), flush=True)
        self._last = text


def status_document(folder: str, status: RunStatus) -> dict[str, Any]:
    """Return what `status --json` prints: every cell at work and every one that failed."""
    return {"version": 1, "folder": folder, **asdict(status), "estimate": ESTIMATE}


def status_lines(folder: str, status: RunStatus) -> Iterator[str]:
    """Yield the lines for people: counts, cells at work, the first that failed, the time left."""
    begun = f" ({status.begun} of them begun)" if status.begun else ""
    yield (
        f"{folder}: {plural(status.cells, 'cell')}: {status.done:,} done, "
        f"{len(status.running):,} running, {len(status.failed):,} failed, "
        f"{status.waiting:,} waiting{begun}"
    )
    for cell in status.running[:MOST_LISTED]:
        where = f"process {cell.pid} on {cell.host} since {cell.since}"
        yield f"  running  {cell.cell}  {percent(cell.progress, digits=0):>3} %  {where}"
    yield from _more(len(status.running), "running")
    for failed in status.failed[:MOST_LISTED]:
        reason = " ".join(failed.reason.split())
        cut = reason if len(reason) <= MOST_REASON else reason[: MOST_REASON - 3] + "..."
        yield f"  {failed.status}  {failed.cell}  {cut}".rstrip()
    yield from _more(len(status.failed), "failed")
    if line := _time_line(status):
        yield line


def _more(count: int, word: str) -> Iterator[str]:
    if count > MOST_LISTED:
        yield f"  and {count - MOST_LISTED:,} more {word}; --json has all"


def _time_line(status: RunStatus) -> str:
    if status.seconds_left is not None:
        left = duration(status.seconds_left)
        return f"about {left} left, if cells take as long as their like did, as many at once as now"
    if status.unknown:
        networks = join_and(list(status.unknown[:MOST_LISTED]))
        return f"time left: not known before a cell of {networks} has trained for a while"
    if status.waiting:
        return "nothing is running; the command of the run goes on with what waits"
    return ""
