"""How is one cell run? The only room where model, data, engine and store meet."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import zoo.registry
from cnnbench.data.cache import Decoded, decoded
from cnnbench.data.dataset import Dataset
from cnnbench.data.errors import DataError
from cnnbench.data.loader import Batch, Batches, evaluation_batches
from cnnbench.data.statistics import channel_statistics, colour_directions, mean_image
from cnnbench.engine import machine as machines
from cnnbench.engine.canary import canary_gflops
from cnnbench.engine.clock import Clock
from cnnbench.engine.energy import NoCounter, energy_counter
from cnnbench.engine.evaluate import Evaluation, evaluate
from cnnbench.engine.flops import training_flops_per_image
from cnnbench.engine.starting import standardise_outputs
from cnnbench.engine.state import Training
from cnnbench.engine.train import CheckpointDue, Scored, evaluated, train
from cnnbench.plan import open_for_cell
from cnnbench.schema.budget import Currency, Spent
from cnnbench.schema.cell import Cell, stored_size
from cnnbench.schema.events import Checkpointed, Evaluated, Failed, Finished
from cnnbench.schema.result import BudgetUsed, Result, Seconds, Status, planned
from cnnbench.store import CellFolder, DamagedError, Predictions, StoreError

EVALUATION_BATCH = 32
STARTING_IMAGES = 32
STARTING_POSITION = 2**40
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class Interrupted(Exception):
    """The cell was asked to stop; its checkpoint is on disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Data:
    """The decoded splits of a cell and the statistics of its training images."""

    dataset: Dataset
    splits: Mapping[str, Decoded]
    mean: npt.ArrayLike
    std: tuple[float, ...]
    colours: npt.NDArray[np.float64] | None


def run_cell(
    cell: Cell,
    folder: CellFolder,
    *,
    stop_asked: Callable[[], bool] = lambda: False,
    started: float | None = None,
    machine_line: str = "",
    checkpoint_seconds: float = 60.0,
) -> Result:
    """Train a cell, or go on where its checkpoint left it, and write its result.

    A network that cannot be built or trained gives a result with the reason; the traceback goes
    to stderr, which the launcher keeps as `log.txt`.

    Raises:
        DataError: if the dataset is not what the plan saw.
        StoreError: if the disk refuses.
        Interrupted: if `stop_asked` said so; a checkpoint was written.
    """
    clock = Clock(started=started)
    try:
        return _train_cell(cell, folder, clock, stop_asked, machine_line, checkpoint_seconds)
    except DamagedError as error:
        return _write_failure(folder, clock, "failed", str(error), machine_line)
    except (DataError, StoreError, Interrupted, KeyboardInterrupt):
        raise
    except Exception as error:
        traceback.print_exc()
        status, reason = _reason(error, cell)
        return _write_failure(folder, clock, status, reason, machine_line)


def _train_cell(
    cell: Cell,
    folder: CellFolder,
    clock: Clock,
    stop_asked: Callable[[], bool],
    machine_line: str,
    checkpoint_seconds: float,
) -> Result:
    machine = machines.prepare(cell.device, cell.precision, memory_bytes=cell.memory_bytes)
    clock.synchronise = machine.synchronise
    canary = canary_gflops(machine)
    with clock.measure("build"):
        data = _open(cell)
        job = _prepare(cell, data, machine, clock, folder, stop_asked, checkpoint_seconds)
        folder.require_room(job.params)
        checkpoint = folder.load_checkpoint()
        folder.rewind(checkpoint.log_bytes if checkpoint else 0)
    state = checkpoint.state if checkpoint else None
    notice = checkpoint.notice if checkpoint else ""
    last: Scored | None = None
    best: Evaluated | None = None
    for event in train(job, state=state):
        if isinstance(event, CheckpointDue):
            with clock.measure("checkpoint"):
                folder.save_checkpoint(event.state(), steps=event.spent.steps)
            folder.append(Checkpointed(spent=event.spent))
            if event.last:
                raise Interrupted
            continue
        if isinstance(event, Scored):
            last = event
        with clock.measure("logging"):
            folder.append(event.event if isinstance(event, Scored) else event)
        if isinstance(event, Failed):
            return _write_failure(folder, clock, event.status, event.reason, machine_line)
        if isinstance(event, Finished):
            assert last is not None
            curve = [e for e in folder.events() if isinstance(e, Evaluated)]
            best = max(curve, key=lambda e: e.top1)
            headline = last if job.curve_is_headline else _headline(cell, job, data, last, folder)
            return _write_success(
                folder, job, data, headline, event, best, machine_line, notice, canary=canary
            )
    raise AssertionError("the loop ended without saying how")


def _open(cell: Cell) -> _Data:
    dataset = open_for_cell(cell.dataset, cell.dataset_options, cell.subset, cell.holdout)
    if dataset.fingerprint != cell.dataset_fingerprint:
        raise DataError(
            f"dataset {cell.dataset!r} changed since the plan was made (fingerprint "
            f"{cell.dataset_fingerprint[:8]}, now {dataset.fingerprint[:8]}); "
            "start a new run, or bring the images back"
        )
    size = stored_size(cell.image_size)
    splits: dict[str, Decoded] = {name: decoded(dataset, name, size) for name in dataset.splits}
    train = splits["train"].images
    mean, std = _scaling(cell, train)
    jitter = cell.recipe.augment == "crop-flip-jitter"
    colours = colour_directions(train) if jitter else None
    return _Data(dataset=dataset, splits=splits, mean=mean, std=std, colours=colours)


def _scaling(cell: Cell, images: npt.NDArray[np.uint8]) -> tuple[npt.ArrayLike, tuple[float, ...]]:
    """Return what is subtracted from pixels in [0, 1], and what they are then divided by."""
    raw = (1 / 255, 1 / 255, 1 / 255)  # back to 0..255, which LRN's constants presuppose
    if cell.recipe.scaling == "mean-image":
        return mean_image(images, cell.image_size), raw
    mean, std = channel_statistics(images)
    return mean, std if cell.recipe.scaling == "standardise" else raw


def _prepare(
    cell: Cell,
    data: _Data,
    machine: machines.Machine,
    clock: Clock,
    folder: CellFolder,
    stop_asked: Callable[[], bool],
    checkpoint_seconds: float,
) -> Training:
    def beating() -> bool:
        folder.beat()
        return stop_asked()

    num_classes = len(data.dataset.classes)
    torch.manual_seed(cell.seed)
    model = zoo.build(
        cell.model, num_classes=num_classes, init=cell.recipe.init, image_size=cell.image_size
    )
    model = model.to(machine.device).to(memory_format=torch.channels_last)
    facts = zoo.describe(cell.model, num_classes=num_classes, image_size=cell.image_size)
    skeleton = zoo.registry.skeleton(
        cell.model, num_classes=num_classes, image_size=cell.image_size
    )
    stream = Batches(
        data.splits["train"].images,
        data.splits["train"].labels,
        seed=cell.seed,
        image_size=cell.image_size,
        augment=cell.recipe.augment,
        mean=data.mean,
        std=data.std,
        colours=data.colours,
        device=machine.device,
    )
    if cell.recipe.init == "common":
        # A place of the stream that no training reaches: other crops than the first steps see.
        standardise_outputs(model, stream.batch(STARTING_POSITION, STARTING_IMAGES)[0], machine)
    return Training(
        model=model,
        stream=stream,
        test=lambda: _evaluate(cell, model, data, data.dataset.curve_split, machine, folder),
        recipe=cell.recipe,
        budget=cell.budget,
        machine=machine,
        clock=clock,
        params=facts.params,
        macs=facts.macs,
        flops_per_image=training_flops_per_image(skeleton, image_size=cell.image_size),
        evaluations=cell.evaluations,
        curve_split=data.dataset.curve_split,
        curve_is_headline=data.dataset.curve_split == data.dataset.headline_split
        and cell.recipe.test_views == 1,
        checkpoint_seconds=checkpoint_seconds,
        stop_asked=beating,
        micro_batch=cell.micro_batch,
        joules=_joules(cell),
    )


def _joules(cell: Cell) -> Callable[[], float] | None:
    """Return the energy counter, or None where nothing needs one and there is none."""
    try:
        return energy_counter(cell.device)
    except NoCounter:
        if cell.budget.currency is Currency.JOULES:
            raise
        return None


def _evaluate(
    cell: Cell,
    model: torch.nn.Module,
    data: _Data,
    split: str,
    machine: machines.Machine,
    folder: CellFolder,
    *,
    views: int = 1,
) -> Evaluation:
    part = data.splits[split]
    batches = [
        evaluation_batches(
            part.images,
            part.labels,
            EVALUATION_BATCH,
            image_size=cell.image_size,
            mean=data.mean,
            std=data.std,
            view=view,
            device=machine.device,
        )
        for view in range(views)
    ]
    return evaluate(model, [_beating(each, folder) for each in batches], machine)


def _beating(batches: Iterable[Batch], folder: CellFolder) -> Iterator[Batch]:
    """Pass batches on; each shows that the cell is alive."""
    for batch in batches:
        folder.beat()
        yield batch


def _headline(cell: Cell, job: Training, data: _Data, last: Scored, folder: CellFolder) -> Scored:
    """Read the test split, once, after the budget is spent."""
    split = data.dataset.headline_split
    with job.clock.measure("eval"):
        found = _evaluate(
            cell, job.model, data, split, job.machine, folder, views=cell.recipe.test_views
        )
    event = evaluated(
        found,
        spent=last.event.spent,
        progress=last.event.progress,
        split=split,
        headline=True,
        train_loss=last.event.train_loss,
    )
    folder.append(event)
    return Scored(event=event, evaluation=found)


def _write_success(
    folder: CellFolder,
    job: Training,
    data: _Data,
    headline: Scored,
    finished: Finished,
    best: Evaluated,
    machine_line: str,
    notice: str,
    *,
    canary: float,
) -> Result:
    event, spent = headline.event, finished.spent
    names = data.splits[event.split].names
    with job.clock.measure("logging"):
        folder.write_predictions(
            Predictions(
                labels=headline.evaluation.labels, logits=headline.evaluation.logits, names=names
            )
        )
    result = planned(folder.cell).model_copy(
        update={
            "status": "done",
            "reason": notice,
            "split": event.split,
            "test_images": event.images,
            "correct": event.correct,
            "top1": event.top1,
            "top5": event.top5,
            "test_loss": event.loss,
            "train_loss": event.train_loss,
            "best_top1": best.top1,
            "best_progress": best.progress,
            "params": job.params,
            "macs": job.macs,
            "images_per_second": spent.images / spent.seconds,
            "last_lr": finished.last_lr,
            "canary_gflops": (canary, canary_gflops(job.machine)),
            **_used(folder.cell, job.clock, spent, job.machine.peak_memory_bytes(), machine_line),
        }
    )
    folder.write_result(result)
    folder.forget_checkpoints()
    return result


def _write_failure(
    folder: CellFolder, clock: Clock, status: Status, reason: str, machine_line: str
) -> Result:
    events = folder.events()
    spent = events[-1].spent if events else Spent()
    cell = folder.cell
    machine = machines.Machine(device=torch.device(cell.device), precision=cell.precision)
    peak = machine.peak_memory_bytes() if status == "oom" else None
    folder.append(Failed(spent=spent, status=status, reason=reason))
    used = _used(cell, clock, spent, peak, machine_line)
    result = planned(cell).model_copy(update={"status": status, "reason": reason, **used})
    folder.write_result(result)
    if folder.is_final():  # what is tried again goes on where it was
        folder.forget_checkpoints()
    return result


def _used(
    cell: Cell, clock: Clock, spent: Spent, peak_memory_bytes: int | None, machine_line: str
) -> dict[str, Any]:
    currency = cell.budget.currency
    return {
        "epochs": spent.epochs,
        "images_seen": spent.images,
        "steps": spent.steps,
        "joules": spent.joules,
        "peak_memory_bytes": peak_memory_bytes,
        "budget": BudgetUsed(currency=currency, limit=cell.budget.limit, used=spent.of(currency)),
        "seconds": Seconds(**clock.seconds, total=clock.total()),
        "machine": machine_line or None,
    }


def _reason(error: Exception, cell: Cell) -> tuple[Status, str]:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in text.lower() for words in OUT_OF_MEMORY
    )
    if memory:
        smaller = max(1, cell.recipe.batch_size // 2)
        return "oom", f"out of memory: {text[:200]}; try --batch-size {smaller}"
    return "failed", f"{type(error).__name__}: {text[:300]}"
