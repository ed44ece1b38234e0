"""How does a run stand, from its folder alone?"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from cnnbench.base.files import DamagedError
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Stepped
from cnnbench.schema.result import Result, Status, planned
from cnnbench.store.cell_folder import CellFolder
from cnnbench.store.log import parse_events
from cnnbench.store.owners import Owner
from cnnbench.store.run import RunFolder

__all__ = ["CellAtWork", "FailedCell", "RunStatus", "StatusReader"]

_TAIL_BYTES = 16 * 1024  # of a log, which may be of days; its last step is in there

Kind = tuple[str, str, int, int]  # cells of a kind take about as long


@dataclass(frozen=True, kw_only=True, slots=True)
class CellAtWork:
    """A cell that a living process trains, and which share of its budget is spent."""

    cell: str
    host: str
    pid: int
    since: str
    progress: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedCell:
    """A cell that ended without a score."""

    cell: str
    status: Status
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStatus:
    """How the cells of a run stand; done, running, failed and waiting add up to `cells`.

    Of those that are waiting, `begun` were stopped before their end and go on from there.
    `seconds_left` is an estimate, None where there is none: nothing runs, or nothing tells yet how
    long the networks `unknown` take. The fields are keys of what `status --json` prints.
    """

    cells: int
    done: int
    running: tuple[CellAtWork, ...]
    failed: tuple[FailedCell, ...]
    waiting: int
    begun: int
    seconds_left: float | None
    unknown: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether every cell has ended, well or not."""
        return not self.running and not self.waiting


@dataclass(frozen=True, kw_only=True, slots=True)
class _Unfinished:
    """A cell without a result, and the last step that its log tells of."""

    cell: Cell
    stepped: Stepped | None

    @property
    def progress(self) -> float:
        return self.stepped.progress if self.stepped else 0.0


class StatusReader:
    """Reads how a run stands, again and again; what is done is read once.

    Raises:
        StoreError: if the folder holds no run, or one of another version.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._plan = run.plan()
        self._done: dict[str, float | None] = {}  # by the cell's id its seconds, if it knows them

    def read(self) -> RunStatus:
        """Return how the run stands now."""
        running: list[CellAtWork] = []
        failed: list[FailedCell] = []
        busy: list[_Unfinished] = []
        waiting: list[_Unfinished] = []
        for cell in self._plan.cells:
            if cell.id in self._done:
                continue
            folder = self._run.cell(cell)
            result = _result_of(folder)
            if result and result.status == "done":
                self._done[cell.id] = result.seconds.total
            elif result:
                status, reason = result.status, result.reason
                failed.append(FailedCell(cell=cell.id, status=status, reason=reason))
            else:
                owner = folder.owner()
                unfinished = _Unfinished(cell=cell, stepped=_last_step(folder))
                (busy if owner else waiting).append(unfinished)
                if owner:
                    running.append(_at_work(unfinished, owner))
        seconds_left, unknown = self._seconds_left(busy, waiting)
        return RunStatus(
            cells=len(self._plan.cells),
            done=len(self._done),
            running=tuple(running),
            failed=tuple(failed),
            waiting=len(waiting),
            begun=sum(each.progress > 0 for each in waiting),
            seconds_left=seconds_left,
            unknown=unknown,
        )

    def _seconds_left(
        self, busy: Sequence[_Unfinished], waiting: Sequence[_Unfinished]
    ) -> tuple[float | None, tuple[str, ...]]:
        """Estimate when all have ended if as many run as now; also what nothing tells of."""
        if not busy:
            return None, ()
        takes = self._seconds_of_kinds([*busy, *waiting])
        unknown = {each.cell.name for each in (*busy, *waiting) if _kind(each.cell) not in takes}
        if unknown:
            return None, tuple(sorted(unknown))
        left = [takes[_kind(each.cell)] * (1 - each.progress) for each in (*busy, *waiting)]
        return max(sum(left) / len(busy), *left[: len(busy)]), ()

    def _seconds_of_kinds(self, unfinished: Iterable[_Unfinished]) -> dict[Kind, float]:
        """Return how long a cell of each kind takes: as those that are done, or at its own pace."""
        measured: dict[Kind, list[float]] = {}
        for cell in self._plan.cells:
            if seconds := self._done.get(cell.id):
                measured.setdefault(_kind(cell), []).append(seconds)
        paces: dict[Kind, list[float]] = {}
        for each in unfinished:
            budget, stepped = each.cell.budget, each.stepped
            if budget.currency is Currency.SECONDS:
                paces.setdefault(_kind(each.cell), []).append(budget.limit)
            elif stepped and stepped.progress > 0:
                pace = stepped.spent.seconds / stepped.progress
                paces.setdefault(_kind(each.cell), []).append(pace)
        return {kind: fmean(seconds) for kind, seconds in (paces | measured).items()}


def _at_work(unfinished: _Unfinished, owner: Owner) -> CellAtWork:
    return CellAtWork(
        cell=unfinished.cell.id,
        host=owner.host,
        pid=owner.pid,
        since=owner.since,
        progress=unfinished.progress,
    )


def _kind(cell: Cell) -> Kind:
    return cell.name, str(cell.budget), cell.recipe.batch_size, cell.image_size


def _result_of(folder: CellFolder) -> Result | None:
    """Return the result of a cell that has ended; a damaged one says so itself."""
    if folder.result_mark() is None:
        return None
    try:
        return folder.result()
    except DamagedError as error:
        return planned(folder.cell).model_copy(update={"status": "failed", "reason": str(error)})
    except FileNotFoundError:  # it is tried again, just now
        return None


def _last_step(folder: CellFolder) -> Stepped | None:
    """Return the last step that a log tells of, from its end alone."""
    with contextlib.suppress(OSError), (folder.path / "events.jsonl").open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
        events = parse_events(log.read())
        return next((event for event in reversed(events) if isinstance(event, Stepped)), None)
    return None
