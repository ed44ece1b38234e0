"""Every figure of scale in one go, on a quiet machine: engines, ranks, many cells.

python benchmarks/scale.py           # two cores: half an hour
python benchmarks/scale.py --short   # what the tests run, with fewer cells and kills
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from machine_line import header

HERE = Path(__file__).parent
PARTS = (
    (["faults/engines.py"], ["--cells", "100", "--kills", "10"], ["--cells", "6", "--kills", "2"]),
    (["faults/ranks.py"], ["--kills", "20"], ["--kills", "2"]),
    (["many_cells.py"], ["--cells", "1000", "10000", "--repeats", "1"], ["--cells", "100"]),
)


def main() -> None:
    """Run each part and print what it prints; leave with 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    short = parser.parse_args().short
    print(header(repeats=1), flush=True)
    codes = []
    for script, long, brief in PARTS:
        words = [*script, *(brief if short else long)]
        print(f"\n== python benchmarks/{' '.join(words)}", flush=True)
        codes.append(subprocess.run([sys.executable, str(HERE / words[0]), *words[1:]]).returncode)
    sys.exit(any(codes))


if __name__ == "__main__":
    main()
