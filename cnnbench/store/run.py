"""Where is everything of one run, from the plan to the report?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from cnnbench.schema.cell import VERSION, Cell, Plan
from cnnbench.schema.events import Event
from cnnbench.schema.result import Result
from cnnbench.store.cell import CellFolder, Predictions
from cnnbench.store.files import StoreError, locked, write_whole


class RunFolder:
    """One folder under `reports/`: the plan, a folder a cell, and what was made of them."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing.

        Raises:
            BusyError: if another process writes to it.
            StoreError: if the folder cannot be written.
        """
        with locked(self.path):
            yield

    def write_plan(self, plan: Plan) -> None:
        """Write `plan.json` and a `cell.json` for each cell.

        Raises:
            StoreError: if the folder holds another plan.
        """
        if (self.path / "plan.json").exists():
            _refuse_another(self.path, self.plan(), plan)
        self.write_text("plan.json", plan.model_dump_json(indent=1) + "\n")
        for cell in plan.cells:
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
        try:
            plan = Plan.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            raise StoreError(
                f"{path} is damaged or of another version: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            ) from None
        if plan.version != VERSION:
            raise StoreError(
                f"{path} is of version {plan.version}, this cnnbench reads version {VERSION}"
            )
        return plan

    def cell(self, cell: Cell) -> CellFolder:
        """Return the folder of one cell."""
        return CellFolder(self.path / "cells" / cell.id, cell)

    def result(self, cell: Cell) -> Result:
        """Return a cell's result, or what is known of it so far."""
        return self.cell(cell).result()

    def events(self, cell: Cell) -> list[Event]:
        """Return a cell's events, in order."""
        return self.cell(cell).events()

    def predictions(self, cell: Cell) -> Predictions | None:
        """Return a cell's predictions on the headline split, if it is done."""
        return self.cell(cell).predictions()

    def write_text(self, relative: str, text: str) -> Path:
        """Write a text file of the run, whole or not at all."""
        return self.write_bytes(relative, text.encode())

    def write_bytes(self, relative: str, data: bytes) -> Path:
        """Write a file of the run, whole or not at all."""
        path = self.path / relative
        write_whole(path, lambda file: file.write(data))
        return path


def _refuse_another(folder: Path, old: Plan, new: Plan) -> None:
    if old.digest == new.digest:
        return
    changes = []
    if old.dataset.fingerprint != new.dataset.fingerprint:
        changes.append(
            f"the dataset changed ({old.dataset.name} {old.dataset.images}, fingerprint "
            f"{old.dataset.fingerprint[:8]}, now {new.dataset.name} {new.dataset.images}, "
            f"{new.dataset.fingerprint[:8]})"
        )
    if len(old.cells) != len(new.cells):
        changes.append(f"it has {len(old.cells)} cells, not {len(new.cells)}")
    for before, after in zip(old.cells, new.cells, strict=False):
        a, b = before.model_dump(mode="json"), after.model_dump(mode="json")
        changes += [f"{key}: {a[key]} -> {b[key]}" for key in a if a[key] != b[key]][:3]
        break
    raise StoreError(
        f"{folder} holds another run: {'; '.join(changes)}. "
        "Choose another --out, or --fresh to train anew"
    )
