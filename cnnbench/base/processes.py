"""What may this process use of the machine, and how is a verb run in a process of its own?"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import TypeVar

from cnnbench.base.environment import isolated_environment

__all__ = ["child_environment", "death_of", "in_threads", "others_running"]
__all__ += ["recent_load", "run_verb", "spawned_pool", "usable_cores", "verb_command"]

A = TypeVar("A")
R = TypeVar("R")
_LOOKS, _BETWEEN_LOOKS_SECONDS = 5, 0.02
_CHUNK = 128  # items that a pool of threads is given at once: it holds an object for each

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


def others_running() -> int:
    """Return how many threads run beside this one, the fewest of a few looks; 0 if unknown.

    Unlike the load of the last minute it forgets at once what this program itself did before.
    """
    counts = []
    for _ in range(_LOOKS):
        try:  # Linux: "0.31 0.22 0.10 2/345 6789", two of 345 threads run, one of them this one
            counts.append(int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) - 1)
        except (OSError, ValueError, IndexError):
            return 0
        time.sleep(_BETWEEN_LOOKS_SECONDS)
    return max(0, min(counts))


def in_threads(function: Callable[[A], R], items: Sequence[A]) -> Iterator[R]:
    """Yield what a function that lets other threads run makes of each item, in order."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(items), _CHUNK):
            yield from pool.map(function, items[start : start + _CHUNK])


def spawned_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of processes that end with this one.

    They are spawned, because a forked child of a process that runs torch threads can hang.
    """
    with _as_for_children():  # it starts a process of its own that tracks semaphores
        return ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_end_with_parent)


class _Worker(SpawnProcess):
    """A spawned process that takes no module from the working folder."""

    def start(self) -> None:
        with _as_for_children():
            super().start()


class _Context(SpawnContext):
    Process = _Worker


@contextlib.contextmanager
def _as_for_children() -> Iterator[None]:
    """Have the environment of children for a moment: multiprocessing passes on this process's."""
    changed = child_environment().items() - os.environ.items()
    before = {name: os.environ.get(name) for name, _ in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end_with_parent() -> None:
    """Let a worker end when the process that it works for was killed: nobody else would."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def child_environment() -> dict[str, str]:
    """Return the environment of a Python that works for this one and tells it all in UTF-8."""
    return isolated_environment() | {"PYTHONIOENCODING": "utf-8"}


def verb_command(*words: str) -> list[str]:
    """Return the command that runs a verb of this very cnnbench with this very Python.

    Start it with `child_environment`.
    """
    return [sys.executable, "-P", str(Path(__file__).parents[1] / "__main__.py"), *words]


def run_verb(*words: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end and capture what it prints."""
    return subprocess.run(
        verb_command(*words),
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        env=_QUIET | child_environment(),
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
