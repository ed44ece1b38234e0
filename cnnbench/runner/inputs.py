"""What is a cell trained on, and what is the loop given?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

import zoo.registry
from cnnbench.data import DataError
from cnnbench.data.augment import channel_statistics, colour_directions, mean_image
from cnnbench.data.dataset import Dataset
from cnnbench.data.loader import Batch, Batches, evaluation_batches
from cnnbench.data.pixels.cache import Decoded, decoded
from cnnbench.engine.energy import NoCounter, energy_counter
from cnnbench.engine.evaluate import Evaluation, evaluate
from cnnbench.engine.flops import training_flops_per_image
from cnnbench.engine.gallery import Ints
from cnnbench.engine.init import standardise_outputs
from cnnbench.engine.state import Training
from cnnbench.planning.plan import open_for_cell
from cnnbench.runner.context import Job
from cnnbench.runner.gallery import View
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell, stored_size
from cnnbench.store import CellFolder

EVALUATION_BATCH = 32
STARTING_IMAGES = 32
STARTING_POSITION = 2**40


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """The decoded splits of a cell and the statistics of its training images."""

    dataset: Dataset
    splits: Mapping[str, Decoded]
    mean: npt.ArrayLike
    std: tuple[float, ...]
    colours: npt.NDArray[np.float64] | None


def open_inputs(cell: Cell) -> Inputs:
    """Open and decode a cell's images.

    Raises:
        DataError: if the dataset is not what the plan saw.
    """
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
    return Inputs(dataset=dataset, splits=splits, mean=mean, std=std, colours=colours)


def _scaling(cell: Cell, images: npt.NDArray[np.uint8]) -> tuple[npt.ArrayLike, tuple[float, ...]]:
    """Return what is subtracted from pixels in [0, 1], and what they are then divided by."""
    raw = (1 / 255, 1 / 255, 1 / 255)  # back to 0..255, which LRN's constants presuppose
    if cell.recipe.scaling == "mean-image":
        return mean_image(images, cell.image_size), raw
    mean, std = channel_statistics(images)
    return mean, std if cell.recipe.scaling == "standardise" else raw


def prepare(job: Job, data: Inputs) -> Training:
    """Build the network, start it, and put together all that the loop is given."""
    cell, machine = job.cell, job.machine

    def beating() -> bool:
        job.folder.beat()
        return job.setting.stop_asked()

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
        test=lambda: evaluate_split(job, model, data, data.dataset.curve_split),
        recipe=cell.recipe,
        budget=cell.budget,
        machine=machine,
        clock=job.clock,
        params=facts.params,
        macs=facts.macs,
        flops_per_image=training_flops_per_image(skeleton, image_size=cell.image_size),
        evaluations=cell.evaluations,
        curve_split=data.dataset.curve_split,
        curve_is_headline=data.dataset.curve_split == data.dataset.headline_split
        and cell.recipe.test_views == 1,
        checkpoint_seconds=job.setting.checkpoint_seconds,
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


def evaluate_split(
    job: Job, model: torch.nn.Module, data: Inputs, split: str, *, views: int = 1
) -> Evaluation:
    """Run a network over one split, in one or more views of each image."""
    part = data.splits[split]
    batches = [
        evaluation_batches(
            part.images,
            part.labels,
            EVALUATION_BATCH,
            image_size=job.cell.image_size,
            mean=data.mean,
            std=data.std,
            view=view,
            device=job.machine.device,
        )
        for view in range(views)
    ]
    return evaluate(model, [_beating(each, job.folder) for each in batches], job.machine)


def view_of(job: Job, data: Inputs, split: str, *, macs: int) -> View:
    """Return what the gallery of a finished cell looks at: its training images and one split."""

    def feed(part: Decoded, places: Ints) -> Iterator[Batch]:
        return _beating(
            evaluation_batches(
                part.images[places],
                part.labels[places],
                EVALUATION_BATCH,
                image_size=job.cell.image_size,
                mean=data.mean,
                std=data.std,
                device=job.machine.device,
            ),
            job.folder,
        )

    return View(
        train=data.splits["train"],
        test=data.splits[split],
        feed=feed,
        machine=job.machine,
        macs=macs,
    )


def _beating(batches: Iterable[Batch], folder: CellFolder) -> Iterator[Batch]:
    """Pass batches on; each shows that the cell is alive."""
    for batch in batches:
        folder.beat()
        yield batch
