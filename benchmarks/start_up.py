"""How long does it take from the command to the first training step?

    python benchmarks/start_up.py --models alexnet resnet18

Types `cnnbench run` on a small folder of drawn photos whose images are decoded already, and waits
for the event that is written when the first charged step may begin. Page cache and image cache are
warm: the first repeat only warms and is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine_line import header
from photos import write_photos

LONGEST_SECONDS = 300.0


def seconds_to_first_step(model: str, photos: Path, home: Path, image_size: int) -> float:
    """Return the seconds until the cell of a fresh run says that it started."""
    out = home / "run"
    words = ["run", "--models", model, "--dataset", str(photos), "--budget", "1h", "--fresh"]
    words += ["--image-size", str(image_size), "--out", str(out)]
    environment = {**os.environ, "CNNBENCH_CACHE": str(home / "cache"), "CI": "true"}
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnbench", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _started(out, start):
            if process.poll() is not None:
                raise RuntimeError(f"the run ended early with code {process.returncode}")
            if time.monotonic() - start > LONGEST_SECONDS:
                raise RuntimeError(f"no first step within {LONGEST_SECONDS:.0f} s")
            time.sleep(0.02)
        return time.monotonic() - start
    finally:
        process.terminate()
        process.wait()


def _started(out: Path, start: float) -> bool:
    """Tell whether a cell of this attempt, not of one before, has written its first event."""
    now = time.monotonic()
    for log in out.glob("cells/*/events.jsonl"):
        if log.stat().st_size and time.time() - log.stat().st_mtime < now - start:
            return True
    return False


def main() -> None:
    """Measure every model in turn and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["alexnet", "resnet18", "vgg11"])
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--images", type=int, default=1178)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    seen: dict[str, list[float]] = {model: [] for model in args.models}
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        photos = write_photos(home / "photos", train=args.images, val=128)
        for repeat in range(args.repeats + 1):
            for model in args.models:
                seconds = seconds_to_first_step(model, photos, home, args.image_size)
                if repeat:
                    seen[model].append(seconds)
    print(header(args.repeats))
    print("| model | seconds from the command to the first step |")
    print("|---|---:|")
    for model, values in seen.items():
        print(f"| {model} | {statistics.median(values):.1f} |")


if __name__ == "__main__":
    main()
