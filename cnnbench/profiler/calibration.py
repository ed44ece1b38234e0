"""Which settings are fast on this machine, by measurement, and where is the answer kept?

A race of two seconds runs in a process of its own, once for a processor and a version of torch.
Its speeds are kept in the cache folder and go into every plan. A precision that was typed is never
questioned.
"""

import contextlib
import importlib.metadata
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import StoreError, write_text
from cnnbench.base.processes import run_verb
from cnnbench.data.pixels.cache import cache_folder
from cnnbench.engine.hardware import Hardware, choose_precision
from cnnbench.schema import Value
from cnnbench.schema.cell import Precision

__all__ = ["fastest_settings", "identity_of"]

VERSION = 1
# bf16 rounds every activation: it must be clearly faster to be chosen, and a result that moves
# with the machine's mood must not.
GAIN_WORTH_A_CHOICE = 1.15
RACE_TIMEOUT_SECONDS = 60.0


class RaceSpeeds(Value):
    """Images a second of a small convolutional network, by the way it was trained.

    `fp32` and `bf16` are measured in channels_last with every core. The faster of the two runs
    again in the other memory format, `contiguous`, and with half the threads, `half_threads`.
    None is a way that did not race. `quiet` says that nothing else ran: beside other programs
    fewer threads look faster than they are.
    """

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


def fastest_settings(requested: str, *, device: str, hardware: Hardware) -> Choice:
    """Return what a run on `device` uses; only `auto` on a CPU with bf16 needs the race's rates.

    Raises:
        ValueError: if the word for the precision is unknown.
    """
    precision = choose_precision(requested, device, hardware)
    if requested != "auto":
        why = "asked for"
    elif device != "cpu":
        why = f"the fastest that {hardware.gpu or device} offers; --precision chooses another"
    elif not hardware.cpu_bf16:
        why = f"{hardware.cpu} has no bf16 arithmetic"
    else:
        return choice_from(known_or_measured(hardware), hardware)
    return Choice(precision=precision, threads=None, why=why)


def choice_from(speeds: RaceSpeeds | None, hardware: Hardware) -> Choice:
    """Turn the speeds of a race into a choice; without them fp32 and every core are safe."""
    if speeds is None:
        return Choice(precision="fp32", threads=None, why="no race was possible; fp32 is exact")
    best: Precision = "fp32"
    speed, threads = speeds.fp32, None
    why = f"bf16 was not tried on {hardware.cpu}"
    if speeds.bf16 is not None:
        gain = speeds.bf16 / speeds.fp32
        why = f"bf16 trained {gain:.2f} times as fast as fp32 in a race on this machine"
        if gain >= GAIN_WORTH_A_CHOICE:
            best, speed = "bf16", speeds.bf16
    if speeds.quiet and (speeds.half_threads or 0.0) >= GAIN_WORTH_A_CHOICE * speed:
        threads = speeds.threads // 2
        why += f"; {threads} threads were faster than {speeds.threads}"
    return Choice(precision=best, threads=threads, why=why)


def known_or_measured(hardware: Hardware) -> RaceSpeeds | None:
    """Return the speeds kept for this machine, or race and keep them; None if the race failed.

    A cache that cannot be written costs a race each time and is no error.
    """
    with contextlib.suppress(StoreError):
        kept = _read(path_of(hardware))
        if kept is not None:
            return kept
    speeds = _raced()
    if speeds is not None:
        content = {
            "version": VERSION,
            "machine": identity_of(hardware),
            "trial": speeds.model_dump(),
        }
        with contextlib.suppress(StoreError):
            write_text(path_of(hardware), json.dumps(content, indent=1))
    return speeds


def path_of(hardware: Hardware) -> Path:
    """Return the file that holds the speeds of this processor with this torch."""
    words = json.dumps(identity_of(hardware), sort_keys=True)
    return cache_folder() / "calibration" / f"{sha256_of(words.encode())[:16]}.json"


def identity_of(hardware: Hardware) -> dict[str, str | int]:
    """Return what tells this processor, with this torch, from others."""
    torch = importlib.metadata.version("torch")
    return {"cpu": hardware.cpu, "cores": hardware.cores, "torch": torch}


def _read(path: Path) -> RaceSpeeds | None:
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != VERSION:
            return None
        return RaceSpeeds.model_validate(document["trial"])  # the key of files kept long ago
    except (OSError, ValueError, KeyError, TypeError, ValidationError):  # absent or damaged
        return None


def _raced() -> RaceSpeeds | None:
    try:
        done = run_verb("calibrate", timeout=RACE_TIMEOUT_SECONDS)
        done.check_returncode()
        return RaceSpeeds.model_validate_json(done.stdout)
    except (subprocess.SubprocessError, OSError, ValidationError):
        return None
