"""Does the memory for preparing images grow with their number?

    python benchmarks/image_memory.py 1000 10000 100000

For each count, in a process of its own: small JPEG files are written to a folder that is removed at
the end, opened as a dataset, looked at (as for a split by a seed) and decoded into a cache. Printed
are the peak resident memory beyond that of the imports, and the images a second of each step.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 48


def paint(root: Path, count: int) -> None:
    """Write `count` different JPEG files of SIDE pixels, nine tenths for training."""
    rng = np.random.default_rng(0)
    for number in range(count):
        folder = root / ("val" if number % 10 == 9 else "train") / f"class{number // 10 % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE)).save(folder / f"{number}.jpg")


def peak_mib() -> float:
    """Return the peak resident memory of this process in MiB (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(root: Path, cache: Path) -> None:
    """Open, look at and decode the images below `root`, and print what it took."""
    from cnnbench.data.open import open_dataset
    from cnnbench.data.pixels.cache import decoded
    from cnnbench.data.pixels.hashes import hash_files

    before = peak_mib()
    start = time.perf_counter()
    dataset = open_dataset(str(root))
    count = sum(map(len, dataset.splits.values()))
    opened, opened_mib = time.perf_counter(), peak_mib()
    for name in dataset.splits:
        decoded(dataset, name, 64, folder=cache)
    done, decoded_mib = time.perf_counter(), peak_mib()
    names = [name for split in dataset.splits.values() for name in split.names]
    hash_files(root, names)
    end = time.perf_counter()
    print(
        f"{count} images: opened at {count / (opened - start):.0f}/s, "
        f"decoded at {count / (done - opened):.0f}/s, looked at at {count / (end - done):.0f}/s; "
        f"peak memory +{opened_mib - before:.0f} MiB opened, +{decoded_mib - before:.0f} MiB "
        f"decoded, +{peak_mib() - before:.0f} MiB looked at",
        flush=True,
    )


def main() -> None:
    """Measure every count of the command line, each in a fresh process."""
    if sys.argv[1] == "--measure":
        measure(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    for count in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as home:
            paint(Path(home, "photos"), count)
            words = [sys.executable, __file__, "--measure", f"{home}/photos", f"{home}/cache"]
            subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
