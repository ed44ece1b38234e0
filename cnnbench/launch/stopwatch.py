"""Where do the seconds of a command go that belong to no cell?"""

import contextlib
import time
from collections.abc import Iterator
from typing import Literal

from cnnbench.schema.result import RunSeconds
from cnnbench.store import RunFolder

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds what a command spends beside its cells to the run's `seconds.json`.

    `started` is when the command began, on the monotonic clock; what it did until now was to
    prepare. The file is brought up to date at both ends of all that is measured.
    """

    def __init__(self, run_folder: RunFolder, started: float) -> None:
        self._run_folder = run_folder
        self._started = started
        earlier = run_folder.seconds() or RunSeconds()
        self._earlier_total = earlier.total
        self._seconds = earlier.model_dump(exclude={"total"})
        self._seconds["commands"] += 1
        self._seconds["preparing"] += time.monotonic() - started

    @contextlib.contextmanager
    def measure(self, part: Literal["images", "pages"]) -> Iterator[None]:
        """Add the seconds of a block that succeeds to a part of the run's.

        Raises:
            StoreError: if they cannot be written.
        """
        self._write()
        start = time.monotonic()
        yield
        self._seconds[part] += time.monotonic() - start
        self._write()

    def _write(self) -> None:
        total = self._earlier_total + time.monotonic() - self._started
        self._run_folder.write_seconds(RunSeconds(**self._seconds, total=total))
