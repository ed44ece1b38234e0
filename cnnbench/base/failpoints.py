"""At which moments around a durable write can a test make the process die?

`CNNBENCH_FAILPOINT=FILE:STAGE:COUNT` ends the process with SIGKILL when the file name pattern FILE
reaches STAGE for the COUNT-th time: `result.json:replaced:1`, `step-*.pt:written:2`. Nothing is
caught, flushed or tidied up, as when the power of the process is cut.
"""

from __future__ import annotations

import fnmatch
import os
import signal
from collections import Counter
from typing import Literal

VARIABLE = "CNNBENCH_FAILPOINT"

Stage = Literal["opened", "written", "synced", "replaced", "done", "torn", "pruning", "forgetting"]

# How often each point was passed in this process. Only a process that is about to die counts.
_passed: Counter[str] = Counter()


def pass_failpoint(name: str, stage: Stage) -> None:
    """Die here if the environment says so; `name` is that of the file being written."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    pattern, where, count = wanted.rsplit(":", 2)
    if where == stage and fnmatch.fnmatchcase(name, pattern):
        _passed[stage] += 1
        if _passed[stage] == int(count):
            os.kill(os.getpid(), signal.SIGKILL)
