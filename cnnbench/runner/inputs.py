"""What is a cell given: its circumstances, its images, and all that the loop needs?"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

import zoo
from cnnbench.data import DataError
from cnnbench.data.augment import channel_statistics, colour_directions, mean_image
from cnnbench.data.dataset import Dataset
from cnnbench.data.loader import (
    Batch,
    Batches,
    evaluation_batches,
    evaluation_sample,
    training_sample,
)
from cnnbench.data.pixels.cache import Decoded, decoded
from cnnbench.engine.clock import Clock
from cnnbench.engine.data_dependent_init import standardise_outputs, zero_heads
from cnnbench.engine.device import Device, origin_of
from cnnbench.engine.energy import NoCounter, energy_counter
from cnnbench.engine.evaluate import EVALUATION_BATCH_SIZE, Evaluation, evaluate
from cnnbench.engine.head import keep_statistics
from cnnbench.engine.ranks import ALONE, Ranks
from cnnbench.engine.state import Training
from cnnbench.engine.step import training_flops_per_image
from cnnbench.planning.plan import open_for_cell
from cnnbench.planning.request import Request
from cnnbench.planning.starts import load_cell_start
from cnnbench.runner.devices import on_devices, with_shared_statistics
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell
from cnnbench.store import CellFolder
from zoo.weights.fitting import head_names

# A position in the training batches that no training reaches: other crops than the first steps see.
INIT_POSITION, INIT_IMAGES = 2**40, 32


@dataclass(frozen=True, kw_only=True, slots=True)
class CellContext:
    """A cell with its folder, its clock, its device, and what the process that serves it says.

    `on_step` is called after each step, then `should_stop` is asked. `checkpoint_seconds` are
    charged seconds. `threads` is the number that was found fastest here, None every core. `typed`
    says how the dataset is typed here, where the plan's words may not find it. `keeps` says whether
    the trained network is kept. `ranks` says which of several processes this one is, where they
    train the cell together.
    """

    cell: Cell
    folder: CellFolder
    clock: Clock
    device: Device
    should_stop: Callable[[], bool]
    on_step: Callable[[], None]
    checkpoint_seconds: float
    threads: int | None
    typed: Request | None = None
    keeps: bool = False
    ranks: Ranks = ALONE


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """The decoded splits of a cell and the statistics of its training images."""

    dataset: Dataset
    splits: Mapping[str, Decoded]
    mean: npt.ArrayLike
    std: tuple[float, ...]
    colours: npt.NDArray[np.float64] | None


def open_inputs(
    cell: Cell, typed: Request | None = None, *, beat: Callable[[], None] = lambda: None
) -> Inputs:
    """Open and decode a cell's images, whose dataset is `typed` here or as in the plan.

    `beat` is called now and then while they are decoded, here or by another cell.

    Raises:
        DataError: if the dataset is not what the plan saw.
    """
    name = typed.dataset if typed else cell.dataset
    options = typed.data if typed else cell.dataset_options
    dataset = open_for_cell(name, options, cell.subset, cell.holdout)
    if dataset.fingerprint != cell.dataset_fingerprint:
        raise DataError(
            f"dataset {name!r} changed since the plan was made (fingerprint "
            f"{cell.dataset_fingerprint[:8]}, now {dataset.fingerprint[:8]}); "
            "start a new run, or bring the images back"
        )
    splits: dict[str, Decoded] = {
        name: decoded(dataset, name, cell.stored_size, progress=lambda done, total: beat())
        for name in dataset.splits
    }
    pixels = splits["train"].images
    mean, std = _scaling(cell, pixels)
    jitter = cell.recipe.augment == "crop-flip-jitter"
    colours = colour_directions(pixels) if jitter else None
    return Inputs(dataset=dataset, splits=splits, mean=mean, std=std, colours=colours)


def _scaling(cell: Cell, pixels: npt.NDArray[np.uint8]) -> tuple[npt.ArrayLike, tuple[float, ...]]:
    """Return what is subtracted from pixels in [0, 1], and what they are then divided by.

    Trained weights bring both along, unless they are to go on with the images' own.
    """
    if cell.start and cell.start.mean and cell.start.std:
        return cell.start.mean, cell.start.std
    raw = (1 / 255, 1 / 255, 1 / 255)  # back to 0..255, which LRN's constants presuppose
    if cell.recipe.scaling == "mean-image":
        return mean_image(pixels, cell.image_size), raw
    mean, std = channel_statistics(pixels)
    return mean, std if cell.recipe.scaling == "standardise" else raw


def prepare_training(context: CellContext, inputs: Inputs) -> Training:
    """Build the network, start it, and put together all that the loop is given."""
    cell, device, dataset = context.cell, context.device, inputs.dataset
    network = {"num_classes": len(dataset.classes), "image_size": cell.image_size}
    torch.manual_seed(cell.seed)
    batches = _training_batches(context, inputs)
    model, head = _started(context, batches, **network)
    model = on_devices(model, device)
    facts = zoo.describe(cell.model, **network)
    evaluate = partial(evaluate_split, context, model, inputs, dataset.curve_split)
    sample = _curve_sample(cell, inputs.splits[dataset.curve_split])
    return Training(
        model=model,
        batches=batches,
        evaluate=evaluate,
        evaluate_sample=None if sample is None else partial(evaluate, places=sample),
        recipe=cell.recipe,
        budget=cell.budget,
        device=device,
        clock=context.clock,
        params=facts.params,
        macs=facts.macs,
        flops_per_image=training_flops_per_image(cell.model, **network),
        evaluations=cell.evaluations,
        curve_split=dataset.curve_split,
        curve_is_headline=dataset.curve_split == dataset.headline_split
        and cell.recipe.test_views == 1,
        checkpoint_seconds=context.checkpoint_seconds,
        should_stop=context.should_stop,
        on_step=context.on_step,
        micro_batch=cell.micro_batch,
        joules=_joules(cell),
        origin=origin_of(device.torch_device),
        head=head,
        ranks=context.ranks,
    )


def _started(
    context: CellContext, batches: Batches, **network: int
) -> tuple[torch.nn.Module, frozenset[str]]:
    """Return the network with the weights it begins with, and the names of its head's parameters.

    From scratch the head is named as little as the rest: everything learns at one rate.
    """
    cell, device = context.cell, context.device
    model = zoo.build(cell.model, init=cell.recipe.init, **network)
    if cell.batchnorm_over == "all":
        model = with_shared_statistics(model)
    if cell.start:
        load_cell_start(model, cell, num_classes=network["num_classes"])
    model = model.to(device.torch_device).to(memory_format=torch.channels_last)
    if cell.start:
        zero_heads(model, batches.batch(INIT_POSITION, 2)[0], device)
        if cell.recipe.batchnorm == "kept":
            keep_statistics(model)
        return model, head_names(cell.model, **network)
    if cell.recipe.init == "common":
        standardise_outputs(model, batches.batch(INIT_POSITION, INIT_IMAGES)[0], device)
    return model, frozenset()


def _training_batches(context: CellContext, inputs: Inputs) -> Batches:
    cell, train = context.cell, inputs.splits["train"]
    return Batches(
        train.images,
        train.labels,
        seed=cell.seed,
        image_size=cell.image_size,
        augment=cell.recipe.augment,
        least_area=cell.recipe.least_area,
        ease_epochs=cell.recipe.ease_epochs,
        mean=inputs.mean,
        std=inputs.std,
        colours=inputs.colours,
        device=context.device.torch_device,
        may_stay=cell.memory_bytes is None,
    )


def _curve_sample(cell: Cell, split: Decoded) -> npt.NDArray[np.int64] | None:
    """Return which images the curve is tested on, or None for all of its split."""
    return None if cell.curve_images is None else evaluation_sample(split.labels, cell.curve_images)


def _joules(cell: Cell) -> Callable[[], float] | None:
    """Return the energy counter, or None where nothing needs one and there is none.

    Several devices have several counters, of which the cell would see one: it sees none.
    """
    if cell.devices > 1:
        return None
    try:
        return energy_counter(cell.device)
    except NoCounter:
        if cell.budget.currency is Currency.JOULES:
            raise
        return None


def evaluate_split(
    context: CellContext,
    model: torch.nn.Module,
    inputs: Inputs,
    split: str,
    *,
    views: int = 1,
    places: npt.NDArray[np.int64] | None = None,
) -> Evaluation:
    """Run a network over one split, or some `places` of it, in one or more views of each image.

    Several ranks share out whole batches, cut as one process would cut them.
    """
    images, labels = inputs.splits[split].images, inputs.splits[split].labels
    if places is not None:
        images, labels = images[places], labels[places]
    first, count = context.ranks.part(0, math.ceil(len(labels) / EVALUATION_BATCH_SIZE))
    part = slice(first * EVALUATION_BATCH_SIZE, (first + count) * EVALUATION_BATCH_SIZE)
    images, labels = images[part], labels[part]
    batches = [cut_batches(context, inputs, images, labels, view=view) for view in range(views)]
    return evaluate(model, batches, context.device, context.ranks)


def evaluate_training_sample(
    context: CellContext, model: torch.nn.Module, inputs: Inputs
) -> Evaluation:
    """Run a network over a few training images as over test images: what it has memorised."""
    places = training_sample(len(inputs.splits["train"].labels))
    return evaluate_split(context, model, inputs, "train", places=places)


def cut_batches(
    context: CellContext,
    inputs: Inputs,
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    *,
    view: int = 0,
) -> Iterator[Batch]:
    """Pass on the batches of an evaluation; each shows that the cell is alive.

    A rank may have none.
    """
    if not len(labels):
        return
    batches = evaluation_batches(
        pixels,
        labels,
        EVALUATION_BATCH_SIZE,
        image_size=context.cell.image_size,
        mean=inputs.mean,
        std=inputs.std,
        view=view,
        device=context.device.torch_device,
    )
    for batch in batches:
        if context.ranks.is_first:
            context.folder.beat()
        yield batch
