"""Where is everything of one run, from the plan to the report?"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cnnbench.base.files import (
    StoreError,
    disk_errors,
    pass_failpoint,
    read_document,
    sweep_temporaries,
    sync_folder,
    write_text,
    write_texts,
    write_whole,
)
from cnnbench.data import DataError
from cnnbench.schema.cell import VERSION, Cell, Plan
from cnnbench.schema.events import Event
from cnnbench.schema.names import differences
from cnnbench.schema.result import VERSION as RESULT_VERSION
from cnnbench.schema.result import Ranking, Result, RunSeconds
from cnnbench.store.cell_folder import ORPHAN_WAIT_SECONDS, CellFolder, Predictions
from cnnbench.store.claims import POLL_SECONDS, busy, claimed, owner_of
from cnnbench.store.owners import owner_text

CLEARED = ".cleared-"  # in front of the name of a folder of cells that is being removed

# A run can be committed, but not with what is large or of one machine alone.
GITIGNORE = """\
*.safetensors
checkpoint/
tuning/
log.txt
.claim-*
slurm/
.heartbeat
"""


class RunFolder:
    """One folder under `reports/`: the plan, a folder a cell, and what was made of them."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._plan_read: tuple[tuple[int, int, int], Plan] | None = None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing.

        Raises:
            BusyError: if another process writes to it.
            StoreError: if the folder cannot be written.
        """
        with claimed(self.path):
            sweep_temporaries(self.path / "figures")
            self._remove_cleared()
            for path in self.path.glob("cells/*"):
                if owner_of(path) is None:  # a cell may outlive its launcher by a few seconds
                    sweep_temporaries(path, deep=True)
            yield

    def wait_for_cells(self, on_wait: Callable[[str], None] = lambda who: None) -> None:
        """Wait until no cell is at work: one whose launcher was killed still saves its state.

        The caller holds the run's lock, so that no other cell can start. `on_wait` hears again and
        again for which process of which cell it waits.

        Raises:
            BusyError: if a cell is still at work after a while; the message names its process.
        """
        deadline = time.monotonic() + ORPHAN_WAIT_SECONDS
        for path in sorted(self.path.glob("cells/*")):
            who = ""
            while owner := owner_of(path):
                if time.monotonic() > deadline:
                    raise busy(path)
                who = who or f"{owner_text(owner)}, which still works on {path.name}"
                on_wait(who)
                time.sleep(POLL_SECONDS)

    def clear(self) -> None:
        """Forget the plan and every cell, to train anew; other files stay.

        A cell that is still at work is waited for: it writes by path, and so into the new run. The
        cells go in one rename, so that a kill leaves all of them or none.

        Raises:
            BusyError: as `wait_for_cells`; nothing is removed then.
            StoreError: if the disk refuses.
        """
        if not (self.path / "plan.json").exists():  # never empty a folder that is no run's
            return
        self.wait_for_cells()
        with disk_errors(self.path):
            if (self.path / "cells").exists():
                aside = tempfile.mkdtemp(dir=self.path, prefix=CLEARED)
                (self.path / "cells").replace(aside)
                pass_failpoint("cells", "forgetting")
            for name in ("seconds.json", "ranking.json"):
                (self.path / name).unlink(missing_ok=True)
            (self.path / "plan.json").unlink()
            sync_folder(self.path)
        self._remove_cleared()

    def _remove_cleared(self) -> None:
        for path in self.path.glob(f"{CLEARED}*"):
            shutil.rmtree(path, ignore_errors=True)

    def require_same(self, plan: Plan) -> None:
        """Make sure that the folder is new, or holds this very plan.

        Raises:
            DataError: if the dataset has changed since this folder's plan was made.
            StoreError: if the folder holds another plan.
        """
        if not (self.path / "plan.json").exists():
            return
        kept = self.plan()
        if kept.digest == plan.digest:
            return
        before, after = kept.dataset, plan.dataset
        if before.name == after.name and before.fingerprint != after.fingerprint:
            raise DataError(
                f"the dataset {after.name!r} changed since {self.path} was begun: it had "
                f"{before.images} images (fingerprint {before.fingerprint[:8]}), now "
                f"{after.images} ({after.fingerprint[:8]}); bring the images back, choose another "
                "--out, or train anew with --fresh"
            )
        raise StoreError(
            f"{self.path} holds another run: {'; '.join(differences(kept, plan))}. "
            "Choose another --out, or --fresh to train anew"
        )

    def write_plan(self, plan: Plan) -> None:
        """Write a `cell.json` for each cell, and then `plan.json`.

        A plan that is there already stays as it was made, with its own machine and versions:
        finished cells may have been trained with those.

        Raises:
            DataError, StoreError: as `require_same`.
        """
        self.require_same(plan)
        is_new = not (self.path / "plan.json").exists()
        paths = {self.path / "cells" / cell.id / "cell.json": cell for cell in plan.cells}
        missing = {path: cell for path, cell in paths.items() if is_new or not path.exists()}
        write_texts({path: c.model_dump_json(indent=1) + "\n" for path, c in missing.items()})
        if not (self.path / ".gitignore").exists():
            self.write_text(".gitignore", GITIGNORE)
        if is_new:  # last: a folder with a plan has all its cells
            self.write_text("plan.json", plan.model_dump_json(indent=1) + "\n")

    def write_cell(self, cell: Cell) -> None:
        """Write a cell's `cell.json`, where there is none; StoreError if the disk refuses."""
        path = f"cells/{cell.id}/cell.json"
        if not (self.path / path).exists():
            self.write_text(path, cell.model_dump_json(indent=1) + "\n")

    def plan(self) -> Plan:
        """Read `plan.json`.

        Raises:
            StoreError: if there is none, or it is damaged, or of another version.
        """
        path = self.path / "plan.json"
        if not path.exists():
            raise StoreError(
                f"{self.path} is no run folder (it has no plan.json); `cnnbench run` makes one"
            )
        stat = path.stat()
        mark = stat.st_ino, stat.st_mtime_ns, stat.st_size
        if self._plan_read is None or self._plan_read[0] != mark:  # it may have thousands of cells
            advice = "train anew with --fresh, or choose another folder with --out"
            plan = read_document(path, Plan, version=VERSION, advice=advice)
            self._plan_read = mark, plan
        return self._plan_read[1]

    def cell(self, cell: Cell) -> CellFolder:
        """Return the folder of one cell."""
        return CellFolder(self.path / "cells" / cell.id, cell)

    def cell_named(self, cell_id: str) -> CellFolder:
        """Return the folder of the cell with an id, without reading the plan of all.

        Raises:
            StoreError: if the run has no such cell, or its file is damaged.
        """
        path = self.path / "cells" / cell_id / "cell.json"
        if not path.exists():
            raise StoreError(f"{self.path} has no cell {cell_id!r}")
        advice = "delete that file, and type the run's command again"
        return self.cell(read_document(path, Cell, version=VERSION, advice=advice))

    def result(self, cell: Cell) -> Result:
        """Return a cell's result, or what is known of it so far."""
        return self.cell(cell).result()

    def events(self, cell: Cell) -> list[Event]:
        """Return a cell's events, in order."""
        return self.cell(cell).events()

    def predictions(self, cell: Cell) -> Predictions | None:
        """Return a cell's predictions on the headline split, if it is done."""
        return self.cell(cell).predictions()

    def keep_best_network(self, plan: Plan) -> None:
        """Forget all kept networks but the one of the best top-1, of equal ones the cheapest."""
        done = [folder for cell in plan.cells if (folder := self.cell(cell)).is_final()]
        kept = [(folder, facts) for folder in done if (facts := folder.kept())]
        ranked = sorted(kept, key=lambda each: (-each[1].top1, each[1].macs))
        for folder, _ in ranked[1:]:
            folder.forget_network()

    def seconds(self) -> RunSeconds | None:
        """Return what commands spent beside the cells, or None where none has written it.

        Raises:
            StoreError: if `seconds.json` is damaged or of another version.
        """
        path = self.path / "seconds.json"
        if not path.exists():
            return None
        advice = "delete that file; only the clock audit needs it"
        return read_document(path, RunSeconds, version=RESULT_VERSION, advice=advice)

    def write_seconds(self, seconds: RunSeconds) -> None:
        """Write what commands spent beside the cells."""
        self.write_text("seconds.json", seconds.model_dump_json(indent=1) + "\n")

    def ranking(self) -> Ranking:
        """Return what the run's reports may rank; nothing was asked for where no file says so.

        Raises:
            StoreError: if `ranking.json` is damaged or of another version.
        """
        path = self.path / "ranking.json"
        if not path.exists():
            return Ranking()
        advice = "delete that file; then no rank is given across unlike machines"
        return read_document(path, Ranking, version=RESULT_VERSION, advice=advice)

    def write_ranking(self, ranking: Ranking) -> None:
        """Write what the run's reports may rank, so that all of them say the same."""
        self.write_text("ranking.json", ranking.model_dump_json(indent=1) + "\n")

    def write_text(self, relative: str, text: str) -> Path:
        """Write a text file of the run, whole or not at all."""
        write_text(self.path / relative, text)
        return self.path / relative

    def write_bytes(self, relative: str, data: bytes) -> Path:
        """Write a file of the run, whole or not at all."""
        path = self.path / relative
        write_whole(path, lambda file: file.write(data))
        return path
