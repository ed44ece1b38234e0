"""What can be done with the networks that a run kept? They are loaded to predict, or exported."""

from functools import partial
from pathlib import Path

from cnnbench.data import Progress
from cnnbench.inference import ExportFormat
from cnnbench.inference.export import export_network
from cnnbench.inference.network import LoadedNetwork, load_network
from cnnbench.inference.preprocessing import python_code
from cnnbench.report.analysis.choice import Choice, choose_network
from cnnbench.report.pages.card import model_card
from cnnbench.store import RunFolder

__all__ = ["export_model", "load_model"]


def load_model(folder: str | Path, model: str | None = None) -> LoadedNetwork:
    """Return a network that a run kept, ready to `predict(paths)`; its `model` is the module.

    Without `model` it is the one that ranked first, of several that tie the cheapest; else the one
    of that label, name or cell. The process takes the threads and settings of a training.

    Raises:
        UnknownNetwork: if the run has none of that name.
        StoreError: if the folder holds no run, the network was not kept, or it is damaged.
    """
    run = RunFolder(folder)
    return load_network(run.cell(choose_network(run, model).cell))


def export_model(
    folder: str | Path,
    choice: Choice,
    *,
    to: ExportFormat,
    out: str | Path | None = None,
    dataset: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Export a chosen network of a run and return the new folder.

    It is `exports/<cell>-<to>` unless `out` is given, and may not be there yet. An ONNX file is
    checked on the run's test images, whose `dataset` may lie elsewhere now.

    Raises:
        CannotExport, DataError, StoreError: as `export_network`.
    """
    cell_folder = RunFolder(folder).cell(choice.cell)
    network = load_network(cell_folder)
    target = Path(out or f"exports/{choice.cell.id}-{to}")
    export_network(
        network,
        cell_folder,
        target,
        to=to,
        card=partial(model_card, choice, network.kept, prepare=python_code(network.kept)),
        dataset=dataset,
        progress=progress,
    )
    return target
