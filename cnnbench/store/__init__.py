"""The run folder: append-only events, atomic checkpoints, locks; the only writer of results."""

from cnnbench.base.files import BusyError, DamagedError, StoreError
from cnnbench.store.cell_folder import CellFolder, Predictions
from cnnbench.store.run import RunFolder

__all__ = ["BusyError", "CellFolder", "DamagedError", "Predictions", "RunFolder", "StoreError"]
