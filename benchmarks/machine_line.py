"""On what was a table measured: machine, versions, date and command, in the words of a table."""

from __future__ import annotations

import datetime
import importlib.metadata
import shlex
import sys
from pathlib import Path

from cnnbench.engine.hardware import choose_device, detect, machine_line

LIBRARIES = ("torch", "torchvision", "timm")


def header(repeats: int) -> str:
    """Return the lines that stand above a table: on what, with what, when, how, how often."""
    hardware = detect()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    script = Path(sys.argv[0])
    command = shlex.join(["python", f"{script.parent.name}/{script.name}", *sys.argv[1:]])
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"{machine_line(hardware, choose_device('auto', hardware))}; {versions}; {today}; "
        f"medians of {repeats} alternating repeats: `{command}`\n"
    )
