"""What survives what? One command that prints the figures of docs/reliability.md.

python tests/faults/suite.py                 all of it, in about half an hour on two cores
python tests/faults/suite.py kills --kills 20 --failpoints 10
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fork_server import ROOT, ForkServer

sys.path.insert(0, str(ROOT))

import kills
from toy import Toy


def run_kills(toy: Toy, *, random_kills: int, failpoints: int) -> list[str]:
    """Kill cells at random and at named points, and return the figures."""
    lines = []
    references = [kills.Reference(toy, currency) for currency in kills.BUDGETS]
    rng, tally = random.Random(0), kills.Tally()
    for index in range(random_kills):
        kills.kill_at_random(references[index % len(references)], tally, rng)
        say(f"random kill {index + 1}: {tally.line()}")
    lines.append(f"kill -9 at random: {tally.line()}")
    lines += tally.wrong
    tally = kills.Tally()
    for index, point in enumerate(kills.FAILPOINTS[:failpoints]):
        kills.kill_at_failpoint(references[index % len(references)], tally, point)
        say(f"{point}: {tally.line()}")
    for point in kills.REPORT_FAILPOINTS[: max(0, failpoints - len(kills.FAILPOINTS))]:
        kills.kill_report(references[0], tally, point)
        say(f"{point}: {tally.line()}")
    lines.append(f"kill -9 at named points: {tally.line()}")
    return lines + tally.wrong


def say(text: str) -> None:
    """Show that it goes on."""
    print(f"{time.strftime('%T')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the chosen parts and print their figures; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="which parts; all without a word")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--failpoints", type=int, default=50)
    words = parser.parse_args()
    parts: dict[str, Callable[[Toy], list[str]]] = {
        "kills": lambda toy: run_kills(toy, random_kills=words.kills, failpoints=words.failpoints),
    }
    with tempfile.TemporaryDirectory() as home, ForkServer() as server:
        toy = Toy(Path(home), server)
        for name in words.parts or parts:
            for line in parts[name](toy):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
