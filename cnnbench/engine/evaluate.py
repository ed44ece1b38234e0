"""How good is a network on a split, as loss, top-1 and top-5?"""

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cnnbench.engine.device import Device
from cnnbench.engine.ranks import ALONE, Ranks

__all__ = ["EVALUATION_BATCH_SIZE", "Evaluation", "evaluate", "evaluation_mode", "score"]

EVALUATION_BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Mean cross-entropy and counts over a split; `logits` is (N, C) float32 in its order."""

    loss: float
    correct: int
    correct_top5: int
    n_images: int
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]

    def metrics(self) -> dict[str, Any]:
        """Return what an `Evaluated` event says of the split."""
        return {
            "loss": self.loss,
            "top1": self.correct / self.n_images,
            "top5": self.correct_top5 / self.n_images,
            "correct": self.correct,
            "images": self.n_images,
        }


def evaluate(
    model: nn.Module,
    views: Sequence[Iterable[tuple[Tensor, Tensor]]],
    device: Device,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Run the network over one or more views of a split; it keeps its mode.

    Several views of the same images, crops for instance, are averaged as probabilities, as the
    AlexNet authors' code does; their logits are the logarithms of that average. Of several ranks
    each has the batches of its part, in the ranks' order, or none; all return the evaluation of the
    whole.
    """
    ranks.take_buffers(model)
    with evaluation_mode(model):
        outputs = [_logits_and_labels(model, batches, device) for batches in views]
    logits, labels = outputs[0]
    if len(outputs) > 1:
        logs = torch.stack([view.double().log_softmax(dim=1) for view, _ in outputs])
        logits = (logs.logsumexp(dim=0) - math.log(len(outputs))).float()
    return score(*ranks.joined(logits, labels))


@contextlib.contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Within a block, switch dropout and gradients off and use BatchNorm's running statistics."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def _logits_and_labels(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: Device
) -> tuple[Tensor, Tensor]:
    all_logits, all_labels = [], []
    for images, labels in batches:
        with device.autocast():
            logits = model(images)
        all_logits.append(logits.float().cpu())
        all_labels.append(labels.cpu())
    if not all_labels:  # more ranks than batches
        return torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64)
    return torch.cat(all_logits), torch.cat(all_labels)


def classes_by_logit(logits: Tensor) -> Tensor:
    """Return each image's classes, the most probable first; of equal logits the first class is.

    numpy's `argmax`, which a report uses, has the same rule; `topk` has none, and logits that were
    rounded to bf16 are equal quite often.
    """
    return logits.sort(dim=1, descending=True, stable=True).indices


def score(logits: Tensor, labels: Tensor) -> Evaluation:
    """Compare (N, C) logits with (N,) labels."""
    hits = classes_by_logit(logits)[:, :5] == labels[:, None]
    return Evaluation(
        loss=float(functional.cross_entropy(logits, labels)),
        correct=int(hits[:, 0].sum()),
        correct_top5=int(hits.any(dim=1).sum()),
        n_images=len(labels),
        logits=logits.numpy().astype(np.float32),
        labels=labels.numpy().astype(np.int64),
    )
