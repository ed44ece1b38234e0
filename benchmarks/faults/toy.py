"""What is the smallest real run: drawn squares in a folder, LeNet-5, a second of training?"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from fork_server import ForkServer
from PIL import Image

from cnnbench.schema.cell import Cell
from cnnbench.store import RunFolder

WORDS = ("--models", "lenet5-relu", "--dataset", "./photos", "--image-size", "32")
WORDS += ("--batch-size", "8", "--evaluations", "4", "--device", "cpu")
CHECKPOINT_SECONDS = 0.05


def toy_flags(*words: str) -> list[str]:
    """Return the toy's flags with those of `words` in place of its own: each may be typed once."""
    flags: dict[str, list[str]] = {}
    for word in (*WORDS, *words):
        if word.startswith("--"):
            flags[word] = typed = [word]
        else:
            typed.append(word)
    return [word for typed in flags.values() for word in typed]


def make_photos(home: Path) -> Path:
    """Write 16 pictures of 16 x 16 pixels a class for training and 8 for the test."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 8)):
        for label, shade in (("apple", 40), ("pear", 120), ("plum", 200)):
            folder = home / "photos" / split / label
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(shade - 40, shade + 40, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return home / "photos"


class Toy:
    """A home with pictures and a cache, and planned runs in it that can be copied."""

    def __init__(self, home: Path, server: ForkServer) -> None:
        self.home, self.server = home, server
        self.env = {
            "CNNBENCH_CACHE": str(home / "cache"),
            "CNNBENCH_CHECKPOINT_SECONDS": str(CHECKPOINT_SECONDS),
        }
        make_photos(home)

    def plan(self, name: str, *words: str) -> RunFolder:
        """Plan a run without training it; later words win over the toy's own."""
        import json

        from cnnbench.schema.cell import Plan

        log = self.home / f"{name}.plan.json"
        log.unlink(missing_ok=True)
        code = self.server.run(
            ["run", *toy_flags(*words), "--out", name, "--dry-run", "--json"],
            cwd=self.home,
            log=log,
            env=self.env,
        )
        assert code == 0, log.read_text()
        run = RunFolder(self.home / name)
        said = log.read_text()  # of a budget in seconds also that a speed is measured
        run.write_plan(Plan.model_validate(json.loads(said[said.index("{") :])["plan"]))
        return run

    def copy(self, run: RunFolder, name: str) -> RunFolder:
        """Return a fresh copy of a run folder."""
        shutil.rmtree(self.home / name, ignore_errors=True)
        shutil.copytree(run.path, self.home / name)
        return RunFolder(self.home / name)

    def cell_words(self, run: RunFolder, cell: Cell) -> list[str]:
        """Return the words that serve one cell, as the launcher types them."""
        return ["cell", "--keep", "--run", str(run.path), "--id", cell.id]

    def serve(self, run: RunFolder, **env: str) -> int:
        """Serve the first cell of a run to its end and return the exit code."""
        cell = run.plan().cells[0]
        log = run.cell(cell).path / "log.txt"
        words = self.cell_words(run, cell)
        return self.server.run(words, cwd=self.home, log=log, env={**self.env, **env})
