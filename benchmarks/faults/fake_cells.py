"""What does a launcher see of a cell? Processes without torch that end as cells can end."""

from __future__ import annotations

import os
import subprocess
import sys

from fork_server import ROOT

from cnnbench.schema.cell import Cell, Plan
from cnnbench.store import CellFolder

# A seed without a fate leaves what a trained cell leaves.
CODE = """
import faulthandler, os, signal, subprocess, sys, time
from cnnbench.schema.budget import Spent
from cnnbench.schema.events import Finished, Stepped
from cnnbench.store import RunFolder
faulthandler.enable()
run, fate = RunFolder(sys.argv[1]), sys.argv[3]
cell = next(cell for cell in run.plan().cells if cell.id == sys.argv[2])
folder = run.cell(cell)
with folder.lock():
    folder.retry()
    for steps in range(1, 20):
        spent = Spent(steps=steps, images=steps * 8, seconds=float(steps))
        folder.append(Stepped(spent=spent, progress=steps / 20, lr=0.1, train_loss=1.0, images=8,
                              images_per_second=8.0))
    if fate == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == "hung":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600.25)"])
        time.sleep(600)
    if fate == "slow":
        for _ in range(12):
            time.sleep(1.0)
            folder.beat()
    if fate == "stopped":
        sys.exit(143)
    if fate == "crashed":
        sys.exit("this is the last line")
    folder.append(Finished(spent=spent, last_lr=0.0))
    facts = {"status": "done", "reason": "", "correct": 3, "test_images": 24, "top1": 0.125,
             "split": "val"}
    folder.write_result(folder.result().model_copy(update=facts))
"""


class FakeCells:
    """Starts fake cells; `fates` says which seed ends how: killed, hung, slow, stopped, crashed."""

    def __init__(self, **fates: int) -> None:
        self.fates = {seed: fate for fate, seed in fates.items()}

    def __call__(self, folder: CellFolder) -> subprocess.Popen[bytes]:
        """Start a fake cell, as the launcher starts a real one."""
        cell, run = folder.cell, folder.path.parents[1]
        fate = self.fates.get(cell.seed, "done")
        # Without `site`, whose start-up files would load torch's; the packages are named instead.
        path = [str(ROOT), *(word for word in sys.path if word.endswith("site-packages"))]
        with (folder.path / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-S", "-c", CODE, str(run), cell.id, fate],
                stdin=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                start_new_session=True,
            )


def with_seeds(plan: Plan, count: int) -> Plan:
    """Return a plan of its first cell with many seeds."""
    facts = plan.cells[0].model_dump()
    cells = tuple(Cell.model_validate({**facts, "seed": seed}) for seed in range(count))
    return plan.model_copy(update={"cells": cells})
