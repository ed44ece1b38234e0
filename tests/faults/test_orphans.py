"""Processes that work for one that was killed end too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fork_server import ROOT
from processes import wait_for

from cnnbench.base.processes import usable_cores

CODE = """
import os, time
from cnnbench.data.pixels.ingest import _pool
class Source:
    releases_gil = False
if __name__ == "__main__":
    pool = _pool(Source(), 2)
    pool.submit(os.getpid).result()
    print(*pool._processes, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(usable_cores() < 2, reason="one core needs no workers")
def test_workers_that_draw_images_end_when_their_process_is_killed():
    process = subprocess.Popen(
        [sys.executable, "-c", CODE],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    workers = [Path("/proc") / pid for pid in process.stdout.readline().split()]
    assert workers
    assert all(worker.exists() for worker in workers)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(worker.exists() for worker in workers), seconds=30)
