"""Under which circumstances does a cell run, apart from all that decides its result?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnnbench.engine.clock import Clock
from cnnbench.engine.device import Machine
from cnnbench.schema.cell import Cell
from cnnbench.store import CellFolder


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What the process that serves a cell tells it.

    `started` is the monotonic time at which the process began. `threads` is the number that the
    plan found fastest, None every core. `checkpoint_seconds` are charged seconds.
    """

    stop_asked: Callable[[], bool] = lambda: False
    started: float | None = None
    machine_line: str = ""
    checkpoint_seconds: float = 60.0
    threads: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A cell with the folder it writes to, the clock that charges it and the machine it has."""

    cell: Cell
    folder: CellFolder
    clock: Clock
    machine: Machine
    setting: Setting
