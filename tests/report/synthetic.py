"""A run folder made without training: known counts, curves and clocks, written by the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnnbench.schema.budget import Budget, Spent
from cnnbench.schema.cell import Cell, DatasetFacts, Plan, Tuned
from cnnbench.schema.events import Evaluated, Finished, Started, Stepped
from cnnbench.schema.foresight import Feed, SizeChoice
from cnnbench.schema.origin import VERSIONED
from cnnbench.schema.recipes import Recipe
from cnnbench.schema.result import BudgetUsed, Result, Seconds, Status
from cnnbench.schema.start import Start, Train
from cnnbench.store import Predictions, RunFolder

CLASSES = ("apple", "banana", "cherry", "fig", "kiwi", "lemon")
TEST_IMAGES = 128


@dataclass(frozen=True, kw_only=True)
class FakeModel:
    """What became of one made-up network."""

    name: str
    correct: int = 0
    status: Status = "done"
    reason: str = ""
    seed: int = 0
    lr: float = 0.01
    batch_size: int = 32
    budget: str | None = None
    params: int = 11_183_694
    macs: int = 1_814_083_944
    images_per_second: float = 40.0
    start: Start | None = None
    train: Train = "all"


@dataclass(frozen=True, kw_only=True)
class FakeRun:
    """What a made-up run is like."""

    models: Sequence[FakeModel]
    budget: str = "2m"
    classes: tuple[str, ...] = CLASSES
    title: str = "drawn fruit"
    train_images: int = 200
    notices: tuple[str, ...] = ()
    argv: tuple[str, ...] = ("run", "--models", "alexnet,vgg,resnet", "--dataset", "fruits")
    curve_split: str = "test"
    evaluations: int = 10
    drawn: bool = True
    test_images: int = TEST_IMAGES
    machine: Mapping[str, str | int | float | None] = field(
        default_factory=lambda: {"cpu": "Example CPU", "cores": 2, "torch": "2.10.0", "gpu": None}
    )
    threads: int = 2
    image_names: tuple[str, ...] | None = None
    machine_line: str = "Example CPU, 2 cores"
    versions: Mapping[str, str] | None = field(
        default_factory=lambda: {name: f"{i}.0.0" for i, name in enumerate(VERSIONED, 1)}
    )
    fingerprint: str = "0123456789abcdef"
    feeds: tuple[Feed, ...] = ()
    size_choice: SizeChoice | None = None


FOUR = FakeRun(
    models=(
        FakeModel(
            name="alexnet",
            correct=70,
            params=57_029_324,
            macs=655_566_528,
            images_per_second=81.2,
        ),
        FakeModel(
            name="googlenet",
            correct=74,
            params=10_334_030,
            macs=1_582_671_872,
            images_per_second=22.0,
        ),
        FakeModel(
            name="vgg11",
            correct=22,
            params=128_815_756,
            macs=7_609_090_048,
            images_per_second=9.4,
        ),
        FakeModel(name="resnet18", correct=103, images_per_second=24.7),
    )
)


def build_run(path: Path, fake: FakeRun = FOUR) -> RunFolder:
    """Write a whole run folder and return it."""
    run = RunFolder(path)
    dataset = DatasetFacts(
        name="fruits",
        title=fake.title,
        drawn=fake.drawn,
        classes=fake.classes,
        images={"train": fake.train_images, "test": fake.test_images},
        curve_split=fake.curve_split,
        headline_split="test",
        fingerprint=fake.fingerprint,
        notices=fake.notices,
    )
    cells = tuple(_cell(fake, model) for model in fake.models)
    run.write_plan(
        Plan(
            cnnbench="0.1.0",
            argv=fake.argv,
            dataset=dataset,
            cells=cells,
            machine=dict(fake.machine),
            feeds=fake.feeds,
            size_choice=fake.size_choice,
        )
    )
    for index, (cell, model) in enumerate(zip(cells, fake.models, strict=True)):
        _write_cell(run, fake, cell, model, index)
    return run


def _cell(fake: FakeRun, model: FakeModel) -> Cell:
    recipe = Recipe(
        name="common",
        lr=model.lr,
        batch_size=model.batch_size,
        momentum=0.9,
        weight_decay=0.0005,
        warmup=0.05,
        schedule="linear",
        init="common",
        scaling="standardise",
        augment="crop-flip",
    )
    return Cell(
        model=model.name,
        dataset="fruits",
        dataset_fingerprint=fake.fingerprint,
        recipe=recipe,
        budget=Budget.parse(model.budget or fake.budget),
        seed=model.seed,
        image_size=224,
        precision="fp32",
        device="cpu",
        evaluations=fake.evaluations,
        start=model.start,
        train=model.train,
    )


def right_answers(correct: int, total: int, seed: int) -> np.ndarray:
    """Say which images are right: the first ones mostly, so that two networks err together."""
    rng = np.random.default_rng(seed)
    ease = np.arange(total) + rng.normal(0, 0.15 * total, total)
    right = np.zeros(total, dtype=bool)
    right[np.argsort(ease)[:correct]] = True
    return right


def _write_cell(run: RunFolder, fake: FakeRun, cell: Cell, model: FakeModel, index: int) -> None:
    folder = run.cell(cell)
    if model.status == "planned":
        return
    share = 1.0 if model.status == "done" else 0.4
    _write_events(run, fake, cell, model, share=share)
    if model.status in {"running", "killed"}:
        return
    folder.write_result(_result(fake, cell, model, share))
    if model.status != "done":
        return
    labels = np.arange(fake.test_images, dtype=np.int64) % len(fake.classes)
    right = right_answers(model.correct, fake.test_images, seed=index + 100 * model.seed)
    said = np.where(right, labels, (labels + 1) % len(fake.classes))
    logits = np.zeros((fake.test_images, len(fake.classes)), dtype=np.float32)
    logits[np.arange(fake.test_images), said] = 3.0
    names = fake.image_names or tuple(f"test/{i:05d}.png" for i in range(fake.test_images))
    folder.write_predictions(Predictions(labels=labels, logits=logits, names=names))


def _spent(fake: FakeRun, cell: Cell, model: FakeModel, share: float) -> Spent:
    in_seconds = cell.budget.currency.value == "seconds"
    seconds = (cell.budget.limit if in_seconds else 120.0) * share
    images = int(seconds * model.images_per_second)
    if cell.budget.currency.value == "images":
        images = int(cell.budget.limit * share)
    if cell.budget.currency.value == "epochs":
        images = round(cell.budget.limit * fake.train_images * share)
    return Spent(
        seconds=images / model.images_per_second,
        epochs=images / fake.train_images,
        images=images,
        flops=6.0 * model.macs * images,
        steps=images // 32,
    )


def _write_events(
    run: RunFolder, fake: FakeRun, cell: Cell, model: FakeModel, *, share: float
) -> None:
    folder = run.cell(cell)
    folder.append(
        Started(
            spent=Spent(),
            resumed=False,
            params=model.params,
            macs=model.macs,
            train_images=fake.train_images,
            total_images=None,
        )
    )
    seen = 0
    for step in range(1, int(fake.evaluations * share) + 1):
        done = step / fake.evaluations
        final = model.correct or fake.test_images // 3
        correct = round(final * (1 - np.exp(-4 * done)) / (1 - np.exp(-4)))
        spent = _spent(fake, cell, model, done)
        loss = float(1.8 * np.exp(-2.0 * done * final / fake.test_images))
        folder.append(
            Stepped(
                spent=spent,
                progress=done,
                lr=0.01 * (1 - done),
                train_loss=loss,
                train_top1=correct / fake.test_images,
                images=spent.images - seen,
                images_per_second=model.images_per_second,
            )
        )
        seen = spent.images
        folder.append(
            Evaluated(
                spent=spent,
                progress=done,
                split=fake.curve_split,
                headline=done == 1 and fake.curve_split == "test",
                loss=loss + 0.15,
                top1=correct / fake.test_images,
                top5=min(1.0, 1.3 * correct / fake.test_images),
                correct=correct,
                images=fake.test_images,
                train_loss=loss,
            )
        )
    if share == 1.0:
        folder.append(Finished(spent=_spent(fake, cell, model, 1.0), last_lr=0.0))


def _result(fake: FakeRun, cell: Cell, model: FakeModel, share: float) -> Result:
    spent = _spent(fake, cell, model, share)
    done = model.status == "done"
    return Result(
        cell=cell.id,
        model=model.name,
        start=model.start,
        train=model.train,
        dataset="fruits",
        recipe="common",
        seed=model.seed,
        status=model.status,
        reason=model.reason,
        split="test" if done else None,
        test_images=fake.test_images if done else None,
        correct=model.correct if done else None,
        top1=model.correct / fake.test_images if done else None,
        top5=min(1.0, 1.3 * model.correct / fake.test_images) if done else None,
        test_loss=1.1 if done else None,
        train_loss=0.93 if done else None,
        train_eval_loss=0.71 if done and fake.versions else None,
        train_eval_top1=0.875 if done and fake.versions else None,
        best_top1=(model.correct + 1) / fake.test_images if done else None,
        best_progress=0.8 if done else None,
        epochs=spent.epochs,
        images_seen=spent.images,
        steps=spent.steps,
        params=model.params,
        macs=model.macs,
        images_per_second=model.images_per_second,
        peak_memory_bytes=int(1.4 * 2**30),
        budget=BudgetUsed(
            currency=cell.budget.currency,
            limit=cell.budget.limit,
            used=spent.of(cell.budget.currency) * 0.998,
        ),
        seconds=Seconds(
            train=spent.seconds,
            data_wait=0.02 * spent.seconds,
            eval=14.2,
            checkpoint=3.1,
            warmup=1.2,
            build=0.8,
            logging=0.1,
            total=spent.seconds + 22.0,
        ),
        lr=cell.recipe.lr,
        last_lr=0.0,
        batch_size=cell.recipe.batch_size,
        image_size=224,
        precision="fp32",
        device="cpu",
        machine=fake.machine_line,
        versions=None if fake.versions is None else dict(fake.versions),
        threads=None if fake.versions is None else fake.threads,
        cpu=None if fake.versions is None else "Example CPU",
    )


def tuned_to_the_lowest(model: str, *rates: float) -> Tuned:
    return Tuned(
        model=model,
        rates=rates,
        top1=(0.25,) + (None,) * (len(rates) - 1),
        images=200,
        chosen=rates[0],
        charged_seconds=24.0,
        budget=Budget.parse("12s"),
    )
