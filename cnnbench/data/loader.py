"""Which images come in which order, and how is each cut, at any place of the training stream?

The stream is endless: one permutation of the images an epoch, one after another. What stands at a
position follows from (seed, position) alone, so a run may be cut into other batches, resumed in
the middle or shared out over ranks, and every position still gives the same pixels.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from cnnbench.data.augment import centre_crop, crop_and_flip, standardise

_ORDER, _TOP, _LEFT, _FLIP = range(4)  # one independent stream of numbers for each choice

Batch = tuple[torch.Tensor, torch.Tensor]


class Batches:
    """The training stream over uint8 `images` `(M, S, S, 3)` and int64 `labels` `(M,)`.

    With `augment` an image is cut at a random place and mirrored half the time, else the central
    square is cut. `mean` and `std` are per channel in [0, 1].
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.int64],
        *,
        seed: int,
        image_size: int,
        augment: bool,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device | str = "cpu",
    ) -> None:
        _require_fit(images, labels, image_size)
        self._images = images
        self._labels = labels
        self._seed = seed
        self._image_size = image_size
        self._augment = augment
        self._mean, self._std = tuple(mean), tuple(std)
        self._device = torch.device(device)
        self._epoch = -1  # the epoch of the permutation that is kept
        self._permutation = np.empty(0, dtype=np.int64)

    @property
    def epoch_images(self) -> int:
        """The number of images in one epoch."""
        return len(self._labels)

    def indices(self, start: int, size: int) -> npt.NDArray[np.int64]:
        """Return which images stand at positions start .. start + size - 1, `(size,)`."""
        positions = np.arange(start, start + size, dtype=np.int64)
        epochs, places = np.divmod(positions, self.epoch_images)
        chosen = np.empty(size, dtype=np.int64)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            chosen[here] = self._order_of(epoch)[places[here]]
        return chosen

    def batch(self, start: int, size: int) -> Batch:
        """Return positions start .. start + size - 1: images `(size, 3, H, W)`, labels `(size,)`.

        Images are float32 in channels_last. For rank r of R with local batch b, ask for
        `batch(step * R * b + r * b, b)`.
        """
        chosen = self.indices(start, size)
        positions = np.arange(start, start + size, dtype=np.int64)
        spare = self._images.shape[1] - self._image_size
        if self._augment:
            top = _below(spare + 1, hashed(self._seed, _TOP, positions))
            left = _below(spare + 1, hashed(self._seed, _LEFT, positions))
            flip = _below(2, hashed(self._seed, _FLIP, positions)) == 1
        else:
            top = left = np.full(size, spare // 2, dtype=np.int64)
            flip = np.zeros(size, dtype=np.bool_)
        cut = crop_and_flip(self._images, chosen, self._image_size, top=top, left=left, flip=flip)
        labels = torch.from_numpy(self._labels[chosen])
        images = standardise(cut.to(self._device), self._mean, self._std)
        return images, labels.to(self._device)

    def _order_of(self, epoch: int) -> npt.NDArray[np.int64]:
        if epoch != self._epoch:
            first = epoch * self.epoch_images
            positions = np.arange(first, first + self.epoch_images, dtype=np.int64)
            # Sorting by a hash is a permutation that no change of a library's generator can move.
            keys = hashed(self._seed, _ORDER, positions)
            self._permutation = np.argsort(keys, kind="stable")
            self._epoch = epoch
        return self._permutation


def evaluation_batches(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    batch_size: int,
    *,
    image_size: int,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | str = "cpu",
) -> Iterator[Batch]:
    """Yield every image once, in order, cut to its central square; the last batch may be smaller.

    Shapes and types are those of `Batches.batch`.
    """
    _require_fit(images, labels, image_size)
    for start in range(0, len(labels), batch_size):
        some = slice(start, start + batch_size)
        cut = centre_crop(images[some], image_size).to(device)
        yield standardise(cut, mean, std), torch.from_numpy(labels[some].copy()).to(device)


def hashed(seed: int, stream: int, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return 64 random bits a position, a function of (seed, stream, position) alone.

    Counter-based: SplitMix64's finalizer (Steele, Lea, Flood, OOPSLA 2014) over a counter.
    """
    key = _mixed(np.array([seed % 2**64], dtype=np.uint64))
    key = _mixed(key + np.uint64(stream + 1))
    return _mixed(key + positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _below(limit: int, bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Map random bits to 0 .. limit - 1, evenly to within 2^-32."""
    return ((bits >> np.uint64(32)) * np.uint64(limit) >> np.uint64(32)).astype(np.int64)


def _require_fit(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], image_size: int
) -> None:
    if len(images) != len(labels) or not len(labels):
        raise ValueError(f"as many images as labels are needed, saw {len(images)}, {len(labels)}")
    if not 0 < image_size <= min(images.shape[1:3]):
        raise ValueError(
            f"image_size {image_size} must be in 1..{min(images.shape[1:3])}, the stored size"
        )
