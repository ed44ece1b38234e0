"""How long do the plan, the status and the report of a run of many cells take, and how large is it?

    python benchmarks/many_cells.py

Plans a run, writes what its cells would leave behind (no training: drawn curves, drawn logits on
128 images of 12 classes), asks for its status and draws its report, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
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
from PIL import Image

import zoo
from cnnbench.base.processes import run_verb
from cnnbench.schema.budget import Spent
from cnnbench.schema.cell import Cell
from cnnbench.schema.events import Evaluated, Event, Finished, Started, Stepped
from cnnbench.schema.result import BudgetUsed, Result, Seconds, planned
from cnnbench.store import Predictions, RunFolder

CLASSES, TEST_IMAGES, EVALUATIONS, STEPPED = 12, 128, 5, 60
SECONDS = 60.0
MODELS = [name for name in zoo.list_models() if zoo.card(name).variant_of is None][:8]


def write_images(folder: Path) -> Path:
    """Write two plain images a class, so that there is a dataset to plan with."""
    for index, split in np.ndindex(CLASSES, 2):
        path = folder / ("train", "val")[split] / f"class {index}" / "1.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.full((64, 64, 3), 9 * index + split, dtype=np.uint8)).save(path)
    return folder


def fill(run: RunFolder, cell: Cell, rng: np.random.Generator) -> None:
    """Write what a finished cell leaves behind."""
    folder = run.cell(cell)
    labels = np.arange(TEST_IMAGES, dtype=np.int64) % CLASSES
    logits = rng.normal(size=(TEST_IMAGES, CLASSES)).astype(np.float32)
    logits[np.arange(TEST_IMAGES), labels] += rng.uniform(0.5, 4)
    correct = int((logits.argmax(axis=1) == labels).sum())
    log = "".join(f"{event.model_dump_json()}\n" for event in curve(correct, rng))
    run.write_text(f"cells/{cell.id}/events.jsonl", log)
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


# -- what is measured, each in a process of its own ------------------------------------------------


def plan_once(images: Path, out: Path, cells: int) -> None:
    """Check a request for so many cells and write their plan."""
    from cnnbench import api
    from cnnbench.planning.request import Request

    # Measured once a network, for seconds, and then known: no matter of how many cells there are.
    api.PaceMeter.pace_of = lambda *_, **__: 100.0  # type: ignore[method-assign]
    budget, seeds = f"{SECONDS / 60:g}ep", -(-cells // len(MODELS))
    options = {"device": "cpu", "precision": "fp32", "image_size": 224}
    request = Request(MODELS, str(images), budget, seeds=seeds, evaluations=EVALUATIONS, **options)
    plan, _ = api.prepare(request)
    RunFolder(out).write_plan(plan)


def report_once(folder: Path) -> None:
    """Draw the report."""
    from cnnbench.report.write import write_report

    write_report(RunFolder(folder))


def measured(work: str, *words: object) -> dict[str, float]:
    """Run this script for one piece of work; return its seconds and its peak memory."""
    command = [sys.executable, sys.argv[0], "--work", work, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def work_on(work: str, *words: str) -> None:
    """Do one piece of work in this process and print what it took."""
    start = time.perf_counter()
    if work == "plan":
        plan_once(Path(words[0]), Path(words[1]), int(words[2]))
    else:
        report_once(Path(words[0]))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_mib": peak / 2**10}))


def status_seconds(run: RunFolder) -> float:
    """Return how long `cnnbench status` takes, with starting Python."""
    start = time.perf_counter()
    done = run_verb("status", str(run.path))
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.perf_counter() - start


def line(images: Path, folder: Path, cells: int, repeats: int) -> str:
    """Measure a run of so many cells and return its line of the table."""
    run, rng = RunFolder(folder / "run"), np.random.default_rng(0)
    planning = measured("plan", images, run.path, cells)
    plan = run.plan()
    waiting = status_seconds(run)
    os.fsync = lambda handle: None  # what is faked need not survive a power cut
    for cell in plan.cells:
        fill(run, cell, rng)
    status = statistics.median(status_seconds(run) for _ in range(repeats))
    reports = [measured("report", run.path) for _ in range(repeats)]
    files = [path for path in run.path.rglob("*") if path.is_file()]
    n_bytes = sum(path.stat().st_size for path in files)
    page, markdown, plan_file = (
        (run.path / name).stat().st_size / 2**20
        for name in ("report.html", "report.md", "plan.json")
    )
    values = (
        f"{len(plan.cells):,}",
        f"{planning['seconds']:.1f}",
        f"{waiting:.1f}",
        f"{status:.1f}",
        f"{statistics.median(each['seconds'] for each in reports):.1f}",
        f"{statistics.median(each['peak_mib'] for each in reports):,.0f}",
        f"{len(files):,}",
        f"{n_bytes / 2**20:,.0f}",
        f"{plan_file:.1f}",
        f"{page:.1f}, {markdown:.1f}",
    )
    return f"| {' | '.join(values)} |"


def main() -> None:
    """Measure runs of several sizes and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work_on(*args.work)
    titles = ("cells", "plan s", "status s, none begun", "status s, all done", "report s")
    titles += ("its peak MiB", "files", "MiB", "plan.json MiB", "report.html, .md MiB")
    print(header(args.repeats))
    print(f"| {' | '.join(titles)} |")
    print(f"|{'---:|' * len(titles)}")
    with tempfile.TemporaryDirectory() as name:
        images = write_images(Path(name) / "images")
        for cells in args.cells:
            with tempfile.TemporaryDirectory(dir=name) as folder:
                print(line(images, Path(folder), cells, args.repeats), flush=True)
    return None


if __name__ == "__main__":
    main()
