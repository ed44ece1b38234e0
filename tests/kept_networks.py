"""What tests of kept networks share: facts without a training, and one real tiny training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cnnbench.base.wilson import wilson
from cnnbench.engine.clock import Clock
from cnnbench.engine.device import Device
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import Request
from cnnbench.runner.cell import run_cell
from cnnbench.runner.inputs import CellContext
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts, Plan, Precision
from cnnbench.schema.kept import KeptNetwork, Speed
from cnnbench.schema.origin import Origin
from cnnbench.schema.recipes import make_recipe
from cnnbench.schema.result import BudgetUsed
from cnnbench.store import CellFolder, RunFolder

CLASSES = ("apple", "pear", "plum")
PHOTO = (480, 360)  # a JPEG that is decoded at half its size
SPEED = Speed(
    machine="a machine",
    threads=2,
    files="JPEG of 640 x 480 pixels",
    images=64,
    images_per_second=123.4,
    batch_size=32,
    one_image_ms=8.0,
    one_image_ms_5=7.0,
    one_image_ms_95=12.3,
)


def facts(cell: Cell, *, correct: int = 61, images: int = 128, **changes: Any) -> KeptNetwork:
    """Return what would be known of a cell's network."""
    low, high = wilson(correct, images)
    known = {
        "cell": cell.id,
        "model": cell.model,
        "init": "common",
        "classes": CLASSES,
        "image_size": cell.image_size,
        "stored_size": cell.stored_size,
        "decode_version": 2,
        "max_megapixels": 50,
        "views": 1,
        "mean": (0.1, 0.2, 0.3),
        "std": (0.2, 0.2, 0.2),
        "precision": "fp32",
        "device": "cpu",
        "recipe": cell.recipe.name,
        "budget": BudgetUsed(currency=cell.budget.currency, limit=cell.budget.limit, used=1.0),
        "seed": cell.seed,
        "dataset": "photos",
        "dataset_title": "photos",
        "dataset_fingerprint": cell.dataset_fingerprint,
        "train_images": 30,
        "split": "test",
        "test_images": images,
        "correct": correct,
        "top1": correct / images,
        "top1_low": low,
        "top1_high": high,
        "params": 10,
        "macs": 100,
        "origin": Origin(machine="a machine"),
    }
    return KeptNetwork(**(known | changes))


def keep(folder: CellFolder, **changes: Any) -> None:
    """Keep some numbers as if they were a cell's network."""
    state = {"fc.weight": torch.arange(6.0).reshape(2, 3)}
    folder.write_network(state, facts(folder.cell, **changes))


def photograph(home: Path, counts: dict[str, int], *, size: tuple[int, int] = PHOTO) -> Path:
    """Write JPEG photos of soft shapes, so many a class of each split."""
    rng = np.random.default_rng(0)
    for split, count in counts.items():
        for shade, label in enumerate(CLASSES):
            folder = home / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                coarse = rng.integers(60 * shade, 60 * shade + 130, (6, 8, 3), dtype=np.uint8)
                photo = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
                photo.save(folder / f"{number}.jpg")
    return home


def train_and_keep(home: Path, *, as_precision: Precision = "fp32", **request: Any) -> RunFolder:
    """Train the first cell of a tiny plan over photos in `home` and keep its network."""
    photos = photograph(home / "photos", {"train": 4, "test": 13})
    asked = {"models": "lenet5-relu", "budget": "12img", "batch_size": 6, "image_size": 32}
    asked |= {"evaluations": 1, "dataset": str(photos)} | request
    plan, _ = make_plan(
        Request(**asked), device="cpu", precision=as_precision, machine={}, argv=("run",)
    )
    run = RunFolder(home / "run")
    run.write_plan(plan)
    folder = run.cell(plan.cells[0])
    result = run_cell(a_context(folder, keeps=True))
    assert result.status == "done", result.reason
    return run


def a_context(folder: CellFolder, *, keeps: bool) -> CellContext:
    """Return what a process says that serves a cell on one thread."""
    return CellContext(
        cell=folder.cell,
        folder=folder,
        clock=Clock(),
        device=Device(torch_device=torch.device("cpu"), precision=folder.cell.precision),
        should_stop=lambda: False,
        on_step=lambda: None,
        checkpoint_seconds=60.0,
        threads=1,
        keeps=keeps,
    )


def a_run(home: Path, *, seeds: int = 1) -> tuple[RunFolder, Plan, CellFolder]:
    """Return a planned run of one network with so many seeds, and the folder of its first cell."""
    cells = tuple(
        Cell(
            model="lenet5-relu",
            dataset="photos",
            dataset_fingerprint="f",
            recipe=make_recipe("common", family="lenet"),
            budget=Budget.parse("2m"),
            seed=seed,
            image_size=32,
            precision="fp32",
            device="cpu",
            evaluations=5,
        )
        for seed in range(seeds)
    )
    dataset = DatasetFacts(
        name="photos",
        title="photos",
        drawn=False,
        classes=CLASSES,
        images={"train": 30, "test": 128},
        curve_split="test",
        headline_split="test",
        fingerprint="f",
    )
    plan = Plan(cnnbench="0", argv=("run",), dataset=dataset, cells=cells, machine={})
    run = RunFolder(home / "run")
    run.write_plan(plan)
    return run, plan, run.cell(cells[0])
