"""What every test may count on: a process that is as it was before the test ahead of it."""

import os
import sys
from collections.abc import Iterator

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores, so each computes on one
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Put back what preparing a device changes for the whole process."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    yield
    torch = sys.modules.get("torch")
    if torch:
        torch.set_flush_denormal(False)
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False
        if threads and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
