"""What came out of a cell: the facts of `result.json` and the row of `results.json`."""

from typing import Any, Literal

from pydantic import Field, model_validator

from cnnbench.schema import Value
from cnnbench.schema.budget import Currency, Spent
from cnnbench.schema.cell import Cell, entrant
from cnnbench.schema.origin import Origin
from cnnbench.schema.start import Start, Train

__all__ = [
    "TRAINING_SAMPLE",
    "VERSION",
    "BudgetUsed",
    "Ranking",
    "Result",
    "Row",
    "RunSeconds",
    "Seconds",
    "Status",
    "planned",
    "usage",
]

VERSION = 1
TRAINING_SAMPLE = 256  # training images that are looked at in evaluation mode, if so many are there

Status = Literal["done", "failed", "diverged", "oom", "killed", "hung", "running", "planned"]


class BudgetUsed(Value):
    """A budget's limit beside what was really used of it."""

    currency: Currency
    limit: float
    used: float | None = None


class Seconds(Value):
    """Where the wall-clock seconds of a cell went. Only `train` is charged to a budget.

    `train` holds `data_wait`, the part of it spent waiting for data; `gallery` is making the
    pictures of what the network sees; `total` is everything from the start of the process to its
    end, over all restarts. A cell that was killed took its clock along: only what it was charged
    is known, from its log.
    """

    train: float | None = None
    data_wait: float | None = None
    eval: float | None = None
    checkpoint: float | None = None
    warmup: float | None = None
    build: float | None = None
    logging: float | None = None
    gallery: float | None = None
    total: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_old_zeros(cls, given: Any) -> Any:
        """Read what older versions wrote for a clock that was never read as not measured."""
        return {} if isinstance(given, dict) and given.get("total") == 0 else given


class RunSeconds(Value):
    """Where the wall-clock seconds of a run went beside its cells, over all its `commands`.

    `preparing` is planning and what is measured before, `images` drawing or reading them, `pages`
    drawing reports while no cell runs. `total` is everything, the cells included, to the end of
    what was measured last. Commands that find all cells trained do not count.
    """

    version: int = VERSION
    commands: int = 0
    preparing: float = 0.0
    images: float = 0.0
    pages: float = 0.0
    total: float = 0.0


class Ranking(Value):
    """What a run's reports may rank: `across_machines`, seconds of machines that are not alike."""

    version: int = VERSION
    across_machines: bool = False


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
    train_loss: float | None = Field(
        default=None, description="running: mean since the last evaluation, as trained on"
    )
    train_eval_loss: float | None = Field(
        default=None, description="in evaluation mode, on a fixed sample of the training images"
    )
    train_eval_top1: float | None = None
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
    versions: dict[str, str] | None = None
    threads: int | None = None
    cpu: str | None = None
    gpu: str | None = None
    host: str | None = None
    earlier_origins: tuple[Origin, ...] = Field(
        default=(), description="with what a continued cell trained before, where it differed"
    )
    micro_batch: int | None = None
    joules: float | None = None
    canary_gflops: tuple[float, float] | None = Field(
        default=None, description="a fixed matrix product before and after the training"
    )

    start: Start | None = Field(default=None, description="None is from scratch")
    train: Train = "all"
    devices: int = Field(default=1, description="that trained it together")

    @property
    def name(self) -> str:
        """What is compared, for people, as `Cell.name`."""
        return entrant(self.model, self.train)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """With what the cell trained, the process of its result last; empty if it never began."""
        last = Origin(**{key: getattr(self, key) for key in Origin.model_fields})
        return (*self.earlier_origins, last) if self.images_seen is not None else ()


class Row(Result):
    """One line of `results.json`: a result with what belongs to it: its interval, and whether it is
    starved, which means that it saw too few epochs for a rank; None where it did not finish.
    """

    top1_low: float | None = None
    top1_high: float | None = None
    starved: bool | None = None


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
        start=cell.start,
        train=cell.train,
        devices=cell.devices,
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
        "seconds": Seconds(train=spent.seconds),
    }
