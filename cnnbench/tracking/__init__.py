"""How do a run's curves get into other programs? After the fact, from the events on disk."""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnbench.store import RunFolder


class Tracker(StrEnum):
    """The programs that curves can be exported to; each is an extra of the same name."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class TrackError(Exception):
    """The curves could not be exported; the run and its report are untouched."""


def track(run: RunFolder, tracker: Tracker) -> str:
    """Export every cell's curves and return where they are; doing it again adds nothing.

    Raises:
        TrackError: if the package is missing, or for whatever it runs into, such as a server
            that does not answer.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is ours: it may be a JSON document
            return _export(run, tracker)
    except ImportError:
        raise TrackError(
            f"--track {tracker} needs a package that is not installed; "
            f"pip install 'cnnbench[{tracker}]'"
        ) from None
    except Exception as error:  # other people's programs fail in their own ways
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise TrackError(f"{tracker}: {words[0][:300]}") from error


def _export(run: RunFolder, tracker: Tracker) -> str:
    from cnnbench.tracking import exporters

    match tracker:
        case Tracker.TENSORBOARD:
            return exporters.export_to_tensorboard(run)
        case Tracker.MLFLOW:
            return exporters.export_to_mlflow(run)
        case Tracker.WANDB:
            return exporters.export_to_wandb(run)
