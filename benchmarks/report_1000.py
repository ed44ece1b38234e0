"""How long does the report of a run of a thousand cells take, and how much memory?

    python benchmarks/report_1000.py

Writes a synthetic run (no training: drawn curves, drawn logits on 128 images of 12 classes) and
draws its report in a process of its own, several times.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine_line import header

import zoo
from cnnbench.schema.budget import Budget, Spent
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.events import Evaluated, Event, Finished, Started, Stepped
from cnnbench.schema.recipes import make_recipe
from cnnbench.schema.result import BudgetUsed, Result, Seconds, planned
from cnnbench.store import Predictions, RunFolder

CLASSES, TEST_IMAGES, EVALUATIONS, STEPPED = 12, 128, 5, 60
SECONDS = 60.0


def a_plan(cells: int) -> Plan:
    """Return a plan of several networks, each with as many seeds as it takes."""
    models = [name for name in zoo.list_models() if zoo.card(name).variant_of is None][:8]
    dataset = DatasetFacts(
        name="synthetic",
        title="a synthetic run",
        drawn=True,
        classes=tuple(f"class {index}" for index in range(CLASSES)),
        images={"train": 1178, "test": TEST_IMAGES},
        curve_split="test",
        headline_split="test",
        fingerprint="0" * 16,
    )
    made = tuple(
        Cell(
            model=models[index % len(models)],
            dataset="synthetic",
            dataset_fingerprint=dataset.fingerprint,
            recipe=make_recipe("common", family=zoo.card(models[index % len(models)]).family),
            budget=Budget.parse(f"{SECONDS:g}s"),
            seed=index // len(models),
            image_size=224,
            precision="fp32",
            device="cpu",
            evaluations=EVALUATIONS,
        )
        for index in range(cells)
    )
    return Plan(cnnbench="0", argv=(), dataset=dataset, cells=made, machine={"line": "no machine"})


def fill(run: RunFolder, cell: Cell, rng: np.random.Generator) -> None:
    """Write what a finished cell leaves behind."""
    folder = run.cell(cell)
    labels = np.arange(TEST_IMAGES, dtype=np.int64) % CLASSES
    logits = rng.normal(size=(TEST_IMAGES, CLASSES)).astype(np.float32)
    logits[np.arange(TEST_IMAGES), labels] += rng.uniform(0.5, 4)
    correct = int((logits.argmax(axis=1) == labels).sum())
    for event in curve(correct, rng):
        folder.append(event)
    names = tuple(f"test/{index}.png" for index in range(TEST_IMAGES))
    folder.write_predictions(Predictions(labels=labels, logits=logits, names=names))
    folder.write_result(finished(cell, correct))


def curve(correct: int, rng: np.random.Generator) -> Iterator[Event]:
    """Yield the events of a training that learns steadily."""
    yield Started(
        spent=Spent(), resumed=False, params=1, macs=1, train_images=1178, total_images=None
    )
    for step in range(1, STEPPED + 1):
        progress, spent = step / STEPPED, spent_after(step)
        loss = 2.5 - 2 * progress + 0.1 * rng.normal()
        yield Stepped(
            spent=spent,
            progress=progress,
            lr=0.01 * (1 - progress),
            train_loss=loss,
            images=16,
            images_per_second=16.0,
        )
        if step % (STEPPED // EVALUATIONS) == 0:
            right = round(correct * progress)
            yield Evaluated(
                spent=spent,
                progress=progress,
                split="test",
                headline=step == STEPPED,
                loss=loss,
                top1=right / TEST_IMAGES,
                top5=1.0,
                correct=right,
                images=TEST_IMAGES,
                train_loss=loss,
            )
    yield Finished(spent=spent_after(STEPPED), last_lr=0.0)


def spent_after(step: int) -> Spent:
    """Return what a cell has used after a step."""
    share = step / STEPPED
    return Spent(
        seconds=SECONDS * share, epochs=share, images=16 * step, flops=1e9 * step, steps=step
    )


def finished(cell: Cell, correct: int) -> Result:
    """Return the result of a cell that is done."""
    facts: dict[str, Any] = {
        "status": "done",
        "split": "test",
        "test_images": TEST_IMAGES,
        "correct": correct,
        "top1": correct / TEST_IMAGES,
        "top5": 1.0,
        "test_loss": 0.5,
        "train_loss": 0.5,
        "best_top1": correct / TEST_IMAGES,
        "best_progress": 1.0,
        "params": 1,
        "macs": 1,
        "images_per_second": 16.0,
        "last_lr": 0.0,
        "epochs": 1.0,
        "images_seen": 16 * STEPPED,
        "steps": STEPPED,
        "budget": BudgetUsed(currency=cell.budget.currency, limit=SECONDS, used=SECONDS),
        "seconds": Seconds(train=SECONDS, total=SECONDS),
    }
    return planned(cell).model_copy(update=facts)


def report_once(folder: Path) -> dict[str, float]:
    """Draw the report in this process; return seconds and peak memory."""
    start = time.perf_counter()
    from cnnbench.report.write import write_report

    write_report(RunFolder(folder))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "peak_mib": peak / 2**10}


def main() -> None:
    """Write synthetic runs of several sizes, report on each, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.report:
        print(json.dumps(report_once(args.report)))
        return
    print(header(args.repeats))
    print("| cells | seconds | peak MiB |")
    print("|---:|---:|---:|")
    for cells in args.cells:
        with tempfile.TemporaryDirectory() as name:
            run, rng = RunFolder(Path(name) / "run"), np.random.default_rng(0)
            plan = a_plan(cells)
            run.write_plan(plan)
            for cell in plan.cells:
                fill(run, cell, rng)
            found = []
            for _ in range(args.repeats):
                command = [sys.executable, sys.argv[0], "--report", str(run.path)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found.append(json.loads(done.stdout.splitlines()[-1]))
        seconds = statistics.median(each["seconds"] for each in found)
        peak = statistics.median(each["peak_mib"] for each in found)
        print(f"| {cells} | {seconds:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
