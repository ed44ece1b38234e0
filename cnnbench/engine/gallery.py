"""What does a trained network see: first filters, guesses, nearest neighbours, mistakes?"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cnnbench.engine.device import Device
from cnnbench.engine.evaluate import classes_by_logit
from cnnbench.engine.head import layer_inputs

__all__ = [
    "IntArray",
    "candidates",
    "first_filters",
    "last_layer_inputs",
    "most_probable",
    "nearest",
    "representatives",
    "worst_mistakes",
]

IntArray = npt.NDArray[np.int64]
_MOST_MACS = 2e10  # what the search for neighbours may cost a cell: half a second on two cores


def first_filters(model: nn.Module) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the first convolution's filters as colours `(F, h, w, 3)`, and how many towers.

    Each filter is scaled by its own largest weight, grey being zero. A network is in two towers
    where its second convolution has two groups, as AlexNet's. `F` is 0 where the first
    convolution does not see one or three channels.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    if not layers or layers[0].weight.shape[1] not in (1, 3):
        return np.zeros((0, 1, 1, 3), dtype=np.uint8), 1
    weight = layers[0].weight.detach().float().cpu()
    largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)
    colours = (127.5 + 127.5 * weight / largest).round().clamp(0, 255).to(torch.uint8)
    towers = layers[1].groups if len(layers) > 1 else 1
    shown = colours.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()
    return shown, 2 if towers == 2 and len(shown) % 2 == 0 else 1


def representatives(labels: IntArray, count: int) -> IntArray:
    """Choose test images from as many classes as fit, the same ones for every network."""
    present = np.unique(labels)
    classes = [present[place * len(present) // count] for place in range(count)]
    chosen: list[int] = []
    for place, label in enumerate(classes):
        candidates = [int(i) for i in np.flatnonzero(labels == label) if int(i) not in chosen]
        chosen += candidates[place % len(candidates) :][:1] if candidates else []
    return np.array(chosen, dtype=np.int64)


def most_probable(
    logits: npt.NDArray[np.float32], count: int
) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """Return each image's `count` most probable classes and their probabilities, `(N, count)`."""
    tensor = torch.from_numpy(logits)
    classes = classes_by_logit(tensor)[:, :count]
    return classes.numpy(), tensor.softmax(dim=1).gather(1, classes).numpy()


def worst_mistakes(logits: npt.NDArray[np.float32], labels: IntArray, count: int) -> IntArray:
    """Return the wrong images to whose own class the network gave the least probability."""
    log_probabilities = torch.from_numpy(logits).log_softmax(dim=1).numpy()
    of_label = log_probabilities[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(logits.argmax(axis=1) != labels)
    return wrong[np.argsort(of_label[wrong], kind="stable")][:count]


def candidates(n_train: int, macs: int) -> IntArray:
    """Choose the training images among which neighbours are searched, evenly over the set."""
    count = min(n_train, max(64, int(_MOST_MACS / max(1, macs))))
    return np.linspace(0, n_train - 1, count).round().astype(np.int64)


def last_layer_inputs(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: Device
) -> Tensor | None:
    """Return the inputs of the last fully connected layer, `(N, D)`: fc7's 4096 for AlexNet.

    None if the network has no such layer.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    return layer_inputs(model, layers, batches, device)


def nearest(queries: Tensor, points: Tensor, count: int) -> IntArray:
    """Return for each of `(Q, D)` queries the nearest of `(N, D)` points, `(Q, count)` indices."""
    distances = torch.cdist(queries, points, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.topk(min(count, len(points)), dim=1, largest=False).indices.numpy()
