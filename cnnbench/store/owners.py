"""Which process, on which machine, is an owner, and does it live?"""

import contextlib
import functools
import os
import platform
import time
from pathlib import Path

from cnnbench.schema import Value

__all__ = ["Owner", "owner_text", "process_lives", "this_machine", "this_process"]


class Owner(Value):
    """A process that claimed a folder.

    `machine` is one of a kind: a process number means something within it alone. `started` tells a
    process from a later one with its number, empty where the system does not say. `deaths` counts
    the owners that died before this one without a release between.
    """

    host: str
    pid: int
    since: str
    machine: str = ""
    started: str = ""
    deaths: int = 0


def owner_text(owner: Owner | None) -> str:
    """Name an owner for people."""
    if owner is None or not owner.pid:
        return "another process"
    return f"process {owner.pid} on {owner.host} since {owner.since}"


def process_lives(owner: Owner) -> bool:
    """Tell whether a process of this machine is the one that made a claim, and runs."""
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it exists, and belongs to another user
    state, started = _state_of(owner.pid)
    return state != "Z" and (not started or started == owner.started)


def _state_of(pid: int) -> tuple[str, str]:
    """Return a process's state and when it started, empty where the system does not say."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return fields[0], fields[19]
    return "", ""


def this_process() -> Owner:
    """Return this process as an owner."""
    pid = os.getpid()
    since = time.strftime("%FT%T%z")
    host, machine = platform.node(), this_machine()
    return Owner(host=host, pid=pid, since=since, machine=machine, started=_state_of(pid)[1])


@functools.cache
def this_machine() -> str:
    """Return what no other machine is called; containers on one machine count as several."""
    parts = [platform.node()]
    for place in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            path = Path(place)
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
    return " ".join(parts)
