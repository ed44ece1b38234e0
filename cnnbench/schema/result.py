"""What came out of a cell: the facts of `result.json` and the row of `results.json`."""

from typing import Any, Literal

from pydantic import Field

from cnnbench.schema import Value
from cnnbench.schema.budget import Currency, Spent
from cnnbench.schema.cell import Cell

__all__ = ["VERSION", "BudgetUsed", "Result", "Row", "Seconds", "Status", "planned", "usage"]

VERSION = 1

Status = Literal["done", "failed", "diverged", "oom", "killed", "hung", "running", "planned"]


class BudgetUsed(Value):
    """A budget's limit beside what was really used of it."""

    currency: Currency
    limit: float
    used: float = 0.0


class Seconds(Value):
    """Where the wall-clock seconds of a cell went. Only `train` is charged to a budget.

    `train` holds `data_wait`, the part of it spent waiting for data; `total` is everything from
    the start of the process to its result, over all restarts.
    """

    train: float = 0.0
    data_wait: float = 0.0
    eval: float = 0.0
    checkpoint: float = 0.0
    warmup: float = 0.0
    build: float = 0.0
    logging: float = 0.0
    total: float = 0.0


class Result(Value):
    """The facts of one cell, finished or not. What was not measured is None, never zero."""

    version: int = VERSION
    cell: str
    model: str
    dataset: str
    recipe: str
    seed: int
    status: Status
    reason: str = ""
    split: str | None = None
    test_images: int | None = None
    correct: int | None = None
    top1: float | None = None
    top5: float | None = None
    test_loss: float | None = None
    train_loss: float | None = None
    best_top1: float | None = None
    best_progress: float | None = None
    epochs: float | None = None
    images_seen: int | None = None
    steps: int | None = None
    params: int | None = None
    macs: int | None = None
    images_per_second: float | None = None
    peak_memory_bytes: int | None = None
    budget: BudgetUsed
    seconds: Seconds = Seconds()
    lr: float
    last_lr: float | None = None
    batch_size: int
    image_size: int
    precision: str
    device: str
    machine: str | None = None
    micro_batch: int | None = None
    joules: float | None = None
    canary_gflops: tuple[float, float] | None = Field(
        default=None, description="a fixed matrix product before and after the training"
    )


class Row(Result):
    """One line of `results.json`: a result with the interval that belongs to it."""

    top1_low: float | None = None
    top1_high: float | None = None


def planned(cell: Cell) -> Result:
    """Return a row for a cell with its settings filled in and nothing measured."""
    return Result(
        cell=cell.id,
        model=cell.model,
        dataset=cell.dataset,
        recipe=cell.recipe.name,
        seed=cell.seed,
        status="planned",
        budget=BudgetUsed(currency=cell.budget.currency, limit=cell.budget.limit),
        lr=cell.recipe.lr,
        batch_size=cell.recipe.batch_size,
        image_size=cell.image_size,
        precision=cell.precision,
        device=cell.device,
        micro_batch=cell.micro_batch,
    )


def usage(cell: Cell, spent: Spent) -> dict[str, Any]:
    """Return the fields of a cell's result that say what it has spent."""
    budget = cell.budget
    return {
        "epochs": spent.epochs,
        "images_seen": spent.images,
        "steps": spent.steps,
        "joules": spent.joules,
        "budget": BudgetUsed(
            currency=budget.currency, limit=budget.limit, used=spent.of(budget.currency)
        ),
    }
