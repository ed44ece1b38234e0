"""Which image stands at which position of an endless training stream?"""

import numpy as np
import numpy.typing as npt

from cnnbench.data.draws import ORDER, hashed

__all__ = ["EpochOrder"]

Ints = npt.NDArray[np.int64]


class EpochOrder:
    """One permutation of `n_images` images an epoch, one after another, drawn from a seed."""

    def __init__(self, n_images: int, *, seed: int) -> None:
        self.n_images = n_images
        self._seed = seed
        self._epoch = -1  # the epoch of the permutation that is kept
        self._permutation = np.empty(0, dtype=np.int64)

    def indices(self, start: int, size: int) -> Ints:
        """Return which images stand at positions start .. start + size - 1, `(size,)`."""
        positions = np.arange(start, start + size, dtype=np.int64)
        epochs, places = np.divmod(positions, self.n_images)
        chosen = np.empty(size, dtype=np.int64)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            chosen[here] = self._order_of(epoch)[places[here]]
        return chosen

    def _order_of(self, epoch: int) -> Ints:
        if epoch != self._epoch:
            first = epoch * self.n_images
            positions = np.arange(first, first + self.n_images, dtype=np.int64)
            # Sorting by a hash is a permutation that no change of a library's generator can move.
            keys = hashed(self._seed, ORDER, positions)
            self._permutation = np.argsort(keys, kind="stable")
            self._epoch = epoch
        return self._permutation
