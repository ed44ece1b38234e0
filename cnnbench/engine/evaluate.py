"""How good is a network on a split, as loss, top-1 and top-5?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cnnbench.engine.device import Machine


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
    model: nn.Module, views: Sequence[Iterable[tuple[Tensor, Tensor]]], machine: Machine
) -> Evaluation:
    """Run the network over one or more views of a split and leave it in the mode it was in.

    Several views of the same images, crops for instance, are averaged as probabilities, as the
    AlexNet authors' code does; their logits are the logarithms of that average.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        outputs = [_run_over(model, batches, machine) for batches in views]
    model.train(was_training)
    answers = outputs[0][1]
    if len(outputs) == 1:
        return score(outputs[0][0], answers)
    logs = torch.stack([logits.double().log_softmax(dim=1) for logits, _ in outputs])
    return score((logs.logsumexp(dim=0) - math.log(len(outputs))).float(), answers)


def _run_over(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], machine: Machine
) -> tuple[Tensor, Tensor]:
    outputs, answers = [], []
    for images, labels in batches:
        with machine.autocast():
            logits = model(images)
        outputs.append(logits.float().cpu())
        answers.append(labels.cpu())
    return torch.cat(outputs), torch.cat(answers)


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
