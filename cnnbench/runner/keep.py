"""What is kept of a trained network, so that it can be used after the run?"""

from typing import Any

import numpy as np
import torch
from torch import nn

from cnnbench.base.wilson import wilson
from cnnbench.data.open import reading_of
from cnnbench.data.pixels.decode import DECODE_VERSION
from cnnbench.engine.device import origin_of
from cnnbench.engine.state import Training
from cnnbench.engine.train import Scored
from cnnbench.runner.inputs import CellContext, Inputs
from cnnbench.schema.budget import Spent
from cnnbench.schema.kept import MEAN_IMAGE, KeptNetwork
from cnnbench.schema.result import usage

__all__ = ["keep_network"]


def keep_network(
    context: CellContext,
    inputs: Inputs,
    training: Training,
    network: nn.Module,
    *,
    headline: Scored,
    spent: Spent,
) -> None:
    """Keep a network whose budget is spent, as `headline` evaluated it.

    Raises:
        StoreError: if the disk refuses.
    """
    state = network.state_dict()
    if np.ndim(inputs.mean) > 1:
        state[MEAN_IMAGE] = torch.from_numpy(np.asarray(inputs.mean, dtype=np.float32))
    kept = KeptNetwork(
        **_settings(context, inputs),
        **_accuracy(headline),
        params=training.params,
        macs=training.macs,
        budget=usage(context.cell, spent)["budget"],
        origin=origin_of(context.device.torch_device),
    )
    context.folder.write_network(state, kept)


def _settings(context: CellContext, inputs: Inputs) -> dict[str, Any]:
    """Return what a network needs to be built again, and to be given the same inputs."""
    cell, dataset = context.cell, inputs.dataset
    return {
        "cell": cell.id,
        "model": cell.model,
        "init": cell.recipe.init,
        "classes": dataset.classes,
        "image_size": cell.image_size,
        "stored_size": cell.stored_size,
        "decode_version": DECODE_VERSION,
        "max_megapixels": reading_of(cell.dataset_options).max_megapixels,
        "views": cell.recipe.test_views,
        "mean": inputs.mean if np.ndim(inputs.mean) == 1 else None,
        "std": inputs.std,
        "precision": cell.precision,
        "device": cell.device,
        "recipe": cell.recipe.name,
        "start": cell.start and cell.start.model_copy(update={"file": ""}),
        "train": cell.train,
        "seed": cell.seed,
        "dataset": dataset.name,
        "dataset_title": dataset.title,
        "dataset_fingerprint": dataset.fingerprint,
        "train_images": len(inputs.splits["train"].labels),
    }


def _accuracy(headline: Scored) -> dict[str, Any]:
    event = headline.event
    low, high = wilson(event.correct, event.images)
    facts = {"split": event.split, "test_images": event.images, "correct": event.correct}
    return {**facts, "top1": event.top1, "top1_low": low, "top1_high": high}
