"""What survives what? One command that prints the figures of docs/reliability.md.

python benchmarks/faults/suite.py damage          the shortest part
python benchmarks/faults/suite.py                 all of it, in about an hour on two slow cores
python benchmarks/faults/suite.py kills --kills 20 --failpoints 10
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fork_server import ROOT, ForkServer

sys.path.insert(0, str(ROOT))

import disks
import kills
import processes
import torch
from toy import Toy

from cnnbench.store import RunFolder, checkpoints


def run_kills(toy: Toy, options: argparse.Namespace) -> list[str]:
    """Kill cells at random and at named points, and compare the bits."""
    references = [kills.Reference(toy, currency) for currency in kills.BUDGETS]
    rng, tally = random.Random(0), kills.Tally()
    for index in range(options.kills):
        kills.kill_at_random(references[index % len(references)], tally, rng)
        say(f"random kill {index + 1}: {tally.line()}")
    lines = [f"kill -9 at random: {tally.line()}", *tally.wrong]
    tally = kills.Tally()
    for index, point in enumerate(kills.FAILPOINTS[: options.failpoints]):
        kills.kill_at_failpoint(references[index % len(references)], tally, point)
        say(f"{point}: {tally.line()}")
    for point in kills.REPORT_FAILPOINTS[: max(0, options.failpoints - len(kills.FAILPOINTS))]:
        kills.kill_report(references[0], tally, point)
        say(f"{point}: {tally.line()}")
    return [*lines, f"kill -9 at named points: {tally.line()}", *tally.wrong]


def run_signals(toy: Toy, options: argparse.Namespace) -> list[str]:
    """Stop real runs with SIGINT and SIGTERM, once and twice, and kill their launcher."""
    rng, stops = random.Random(0), processes.Stops()
    for index in range(options.signals):
        processes.stop_once(toy, (2, 15)[index % 2], stops, delay=rng.uniform(0, 1))
        say(f"signal {index + 1}: {stops.seconds[-1]:.2f} s; {stops.wrong}")
    twice, code = processes.stop_twice(toy)
    gone, steps = processes.kill_launcher(toy)
    return [
        f"SIGINT, SIGTERM: {options.signals} trials, 95 % within {stops.percentile_95():.2f} s, "
        f"slowest {max(stops.seconds):.2f} s, {len(stops.wrong)} wrong",
        *stops.wrong,
        f"second signal to a cell that cannot answer: exit {code} after {twice:.2f} s",
        f"launcher killed: its cell gone after {gone:.2f} s, {steps} steps saved",
    ]


def run_disks(toy: Toy, options: argparse.Namespace) -> list[str]:
    """Fill small disks and write where it is not allowed."""
    lines = []
    for size in (2, 8, 32):
        try:
            with disks.small_disk(toy.home / "disk", size) as disk:
                good, faults = disks.fill_until_refused(disk / "checkpoint")
            lines.append(f"disk of {size} MiB full after {good} checkpoints: {faults or 'sound'}")
        except subprocess.CalledProcessError:
            lines.append(f"disk of {size} MiB: mounting is not allowed here, not tried")
    with contextlib.suppress(subprocess.CalledProcessError):
        with disks.small_disk(toy.home / "disk", 8) as disk:
            code, said, again = processes.fill_disk_while_training(toy, disk)
        lines.append(f"disk filled while a run trains: exit {code}: {said}")
        lines.append(f"the same command with room again: exit {again}")
    if os.geteuid() == 0:
        toy.home.chmod(0o755)
        folder = toy.home / "foreign"
        folder.mkdir()
        start = time.monotonic()
        code, said = disks.write_as_nobody(folder)
        took = time.monotonic() - start
        lines.append(f"folder of somebody else: exit {code} after {took:.2f} s: {said.strip()}")
    return lines


def run_damage(toy: Toy, options: argparse.Namespace) -> list[str]:
    """Damage checkpoints and feed hostile ones."""
    folder, rng = toy.home / "checkpoint", random.Random(0)
    for steps in (1, 2):
        checkpoints.save(folder, {"weight": torch.full((500,), float(steps))}, steps=steps)
    lines = []
    for name, how, count in (
        ("bit flips", disks.flip_bit, 100),
        ("truncations", disks.truncate, 20),
    ):
        caught = sum(disks.damage(folder, rng, how) for _ in range(count))
        lines.append(f"{name} of a checkpoint or its sidecar: {caught} of {count} caught")
    for forced in ("", "1"):
        os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = forced or "0"
        mark = toy.home / "mark"
        states = disks.payloads(mark)
        refused = sum(disks.is_refused(toy.home / "hostile", mark, s) for s in states.values())
        lines.append(
            f"hostile pickles, weights_only forced off: {bool(forced)}: "
            f"{refused} of {len(states)} refused without effect"
        )
    return lines


def run_races(toy: Toy, options: argparse.Namespace) -> list[str]:
    """Start many writers at once, and many cells one after another."""
    writers, refused, named = processes.start_at_once(toy.home / "race", options.starts)
    planned = toy.plan("planned-many", "--budget", "80img")
    leaks = processes.run_many(RunFolder(toy.home / "many"), planned.plan(), options.cells)
    more = (leaks.late_bytes - leaks.early_bytes) / 2**20
    return [
        f"{options.starts} simultaneous starts: {writers} writer, {refused} left with code 5, "
        f"{named} of them named it",
        f"{leaks.cells} cells: the launcher held {more:+.2f} MiB more at the end than after a "
        f"quarter, {leaks.files_more} more files, {leaks.threads_more} more threads",
    ]


PARTS: dict[str, Callable[[Toy, argparse.Namespace], list[str]]] = {
    "damage": run_damage,
    "disks": run_disks,
    "races": run_races,
    "signals": run_signals,
    "kills": run_kills,
}


def say(text: str) -> None:
    """Show that it goes on."""
    print(f"{time.strftime('%T')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Run the chosen parts and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)}; all if none")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--failpoints", type=int, default=50)
    parser.add_argument("--signals", type=int, default=50)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--cells", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, ForkServer() as server:
        toy = Toy(Path(home), server)
        for name in options.parts or PARTS:
            for line in PARTS[name](toy, options):
                print(line, flush=True)


if __name__ == "__main__":
    main()
