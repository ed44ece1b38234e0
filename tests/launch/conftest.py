"""Let these tests import the fake cells and the engines' script, which lie in benchmarks/faults."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "faults"))
