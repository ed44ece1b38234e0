"""Which settings are fast on this machine, by measurement, and where is the answer kept?

A race of two seconds runs in a process of its own, once for a processor and a version of torch.
Its rates are kept in the cache folder and go into every plan. A precision that was typed is never
questioned.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from cnnbench.base.files import StoreError, write_whole
from cnnbench.data.pixels.cache import cache_folder
from cnnbench.engine.hardware import Hardware, choose_precision
from cnnbench.schema.cell import Precision

__all__ = ["Choice", "RaceRates", "settle"]

VERSION = 1
# bf16 rounds every activation: it must be clearly faster to be chosen, and a result that moves
# with the machine's mood must not.
GAIN_WORTH_A_CHOICE = 1.15
RACE_TIMEOUT_SECONDS = 60.0


class RaceRates(BaseModel):
    """Images a second of a small convolutional network, by the way it was trained.

    `fp32` and `bf16` are measured in channels_last with every core. The faster of the two runs
    again in the other memory format, `contiguous`, and with half the threads, `half_threads`.
    None is a way that did not race. `quiet` says that nothing else ran: beside other programs
    fewer threads look faster than they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fp32: float
    bf16: float | None
    contiguous: float
    half_threads: float | None
    threads: int
    quiet: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a run on `auto` uses, and why, in words for the plan."""

    precision: Precision
    threads: int | None
    why: str


def settle(requested: str, *, device: str, hardware: Hardware) -> Choice:
    """Return what a run on `device` uses; only `auto` on a processor with bf16 needs a race.

    Raises:
        ValueError: if the word for the precision is unknown.
    """
    promised = choose_precision(requested, device, hardware)
    if requested != "auto":
        return Choice(precision=promised, threads=None, why="asked for")
    if device != "cpu":
        return Choice(precision=promised, threads=None, why=f"what {device} multiplies fastest")
    if not hardware.cpu_bf16:
        return Choice(precision="fp32", threads=None, why=f"{hardware.cpu} has no bf16 arithmetic")
    return choice_from(known_or_measured(hardware), hardware)


def choice_from(rates: RaceRates | None, hardware: Hardware) -> Choice:
    """Turn the rates of a race into a choice; without them fp32 and every core are safe."""
    if rates is None:
        return Choice(precision="fp32", threads=None, why="no trial was possible; fp32 is exact")
    best: Precision = "fp32"
    if rates.bf16 is None:
        why = f"bf16 was not tried on {hardware.cpu}"
    else:
        gain = rates.bf16 / rates.fp32
        best = "bf16" if gain >= GAIN_WORTH_A_CHOICE else "fp32"
        why = f"bf16 trained {gain:.2f} times as fast as fp32 in a trial on this machine"
    rate = rates.bf16 if best == "bf16" and rates.bf16 else rates.fp32
    half = rates.half_threads if rates.quiet else None
    fewer = half is not None and half >= GAIN_WORTH_A_CHOICE * rate
    if fewer:
        why += f"; {rates.threads // 2} threads were faster than {rates.threads}"
    return Choice(precision=best, threads=rates.threads // 2 if fewer else None, why=why)


def known_or_measured(hardware: Hardware, *, folder: Path | None = None) -> RaceRates | None:
    """Return the rates kept for this machine, or race and keep them; None if the race failed.

    `folder` replaces the cache folder. A cache that cannot be written costs a race each time and
    is no error.
    """
    path = path_of(hardware, folder=folder)
    kept = _read(path)
    if kept is not None:
        return kept
    rates = _raced()
    if rates is not None:
        document = {"version": VERSION, "machine": _identity(hardware), "trial": rates.model_dump()}
        with contextlib.suppress(StoreError):
            write_whole(path, lambda file: file.write(json.dumps(document, indent=1).encode()))
    return rates


def path_of(hardware: Hardware, *, folder: Path | None = None) -> Path:
    """Return the file that holds the rates of this processor with this torch."""
    words = json.dumps(_identity(hardware), sort_keys=True)
    name = hashlib.sha256(words.encode()).hexdigest()[:16]
    return (folder or cache_folder()) / "calibration" / f"{name}.json"


def _identity(hardware: Hardware) -> dict[str, str | int]:
    torch = importlib.metadata.version("torch")
    return {"cpu": hardware.cpu, "cores": hardware.cores, "torch": torch}


def _read(path: Path) -> RaceRates | None:
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != VERSION:
            return None
        return RaceRates.model_validate(document["trial"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):  # absent or damaged
        return None


def _raced() -> RaceRates | None:
    command = [sys.executable, "-m", "cnnbench", "calibrate"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=RACE_TIMEOUT_SECONDS,
            check=True,
        )
        return RaceRates.model_validate_json(done.stdout)
    except (subprocess.SubprocessError, OSError, ValidationError):
        return None
