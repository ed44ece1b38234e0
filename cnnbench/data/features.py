"""How do the features of images become batches, where only the head of a network is trained?"""

import numpy as np
import numpy.typing as npt
import torch

from cnnbench.data.order import EpochOrder

__all__ = ["FeatureBatches"]


class FeatureBatches:
    """The training stream over features `(M, D)` and labels `(M,)`, in the order of the images."""

    def __init__(
        self,
        features: torch.Tensor,
        labels: npt.NDArray[np.int64],
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        self._features = features.to(device)
        self._labels = torch.from_numpy(labels.copy()).to(device)
        self._order = EpochOrder(len(labels), seed=seed)

    @property
    def epoch_images(self) -> int:
        """The number of images in one epoch."""
        return self._order.n_images

    def batch(self, start: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features (size, D) and labels (size,) from position `start` on."""
        chosen = torch.from_numpy(self._order.indices(start, size)).to(self._features.device)
        return self._features[chosen], self._labels[chosen]
