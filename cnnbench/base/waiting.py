"""How is another process of this machine waited for without seeming dead?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["waited_lock"]


@contextmanager
def waited_lock(path: Path, on_wait: Callable[[], object]) -> Iterator[None]:
    """Hold a file lock; `on_wait` is called each second that another process has it."""
    lock = FileLock(path)
    while True:
        with suppress(Timeout):
            lock.acquire(timeout=1.0)
            break
        on_wait()
    try:
        yield
    finally:
        lock.release()
