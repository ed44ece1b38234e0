"""What does a trained network see: first filters, guesses, likenesses, errors?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cnnbench.engine.device import Machine

Ints = npt.NDArray[np.int64]
_MOST_MACS = 3e11  # what looking for neighbours may cost a cell: some seconds on a CPU


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


def representatives(labels: Ints, count: int) -> Ints:
    """Choose test images from as many classes as fit, the same ones for every network."""
    present = np.unique(labels)
    chosen = [present[place * len(present) // count] for place in range(count)]
    taken: list[int] = []
    for place, label in enumerate(chosen):
        images = [int(i) for i in np.flatnonzero(labels == label) if int(i) not in taken]
        taken += images[place % len(images) :][:1] if images else []
    return np.array(taken, dtype=np.int64)


def most_probable(
    logits: npt.NDArray[np.float32], count: int
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Return each image's `count` most probable classes and their probabilities, `(N, count)`."""
    found = torch.from_numpy(logits).softmax(dim=1).topk(min(count, logits.shape[1]), dim=1)
    return found.indices.numpy(), found.values.numpy()


def worst_mistakes(logits: npt.NDArray[np.float32], labels: Ints, count: int) -> Ints:
    """Return the images named wrong whose right class was thought least probable."""
    right = torch.from_numpy(logits).log_softmax(dim=1).numpy()[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(logits.argmax(axis=1) != labels)
    return wrong[np.argsort(right[wrong], kind="stable")][:count]


def searched(train_images: int, macs: int) -> Ints:
    """Choose which training images are looked through for neighbours, evenly over the set."""
    count = min(train_images, max(64, int(_MOST_MACS / max(1, macs))))
    return np.linspace(0, train_images - 1, count).round().astype(np.int64)


def features(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], machine: Machine
) -> Tensor | None:
    """Return what enters the last fully connected layer, `(N, D)`: fc7's 4096 for AlexNet.

    None if the network has no such layer. The network is left in the mode it was in.
    """
    seen: list[Tensor] = []
    found: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        for layer in model.modules()
        if isinstance(layer, nn.Linear)
    ]
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for images, _ in batches:
                seen.clear()
                with machine.autocast():
                    model(images)
                if not seen:
                    return None
                found.append(seen[-1].flatten(1).float().cpu())
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return torch.cat(found)


def nearest(queries: Tensor, among: Tensor, count: int) -> Ints:
    """Return for each of `(Q, D)` queries the places of its nearest in `(N, D)`, `(Q, count)`."""
    distance = torch.cdist(queries, among, compute_mode="donot_use_mm_for_euclid_dist")
    return distance.topk(min(count, len(among)), dim=1, largest=False).indices.numpy()
