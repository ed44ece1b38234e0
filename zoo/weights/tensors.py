"""How are the tensors of a file read that may be damaged or hostile?

Nothing in the file is run, whatever it claims is held against its size, and what cannot be used is
refused in one line that says what was seen.
"""

import json
import pickle
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnbench.base.words import first_line
from zoo.weights.card import BadWeights, MissingWeights

__all__ = ["quoted", "read_tensors"]

_WRAPPED_IN = ("state_dict", "model_state_dict", "model")  # where training scripts put weights
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
_LONGEST_NAME = 60
_GLOBAL = re.compile(r"GLOBAL (\S+)")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a `.safetensors`, `.pth` or `.pt` file by name, in the file's order.

    The content says of which kind a file is. Floats come back as float32 on the CPU, whole numbers
    as they are.

    Raises:
        MissingWeights: there is no such file.
        BadWeights: it cannot be read, is damaged, holds anything but named tensors, or holds
            numbers that no network can start from.
    """
    where = repr(str(path))
    try:
        n_bytes = _size_of_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a damaged file it is said below what is wrong
            content = _reader(path)(path)
        return _checked(content, n_bytes)
    except FileNotFoundError:
        raise MissingWeights(f"there is no file {where}") from None
    except BadWeights as error:
        raise BadWeights(f"{where} {error}") from None
    except OSError as error:
        raise BadWeights(f"{where} cannot be read: {error.strerror or first_line(error)}") from None
    except Exception as error:  # what a damaged file makes of a reader, nobody knows
        raise BadWeights(
            f"{where} is damaged or no file of weights ({_short(first_line(error), 120)}); bring "
            "it anew from where it came"
        ) from None


def quoted(name: str) -> str:
    """Return a tensor's name for a message: quoted, on one line, not endless."""
    return repr(_short(name, _LONGEST_NAME))


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


# -- kinds of files -------------------------------------------------------------------------------


def _size_of_file(path: Path) -> int:
    if path.is_dir():
        raise BadWeights("is a folder; name the file in it")
    n_bytes = path.stat().st_size
    if not path.is_file():
        raise BadWeights("is no regular file")
    if not n_bytes:
        raise BadWeights("is empty")
    return n_bytes


def _reader(path: Path) -> Callable[[Path], Any]:
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"PK\x03\x04"):
        return _read_zip
    if start[8:9] == b"{":
        return _read_safetensors
    if start.startswith(b"\x80"):
        return _unpickled
    if start.lstrip()[:1] == b"<":
        raise BadWeights("is a web page, not weights: what was saved is the page of the download")
    raise BadWeights(
        f"is neither .safetensors nor a file of torch.save: it begins with {start[:8]!r}"
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = load_file(path)
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
    names = [name for name, _ in json.loads(header, object_pairs_hook=list)]
    _require_once(names)
    return tensors


def _read_zip(path: Path) -> Any:
    """Read what torch.save wrote, which never compresses, once the archive claims no more."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    _require_once([entry.filename for entry in entries])
    if any(Path(entry.filename).name == "constants.pkl" for entry in entries):
        raise BadWeights(
            "is a TorchScript program, not weights; save those of the module it was made of with "
            "torch.save(module.state_dict(), FILE)"
        )
    claimed, n_bytes = sum(entry.file_size for entry in entries), path.stat().st_size
    if claimed > n_bytes:
        raise BadWeights(
            f"claims to unpack {n_bytes:,} bytes into {claimed:,}, and torch.save packs nothing"
        )
    return _unpickled(path)


def _unpickled(path: Path) -> Any:
    try:
        with path.open("rb") as file:  # of a path, torch would look at the suffix
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = _GLOBAL.search(str(error))
        what = f" ({quoted(found[1])})" if found else ""
        raise BadWeights(
            f"holds more than tensors{what} or is damaged, and nothing in it was run; ask for "
            ".safetensors, or for what torch.save(model.state_dict(), FILE) writes"
        ) from None


def _require_once(names: list[str]) -> None:
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise BadWeights(f"names {quoted(name)} {times} times, and which is meant nobody can say")


# -- content --------------------------------------------------------------------------------------


def _checked(content: Any, n_bytes: int) -> dict[str, Tensor]:
    for key in _WRAPPED_IN:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise BadWeights(f"holds no tensors by name, but a {type(content).__name__}")
    if not content:
        raise BadWeights("holds no tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise BadWeights(
                f"holds other things than tensors: {quoted(str(name))} is a {type(value).__name__}"
            )
    return {name: _numbers(name, value.detach(), n_bytes) for name, value in content.items()}


def _numbers(name: str, value: Tensor, n_bytes: int) -> Tensor:
    kind = str(value.dtype).removeprefix("torch.")
    if value.layout is not torch.strided or value.is_quantized or value.device.type != "cpu":
        layout = "quantised" if value.is_quantized else str(value.layout).removeprefix("torch.")
        raise BadWeights(f"holds {quoted(name)} as {layout} {kind}; save it as plain float32")
    if value.numel() * value.element_size() > n_bytes:
        raise BadWeights(
            f"claims {value.numel():,} numbers for {quoted(name)}, more than its {n_bytes:,} bytes"
        )
    if value.dtype in _WHOLE:
        return value
    if value.dtype not in _FLOATS:
        raise BadWeights(f"holds {quoted(name)} as {kind}; save it as float32")
    numbers = value.to(torch.float32)
    if not torch.isfinite(numbers).all():
        raise BadWeights(f"holds numbers in {quoted(name)} that are infinite or none (NaN)")
    return numbers
