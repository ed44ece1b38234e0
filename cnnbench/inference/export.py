"""How does a network leave a run as one folder that another program can use?"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnbench.base.files import (
    StoreError,
    disk_errors,
    require_room,
    sync_file,
    sync_folder,
    write_text,
    write_whole,
)
from cnnbench.data import DataError, Progress
from cnnbench.data.pixels.cache import decoded
from cnnbench.inference import ExportFormat
from cnnbench.inference.network import LoadedNetwork
from cnnbench.inference.onnx import check_onnx, require_onnx, write_onnx
from cnnbench.inference.preprocessing import MEAN_FILE, preprocessing
from cnnbench.inference.speed import measure_speed
from cnnbench.planning.plan import open_for_cell
from cnnbench.schema.kept import OnnxCheck, Speed
from cnnbench.store import CellFolder
from cnnbench.store.network import copy_network

__all__ = ["export_network"]

Card = Callable[[Speed, OnnxCheck | None], str]
_SPARE_BYTES = 2**20


def export_network(
    network: LoadedNetwork,
    folder: CellFolder,
    out: Path,
    *,
    to: ExportFormat,
    card: Card,
    dataset: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Export the network that a cell's `folder` keeps into the folder `out`, which appears whole.

    It holds the weights, `labels.txt`, `preprocessing.json` and the model card `README.md`, which
    `card` makes of how fast the network is and, for ONNX, how it was checked on the images of the
    run: their `dataset` as it is typed here, None as the run typed it. `progress` counts those.

    Raises:
        CannotExport: if the network has no ONNX form, or one with other answers.
        DataError: if the run's images are needed and are not what they were.
        StoreError: if `out` is there already, or the disk refuses.
    """
    if to is ExportFormat.ONNX:
        require_onnx()  # before anything takes time
    with _whole_folder(out, 4 * network.kept.params + _SPARE_BYTES) as part:
        if to is ExportFormat.ONNX:
            images, logits = _tested_images(network, folder, dataset)
            speed = measure_speed(network)  # before it leaves its device
            path = part / "model.onnx"
            write_onnx(network.model, path, image_size=network.kept.image_size)
            sync_file(path)
            check = check_onnx(path, network, images, logits, progress=progress)
        else:
            copy_network(folder.path, part)
            speed, check = measure_speed(network), None
        _write_inputs(network, part)
        write_text(part / "README.md", card(speed, check))


def _write_inputs(network: LoadedNetwork, part: Path) -> None:
    """Write what another program needs to know of inputs and outputs."""
    kept = network.kept
    write_text(part / "labels.txt", "".join(f"{_one_line(name)}\n" for name in kept.classes))
    text = json.dumps(preprocessing(kept), indent=1, ensure_ascii=False)
    write_text(part / "preprocessing.json", text + "\n")
    if kept.mean is None:
        mean = np.asarray(network.mean, dtype=np.float32)
        write_whole(part / MEAN_FILE, lambda file: np.save(file, mean))


def _one_line(name: str) -> str:
    """Return a class as it is, but for what would end its line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _tested_images(
    network: LoadedNetwork, folder: CellFolder, dataset_name: str | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return the images that the run was tested on, as stored squares, and the logits it kept."""
    cell, kept, predictions = folder.cell, network.kept, folder.predictions()
    name = dataset_name or cell.dataset
    dataset = open_for_cell(name, cell.dataset_options, cell.subset, cell.holdout)
    if dataset.fingerprint != kept.dataset_fingerprint:
        raise DataError(
            f"dataset {name!r} is not what the run was tested on (fingerprint "
            f"{kept.dataset_fingerprint[:8]}, now {dataset.fingerprint[:8]}); bring the images "
            "back, or say with --dataset where they lie"
        )
    if predictions is None:
        raise StoreError(f"{folder.path} has no predictions.npz to compare with")
    return decoded(dataset, dataset.headline_split, kept.stored_size).images, predictions.logits


@contextlib.contextmanager
def _whole_folder(path: Path, needed_bytes: int) -> Iterator[Path]:
    """Yield a folder that takes the name `path` once the block has filled it, or is removed.

    Raises:
        StoreError: if there is something of that name already, or the disk refuses.
    """
    if path.exists() or path.is_symlink():
        raise StoreError(f"{path} is there already; remove it, or choose another folder with --out")
    require_room(path.parent, needed_bytes, content="the exported network")
    with disk_errors(path):
        name = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    part = Path(name)
    try:
        yield part
        with disk_errors(path):
            part.chmod(0o755)
            part.replace(path)
            sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
