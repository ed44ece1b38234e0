"""How is a trained network kept, and how is it known that it is still the one that was kept?

The weights are written first and `model.json`, which holds their sha256, after them: weights
without it do not count.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import (
    DamagedError,
    StoreError,
    disk_errors,
    pass_failpoint,
    read_document,
    write_text,
    write_whole,
)
from cnnbench.schema.kept import VERSION, KeptNetwork

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["copy_network"]

WEIGHTS, FACTS = "model.safetensors", "model.json"
_NO_LONGER = "train the cell anew with --fresh, or take another network of the run"


def write_network(folder: Path, state: Mapping[str, Tensor], kept: KeptNetwork) -> None:
    """Keep a network: its tensors by name, then what is known of it with their hash.

    Floats are stored as float32 and every tensor row by row, wherever it lies now.

    Raises:
        StoreError: if the disk refuses.
    """
    path, digest = folder / WEIGHTS, ""

    def fill(file: IO[bytes]) -> None:
        nonlocal digest
        _save(_plain(state), file.name)
        digest = sha256_of(Path(file.name))

    write_whole(path, fill)
    whole = kept.model_copy(update={"sha256": digest})
    write_text(folder / FACTS, whole.model_dump_json(indent=1) + "\n")


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as safetensors takes them: on the host, contiguous, none within another."""
    plain: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, value in state.items():
        tensor = value.detach().cpu()
        tensor = (tensor.float() if tensor.is_floating_point() else tensor).contiguous()
        if tensor.untyped_storage().data_ptr() in places:
            tensor = tensor.clone()
        places.add(tensor.untyped_storage().data_ptr())
        plain[name] = tensor
    return plain


def _save(state: dict[str, Tensor], name: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(state, name)
    except SafetensorError as error:  # its text ends with the system's number of the error
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), str(error)) from None


def read_kept(folder: Path) -> KeptNetwork | None:
    """Return what is known of a kept network, or None where none was kept.

    Raises:
        StoreError: if `model.json` is damaged or of another version.
    """
    path = folder / FACTS
    if not path.exists():
        return None
    return read_document(path, KeptNetwork, version=VERSION, advice=_NO_LONGER)


def read_weights(folder: Path, kept: KeptNetwork) -> dict[str, Tensor]:
    """Return the tensors of a kept network by name, once the file is found to be what was written.

    Raises:
        DamagedError: if it is not.
        StoreError: if it cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        digest = sha256_of(path)
        if digest == kept.sha256:
            return dict(load_file(path))
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}; {_NO_LONGER}") from error
    except SafetensorError as error:
        raise DamagedError(f"{path} holds no tensors ({error}); {_NO_LONGER}") from None
    raise DamagedError(
        f"{path} is damaged: its sha256 is {digest[:8]}..., {FACTS} says {kept.sha256[:8]}...; "
        f"{_NO_LONGER}"
    )


def copy_network(folder: Path, target: Path) -> None:
    """Copy a kept network, weights and facts, into another folder."""
    for name in (WEIGHTS, FACTS):
        with (folder / name).open("rb") as source:
            write_whole(target / name, partial(shutil.copyfileobj, source))


def forget_network(folder: Path) -> None:
    """Remove a kept network, `model.json` first: nothing then claims the weights."""
    with disk_errors(folder):
        (folder / FACTS).unlink(missing_ok=True)
        pass_failpoint(WEIGHTS, "forgetting")
        (folder / WEIGHTS).unlink(missing_ok=True)
