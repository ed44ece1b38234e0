"""What may this process use of the machine, and how is a verb run in a process of its own?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

__all__ = ["death_of", "recent_load", "run_verb", "usable_cores", "verb_command"]

# torch.profiler and its daemon greet on stderr, where an error is looked for.
_QUIET = {"KINETO_LOG_LEVEL": "99", "KINETO_USE_DAEMON": "0"}


def usable_cores() -> int:
    """Return how many cores this process may use; the machine can have more."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def recent_load() -> float:
    """Return how many cores were busy over the last minute, 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def verb_command(*words: str) -> list[str]:
    """Return the command that runs a verb of cnnbench with this very Python."""
    return [sys.executable, "-m", "cnnbench", *words]


def run_verb(*words: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end and capture what it prints."""
    return subprocess.run(
        verb_command(*words),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        env={**_QUIET, **os.environ},
    )


def death_of(code: int) -> str:
    """Say which signal killed a process, from its negative exit code.

    >>> death_of(-9), death_of(-11)
    ('killed by SIGKILL (possibly out of memory)', 'killed by SIGSEGV')
    """
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        name = f"signal {-code}"
    return f"killed by {name}{' (possibly out of memory)' if -code == signal.SIGKILL else ''}"
