"""Do signals, hangs, races and long runs leave processes, files or memory behind?"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fake_cells import FakeCells, with_seeds
from fork_server import ROOT
from toy import Toy, toy_flags

from cnnbench.launch.local import run_cells
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import StopSignal
from cnnbench.schema.cell import Plan
from cnnbench.store import RunFolder


def environment(toy: Toy) -> dict[str, str]:
    """Return the environment of a real run of the toy."""
    return {**os.environ, **toy.env, "PYTHONPATH": str(ROOT), "CI": "true"}


@contextlib.contextmanager
def real_run(toy: Toy, name: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a real `cnnbench run`; it and its cells are gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnbench", "run", *toy_flags(*words), "--out", name],
        cwd=toy.home,
        env=environment(toy),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        for pid in cells_of(toy.home / name):
            os.kill(pid, signal.SIGKILL)


def cells_of(run: Path) -> list[int]:
    """Return the processes that serve cells of a run, told by the log that they print to."""
    pids = []
    for pid, command in _other_processes():
        if {"cell", "cells"} & set(command.split("\0")):
            with contextlib.suppress(OSError):  # it may end while it is looked at
                if Path(f"/proc/{pid}/fd/1").readlink().is_relative_to(run / "cells"):
                    pids.append(pid)
    return pids


def commands_with(text: str) -> list[int]:
    """Return the processes with a text in their command lines."""
    return [pid for pid, command in _other_processes() if text in command]


def _other_processes() -> Iterator[tuple[int, str]]:
    """Yield every process but this one, with the words of its command between zero bytes."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace")


def wait_for(condition: object, *, seconds: float = 120.0) -> None:
    """Wait until a function is true."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@dataclass(kw_only=True, slots=True)
class Stops:
    """How fast runs stopped, and what was wrong with it."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def percentile_95(self) -> float:
        """Return the time within which 95 % stopped."""
        ordered = sorted(self.seconds)
        return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]


def stop_once(toy: Toy, number: int, stops: Stops, *, delay: float) -> None:
    """Send one signal to a run that trains, and look at what it says and leaves."""
    name = "stopped"
    subprocess.run(["rm", "-rf", str(toy.home / name)], check=True)
    with real_run(toy, name, "--budget", "1000000img") as process:
        wait_for(lambda: list((toy.home / name).glob("cells/*/checkpoint/*.json")))
        time.sleep(delay)
        start = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
        stops.seconds.append(time.monotonic() - start)
        time.sleep(0.2)
        row = json.loads((toy.home / name / "results.json").read_text())["rows"][0]
        checks = {
            f"exit code {process.returncode}": process.returncode == 128 + number,
            "no command to go on": "type again" in stderr and "--budget 1000000img" in stderr,
            f"row is {row['status']}": row["status"] == "killed",
            "an orphan": not cells_of(toy.home / name),
            "no report": (toy.home / name / "report.md").exists(),
        }
        stops.wrong += [fault for fault, right in checks.items() if not right]


def stop_twice(toy: Toy) -> tuple[float, int]:
    """Hang a cell, ask twice, and return the seconds and the exit code."""
    name = "stopped-twice"
    with real_run(toy, name, "--budget", "1000000img") as process:
        wait_for(lambda: list((toy.home / name).glob("cells/*/checkpoint/*.json")))
        (pid,) = cells_of(toy.home / name)
        os.kill(pid, signal.SIGSTOP)  # it can take no step and answer no signal
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        return time.monotonic() - start, process.returncode


def kill_launcher(toy: Toy) -> tuple[float, int]:
    """Kill the launcher; return the seconds until its cell is gone, and the steps it had saved."""
    name = "orphaned"
    with real_run(toy, name, "--budget", "1000000img") as process:
        wait_for(lambda: list((toy.home / name).glob("cells/*/checkpoint/*.json")))
        process.kill()
        start = time.monotonic()
        wait_for(lambda: not cells_of(toy.home / name), seconds=60)
        took = time.monotonic() - start
    run = RunFolder(toy.home / name)
    checkpoint = run.cell(run.plan().cells[0]).load_checkpoint()
    return took, checkpoint.steps if checkpoint else 0


def fill_disk_while_training(toy: Toy, disk: Path) -> tuple[int, str, int]:
    """Fill the disk of a run that trains; return its exit code, its last words, and the code of
    the same command once there is room again."""
    words = ("--budget", "400img")
    run = disk / "run"
    with real_run(toy, str(run), *words) as process:
        wait_for(lambda: list(run.glob("cells/*/checkpoint/*.json")))
        fill(disk / "ballast")
        _, stderr = process.communicate(timeout=120)
    (disk / "ballast").unlink()
    with real_run(toy, str(run), *words) as again:
        again.communicate(timeout=300)
    return process.returncode, stderr.strip().splitlines()[-1], again.returncode


def fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def start_at_once(folder: Path, count: int) -> tuple[int, int, int]:
    """Start writers of one folder together; return winners, refused, refused with the owner."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from cnnbench.cli import _explain\n"
        "from cnnbench.store import RunFolder\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "try:\n"
        "    with RunFolder(Path(sys.argv[1])).lock():\n"
        "        print('writing', flush=True); sys.stdin.readline()\n"
        "except Exception as error:\n"
        "    sys.exit(_explain(error))\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(count)
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    wait_for(lambda: sum(writer.poll() is None for writer in writers) <= 1)
    (winner,) = (writer for writer in writers if writer.poll() is None)
    named = refused = 0
    for writer in writers:
        _, stderr = writer.communicate("end\n" if writer is winner else None, timeout=60)
        refused += writer.returncode == 5
        named += bool(re.search(rf"in use by process {winner.pid} on ", stderr))
    return int(winner.returncode == 0), refused, named


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaks:
    """What a launcher held after a quarter of many cells, and after all."""

    cells: int
    early_bytes: int
    late_bytes: int
    files_more: int
    threads_more: int


def run_many(run: RunFolder, plan: Plan, count: int) -> Leaks:
    """Run one cell with many seeds, the cells faked, and measure the launcher."""
    many = with_seeds(plan, count)
    run.write_plan(many)
    files, threads = open_files(), threading.active_count()
    early = 0
    cells = OpenCells(run, many.cells, retries=0, again=True)
    updates = run_cells(cells, [FakeCells()], StopSignal(), hung_after=900.0)
    for index, update in enumerate(u for u in updates if u.result.status == "done"):
        del update
        if index == count // 4:
            early = resident_bytes()
    return Leaks(
        cells=count,
        early_bytes=early,
        late_bytes=resident_bytes(),
        files_more=open_files() - files,
        threads_more=threading.active_count() - threads,
    )


def open_files() -> int:
    """Return how many files this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_bytes() -> int:
    """Return the memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
