"""Does a cell on several devices end with the same bits whichever of its ranks is killed, and when?

python benchmarks/faults/ranks.py --kills 20
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from fork_server import ROOT, ForkServer

sys.path.insert(0, str(ROOT))

from kills import facts_of, log_of, torn_files
from toy import Toy

from cnnbench.store import RunFolder

RANKS = 2
BUDGET = "4800img"  # more would have its speed measured first
HUNG_SECONDS = 240.0  # a cell that was launched twice takes a tenth of it


@dataclass(kw_only=True, slots=True)
class Tally:
    """What came of killed ranks."""

    killed: int = 0
    at_start: int = 0
    finished: int = 0
    hung: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Return the figures in one line."""
        return (
            f"{self.killed} ranks killed, {self.at_start} of them before their first checkpoint: "
            f"{self.finished} cells finished, {self.hung} hung, {len(self.wrong)} wrong; "
            f"slowest {max(self.seconds, default=0.0):.1f} s"
        )


class Reference:
    """A cell of several ranks that nothing happened to, and what it left."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        words = ("--devices", str(RANKS), "--precision", "fp32", "--budget", BUDGET)
        self.planned = toy.plan("planned-ranks", *words)
        self.whole = toy.copy(self.planned, "whole-ranks")
        start = time.monotonic()
        assert toy.serve(self.whole) == 0, log_of(self.whole)
        self.seconds = time.monotonic() - start
        self.facts = facts_of(self.whole)


def ranks_of(run: RunFolder) -> dict[int, int]:
    """Return the process of each rank that serves a cell of a run."""
    pids = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it may end while it is looked at
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "--rank" in words and str(run.path) in words:
                    variables = (entry / "environ").read_bytes().decode(errors="replace")
                    named = dict(line.partition("=")[::2] for line in variables.split("\0"))
                    pids[int(named["RANK"])] = int(entry.name)
    return pids


def kill_a_rank(reference: Reference, tally: Tally, rng: random.Random) -> None:
    """Kill one rank at a random moment of its cell, wait for the end, and compare the bits."""
    toy = reference.toy
    run = toy.copy(reference.planned, "trial-ranks")
    cell = run.plan().cells[0]
    folder, rank = run.cell(cell), rng.randrange(RANKS)
    moment = rng.uniform(0, reference.seconds)
    log = folder.path / "log.txt"
    start = time.monotonic()
    child = toy.server.start(toy.cell_words(run, cell), cwd=toy.home, log=log, env=toy.env)
    watchdog = threading.Timer(HUNG_SECONDS, child.kill)
    watchdog.start()
    time.sleep(moment)
    while watchdog.is_alive() and not folder.is_final():
        if rank in (pids := ranks_of(run)):
            tally.at_start += not list(folder.path.glob("checkpoint/*.json"))
            os.kill(pids[rank], signal.SIGKILL)
            tally.killed += 1
            break
        time.sleep(0.02)  # it is not started yet
    code = child.wait()
    tally.hung += not watchdog.is_alive()
    watchdog.cancel()
    tally.seconds.append(time.monotonic() - start)
    what = f"rank {rank} after {moment:.2f} s"
    if code != 0:
        tally.wrong.append(f"{what}: exit code {code}: {log_of(run)}")
        return
    tally.finished += 1
    facts = facts_of(run)
    differing = [name for name in facts if facts[name] != reference.facts[name]]
    tally.wrong += [f"{what}: {name} differs" for name in differing]
    tally.wrong += [f"{what}: {fault}" for fault in torn_files(run)]
    tally.wrong += [f"{what}: a rank is left" for _ in ranks_of(run)]


def main() -> None:
    """Kill ranks until as many were hit as were asked for, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    rng, tally = random.Random(0), Tally()
    with tempfile.TemporaryDirectory() as home, ForkServer() as server:
        reference = Reference(Toy(Path(home), server))
        print(f"unkilled, {RANKS} ranks: {reference.seconds:.1f} s", flush=True)
        while tally.killed < options.kills:
            kill_a_rank(reference, tally, rng)
            print(f"{time.strftime('%T')} {tally.line()}", file=sys.stderr, flush=True)
    print(tally.line())
    for fault in tally.wrong:
        print(fault)


if __name__ == "__main__":
    main()
