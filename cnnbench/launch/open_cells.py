"""Which cells have not ended, who works on them, and which can be started next?"""

from collections import Counter
from collections.abc import Iterator, Sequence

from cnnbench.launch.attempt import CellUpdate, followed, write_end
from cnnbench.schema.cell import Cell
from cnnbench.schema.result import Result, planned
from cnnbench.store import CellFolder, RunFolder
from cnnbench.store.cell_folder import FINAL
from cnnbench.store.log import EventTail
from cnnbench.store.owners import owner_text

__all__ = ["OpenCells"]


class OpenCells:
    """The cells of a run that have not ended, as one process sees them; others may see to them too.

    A cell whose process was killed is started again up to `retries` times, whoever starts it; None
    is for one who only looks on, and gives no cell up. With `again` a cell that failed before is
    tried once more, and what was killed before is forgiven; without, whoever began the run has seen
    to that. `first` is the place in the plan to begin at.
    """

    def __init__(
        self,
        run_folder: RunFolder,
        cells: Sequence[Cell],
        *,
        retries: int | None,
        again: bool,
        first: int = 0,
    ) -> None:
        self._retries, self._again = retries, again
        ordered = [*cells[first:], *cells[:first]]
        self._folders = {cell.id: run_folder.cell(cell) for cell in ordered}
        forgiven = ((key, folder.deaths()) for key, folder in self._folders.items())
        self._forgiven = dict(forgiven) if again else {}
        self._taken: set[str] = set()
        self._set_aside: set[str] = set()
        self._starts = Counter[str]()
        self._ended: list[CellUpdate] = []
        self._elsewhere: dict[str, tuple[CellUpdate, EventTail]] = {}
        self.waits_for = ""

    def __len__(self) -> int:
        return len(self._folders)

    @property
    def cells(self) -> list[Cell]:
        """The cells that have not ended, in order."""
        return [folder.cell for folder in self._folders.values()]

    def take(self) -> CellFolder | None:
        """Return the next cell that nobody trains; `end` or `put_back` says what came of it."""
        for key, folder in list(self._folders.items()):
            is_known = key in self._taken or key in self._set_aside
            if not is_known and self._is_free(folder) and not self._is_given_up(folder):
                self._taken.add(key)
                self._starts[key] += 1
                return folder
        return None

    def put_back(self, folder: CellFolder, *, was_busy: bool = False) -> None:
        """Take back a cell that is as open as before; one that `was_busy` waits for a full look."""
        self._taken.discard(folder.cell.id)
        if was_busy:
            self._starts[folder.cell.id] -= 1
            self._set_aside.add(folder.cell.id)

    def may_retry(self, folder: CellFolder) -> bool:
        """Tell whether a cell whose process was killed just now is to be started again."""
        key = folder.cell.id
        deaths = folder.deaths() - self._forgiven.get(key, 0)
        return self._retries is None or max(deaths, self._starts[key]) <= self._retries

    def end(self, folder: CellFolder, result: Result) -> None:
        """Take note that a cell has ended; `look` tells it."""
        del self._folders[folder.cell.id]
        self._elsewhere.pop(folder.cell.id, None)
        self._ended.append(CellUpdate(cell=folder.cell, result=result))

    def look(self, *, at_all: bool) -> Iterator[CellUpdate]:
        """Yield how each cell stands that ended since the last look, or that others train.

        With `at_all` every cell is looked at; else only those that `take` came by.
        """
        if at_all:
            self._set_aside.clear()
            for key, folder in list(self._folders.items()):
                if key not in self._taken:
                    self._is_free(folder)
        ended, self._ended = self._ended, []
        yield from ended
        for key, (update, tail) in self._elsewhere.items():
            update = followed(update, tail)
            self._elsewhere[key] = update, tail
            yield update

    def _is_free(self, folder: CellFolder) -> bool:
        """Tell whether a cell can be started; take note of one that has ended or is trained."""
        key = folder.cell.id
        owner = folder.owner(exactly=True)
        if folder.result_mark() is not None and not owner:  # else its pictures may be on their way
            result = folder.result()
            if result.status in FINAL:
                folder.forget_checkpoints()  # a kill right after the result leaves them behind
            if result.status in FINAL or not self._again:
                self.end(folder, result)
                return False
        if owner:
            self.waits_for = f"{owner_text(owner)}, which trains {key}"
            if key not in self._elsewhere:
                running = planned(folder.cell).model_copy(update={"status": "running"})
                update = CellUpdate(cell=folder.cell, result=running)
                self._elsewhere[key] = update, folder.tail()
            return False
        self._elsewhere.pop(key, None)
        return True

    def _is_given_up(self, folder: CellFolder) -> bool:
        """Give a cell over which too many processes died its row, and tell whether it was so."""
        deaths = folder.deaths() - self._forgiven.get(folder.cell.id, 0)
        if self._retries is None or deaths <= self._retries:
            return False
        reason = f"its process was killed {deaths} times; `cnnbench run` tries it again"
        ended = write_end(folder, "killed", reason, here=False)
        if ended is not None:
            self.end(folder, ended)
        return True
