"""How good is a network on a split, as loss, top-1 and top-5?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cnnbench.engine.machine import Machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Mean cross-entropy and counts over a split; `logits` is (N, C) float32 in its order."""

    loss: float
    correct: int
    correct_top5: int
    images: int
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]


def evaluate(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], machine: Machine
) -> Evaluation:
    """Run the network over a split in evaluation mode and leave it in the mode it was in."""
    was_training = model.training
    model.eval()
    outputs, answers = [], []
    with torch.inference_mode():
        for images, labels in batches:
            with machine.autocast():
                logits = model(images)
            outputs.append(logits.float().cpu())
            answers.append(labels.cpu())
    model.train(was_training)
    return score(torch.cat(outputs), torch.cat(answers))


def score(logits: Tensor, labels: Tensor) -> Evaluation:
    """Count what (N, C) logits get right against (N,) labels."""
    top5 = logits.topk(min(5, logits.shape[1]), dim=1).indices
    hits = top5 == labels[:, None]
    return Evaluation(
        loss=float(functional.cross_entropy(logits, labels)),
        correct=int(hits[:, 0].sum()),
        correct_top5=int(hits.any(dim=1).sum()),
        images=len(labels),
        logits=logits.numpy().astype(np.float32),
        labels=labels.numpy().astype(np.int64),
    )
