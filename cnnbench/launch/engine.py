"""What is asked of an engine that starts cells elsewhere, and what every engine needs for it?"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cnnbench.data.catalog.cards import list_cards
from cnnbench.launch.open_cells import OpenCells
from cnnbench.planning.request import PlanError, Request
from cnnbench.schema.cell import Cell

__all__ = ["Engine", "require_extra", "words_anywhere", "words_of"]


class Engine(Protocol):
    """Starts processes for cells on other machines, and again where one was lost.

    What becomes of a cell is read from the run folder, or brought there by `look`.
    """

    def start(self, cells: Sequence[Cell]) -> None:
        """Start what trains these cells; return at once."""
        ...

    def look(self, cells: OpenCells) -> None:
        """Bring home what has ended, and start again what was lost.

        Raises:
            RunBlocked: if nothing of the run can go on.
        """
        ...

    def stop(self) -> None:
        """Ask all that was started to save its state and end."""
        ...

    def close(self) -> None:
        """End all that was started."""
        ...


def words_of(dataset: str, data: dict[str, str], *, keeps: bool) -> list[str]:
    """Return what is typed after `cnnbench cell`, from any working folder.

    The words of a plan may not find its dataset from where a cell starts.
    """
    words = [f"--dataset={dataset}"] if dataset else []
    words += [f"--data={key}={value}" for key, value in data.items()]
    return words + (["--keep"] if keeps else [])


def words_anywhere(request: Request, *, keeps: bool) -> list[str]:
    """Return what is typed after `cnnbench cell` in another working folder, or on another machine.

    Folders are named from the root; a machine that does not have them there says so.
    """
    dataset = request.dataset
    if dataset not in list_cards():
        dataset = _from_root(dataset)
    data = request.data
    if "folder" in data:
        data["folder"] = _from_root(data["folder"])
    return words_of(dataset, data, keeps=keeps)


def _from_root(name: str) -> str:
    return str(Path(name).resolve()) if name.strip() and Path(name).exists() else name


def require_extra(module: str, extra: str) -> None:
    """Say which extra brings a module that is not installed; PlanError."""
    if importlib.util.find_spec(module) is None:
        raise PlanError(
            f"--executor {extra} needs {module}, which is not installed: "
            f"pip install 'cnnbench[{extra}]'"
        )
