"""Does every engine give each cell one result, the same bits, while its workers are killed?

Run `python benchmarks/faults/engines.py` on a quiet machine of two cores: 100 trivial cells on Ray,
on submitit's local cluster and on four `cnnbench work` processes, one in ten of whose processes is
killed, then again without kills, for the seconds that an engine costs a cell.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fork_server import ROOT
from processes import cells_of, commands_with

from cnnbench.store import RunFolder

BUDGET = "64img"
ENGINES = ("local", "ray", "slurm", "work")
AT_ONCE = {"local": 2, "ray": 2, "slurm": 2, "work": 4}
# One thread a cell everywhere: bits depend on their number.
WORDS = {
    "local": ["--jobs", "2", "--keep", "none"],
    "ray": ["--executor", "ray", "--jobs", "2", "--retries", "20", "--keep", "none"],
    "slurm": ["--executor", "slurm", "--jobs", "2", "--retries", "20", "--keep", "none",
              "--slurm", "cluster=local", "--slurm", "array_parallelism=1"],
    "work": ["--executor", "workers"],
}  # fmt: skip
# What stands in the command line of the processes that an engine starts on each machine.
WORKERS = {"ray": "ray::_train", "slurm": "submitit.core._submit", "work": "cnnbench\0work"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an engine made of the cells; `hashes` are of predictions, by cell."""

    engine: str
    cells: int
    done: int
    kills: int
    overhead_seconds: float
    results_a_cell: int
    hashes: dict[str, str]


def measure(engine: str, home: Path, *, cells: int, kills: int, seed: int = 0) -> Outcome:
    """Run the cells on an engine, killing processes at random moments meanwhile."""
    run = RunFolder(home / f"{engine}-{kills}")
    log = (home / f"{engine}-{kills}.log").open("wb")
    words = ["run", "--models", "lenet5-relu", "--dataset", "digits", "--budget", BUDGET]
    words += ["--image-size", "32", "--precision", "fp32", "--seeds", str(cells)]
    process = _start([*words, "--evaluations", "1", "--out", str(run.path), *WORDS[engine]], log)
    over, n_killed = threading.Event(), 0
    with _helpers(engine, run, log, over):
        rng, killed_at = random.Random(seed), set[int]()
        while process.poll() is None:
            n_done = _count(run)
            due = n_killed < kills and n_done * kills >= n_killed * cells
            if due and n_done not in killed_at and (victim := _victim(engine, run.path, rng)):
                time.sleep(rng.uniform(0, 0.3))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    n_killed += 1
                    killed_at.add(n_done)
            time.sleep(0.05)
        over.set()
    log.close()
    return _outcome(engine, run, kills=n_killed)


@contextlib.contextmanager
def started(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a real cnnbench, which is gone afterwards."""
    with log.open("wb") as file:
        process = _start(words, file)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _start(words: list[str], log: object, core: int | None = None) -> subprocess.Popen[bytes]:
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    return subprocess.Popen(
        [*pinned, sys.executable, "-m", "cnnbench", *words],
        stdout=log,  # type: ignore[arg-type]
        stderr=log,  # type: ignore[arg-type]
        env={**os.environ, "PYTHONPATH": str(ROOT), "CI": "true"},
    )


@contextlib.contextmanager
def _helpers(engine: str, run: RunFolder, log: object, over: threading.Event) -> Iterator[None]:
    """Keep four workers at the folder, as a cluster would that starts again what died."""
    if engine != "work":
        yield
        return

    def keep(core: int) -> None:
        while not (run.path / "plan.json").exists() and not over.is_set():
            time.sleep(0.1)
        while not over.is_set():
            worker = _start(
                ["work", str(run.path), "--retries", "20", "--keep", "none"], log, core % 2
            )
            if worker.wait() == 0:
                return

    threads = [threading.Thread(target=keep, args=(core,)) for core in range(AT_ONCE["work"])]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def _victim(engine: str, run: Path, rng: random.Random) -> int | None:
    """Return a process of the engine or of a cell, as often the one as the other."""
    kinds = [commands_with(WORKERS[engine]), cells_of(run)]
    some = [pids for pids in kinds if pids]
    return rng.choice(rng.choice(some)) if some else None


def _count(run: RunFolder) -> int:
    return len(list(run.path.glob("cells/*/result.json")))


def _outcome(engine: str, run: RunFolder, *, kills: int) -> Outcome:
    results = [(cell, run.result(cell)) for cell in run.plan().cells]
    done = [(cell, result) for cell, result in results if result.status == "done"]
    ends = sorted((run.cell(cell).path / "result.json").stat().st_mtime for cell, _ in done)
    # From the end of the first cell on: imports, and the start of the engine, are behind it.
    at_once = AT_ONCE[engine]
    seconds_a_cell = at_once * (ends[-1] - ends[0]) / max(len(ends) - at_once, 1)
    own = sum(result.seconds.total or 0.0 for _, result in done) / len(done)
    hashes: dict[str, str] = {}
    for cell, _ in done:
        predictions = run.predictions(cell)
        assert predictions is not None
        hashes[cell.id] = hashlib.sha256(np.ascontiguousarray(predictions.logits)).hexdigest()
    finished = [sum(e.kind == "finished" for e in run.events(cell)) for cell, _ in done]
    return Outcome(
        engine=engine,
        cells=len(results),
        done=len(done),
        kills=kills,
        overhead_seconds=seconds_a_cell - own,
        results_a_cell=max(finished),
        hashes=hashes,
    )


def main() -> None:
    """Print a line for each engine, with and without kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--engines", default=",".join(ENGINES))
    given = parser.parse_args()
    titles = ("cells", "killed", "done", "once", "same bits", "s a cell")
    print("engine  " + "".join(f"{title:>10}" for title in titles), flush=True)
    with tempfile.TemporaryDirectory(prefix="engines-") as name:
        reference: dict[str, str] = {}
        for engine in given.engines.split(","):
            for kills in (0, given.kills) if engine != "local" else (0,):
                got = measure(engine, Path(name), cells=given.cells, kills=kills)
                reference = reference or got.hashes
                same = sum(got.hashes[cell] == reference.get(cell) for cell in got.hashes)
                once = "yes" if got.results_a_cell == 1 else "NO"
                overhead = f"{got.overhead_seconds:.2f}"
                words = (got.cells, got.kills, got.done, once, same, overhead)
                print(f"{engine:8}" + "".join(f"{word:>10}" for word in words), flush=True)


if __name__ == "__main__":
    main()
