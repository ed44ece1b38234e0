"""What happens where the disk is full, read-only, or gives back other bytes than it was given?"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from fork_server import ROOT

from cnnbench.base.digests import sha256_of
from cnnbench.store import StoreError, checkpoints

NOBODY = 65534


@contextlib.contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Path]:
    """Mount a memory disk of a few MiB; raises CalledProcessError where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_mib}m"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        check=True,
        capture_output=True,
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_until_refused(folder: Path) -> tuple[int, list[str]]:
    """Save checkpoints that grow until the disk refuses; return the last good one and faults."""
    good, values = 0, 1024
    faults: list[str] = []
    while True:
        try:
            checkpoints.save(folder, {"weight": torch.full((values,), 1.0)}, steps=good + 1)
        except StoreError as error:
            if "free some space" not in str(error):
                faults.append(f"it says {error}")
            break
        good, values = good + 1, values * 2
    loaded = checkpoints.load(folder)
    if loaded is None or loaded.steps != good:
        faults.append(f"the last good state is {good}, loaded was {loaded and loaded.steps}")
    faults += [f"{path.name} is left" for path in folder.glob(".*")]
    return good, faults


def damage(folder: Path, rng: random.Random, how: Callable[[bytes, random.Random], bytes]) -> bool:
    """Damage the newest checkpoint or its sidecar, tell whether that was caught, and repair it."""
    newest = sorted(folder.glob("step-*.pt"))[-1]
    before = int(newest.stem.split("-")[1]) - 1
    path = rng.choice([newest, newest, newest, newest.with_suffix(".json")])
    whole = path.read_bytes()
    path.write_bytes(how(whole, rng))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = checkpoints.load(folder)
    finally:
        path.write_bytes(whole)
    return bool(caught) and loaded is not None and loaded.steps == before


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one bit turned over."""
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Return the beginning of the bytes."""
    return data[: rng.randrange(len(data))]


class Payload:
    """An object whose unpickling calls a function: what a hostile checkpoint holds."""

    def __init__(self, call: Callable[..., Any], *words: Any) -> None:
        self._call, self._words = call, words

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call, self._words


def payloads(mark: Path) -> dict[str, Any]:
    """Return hostile states; each would leave the file `mark` if it were obeyed."""
    touch = f"touch {mark}"
    code = f"open({str(mark)!r}, 'w').close()"
    return {
        "os.system": Payload(os.system, touch),
        "subprocess": Payload(subprocess.call, ["touch", str(mark)]),
        "eval": Payload(eval, f"__import__('os').system({touch!r})"),
        "exec": Payload(exec, code),
        "mknod": Payload(os.mknod, str(mark)),
        "path": Payload(Path.touch, mark),
        "nested": {"model": {"weight": [Payload(exec, code)]}},
        "as a key": {Payload(os.system, touch): 1},
        "getattr": Payload(getattr, Payload(os.system, touch), "real"),
        "beside tensors": {"weight": torch.zeros(3), "rng": Payload(os.system, touch)},
    }


def feed(folder: Path, state: Any) -> None:
    """Put a hostile state in the place of a checkpoint, with a hash and a seal that are right."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "step-000000001.pt"
    torch.save(state, path)
    sidecar: dict[str, object] = {
        "version": checkpoints.VERSION,
        "steps": 1,
        "log_bytes": 0,
        "sha256": sha256_of(path),
        "torch": torch.__version__,
    }
    text = json.dumps({**sidecar, "seal": checkpoints._seal(sidecar)})
    path.with_suffix(".json").write_text(text)


def is_refused(folder: Path, mark: Path, state: Any) -> bool:
    """Tell whether a hostile state was refused and had no effect."""
    shutil.rmtree(folder, ignore_errors=True)
    feed(folder, state)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checkpoints.load(folder)
    except StoreError:
        return not mark.exists()
    return False


def write_as_nobody(folder: Path) -> tuple[int, str]:
    """Take a run folder's lock as an ordinary user; return the exit code and stderr."""
    code = (
        "import sys\n"
        "from cnnbench.cli import _explain\n"
        "from cnnbench.store import RunFolder\n"
        "try:\n"
        "    with RunFolder(sys.argv[1]).lock():\n"
        "        pass\n"
        "except Exception as error:\n"
        "    sys.exit(_explain(error))\n"
    )
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = subprocess.run(
        ["setpriv", *user, sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.returncode, done.stderr
