"""Which images come in which order, and how is each cut, at any place of the training stream?

The stream is endless: one permutation of the images an epoch, one after another. What stands at a
position follows from (seed, position) alone, so a run may be cut into other batches, resumed in
the middle or shared out over ranks, and every position still gives the same pixels.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from cnnbench.base.processes import usable_cores
from cnnbench.data.augment import (
    Bytes,
    Floats,
    Ints,
    crop_and_flip,
    crop_at,
    gather_crops,
    inner_square,
    resized_crops,
    squares,
    standardise,
)
from cnnbench.data.draws import (
    CURVE,
    FLIP,
    JITTER,
    LEFT,
    SAMPLE,
    TOP,
    below,
    boxes,
    hashed,
    normal,
)
from cnnbench.data.order import EpochOrder
from cnnbench.schema.result import TRAINING_SAMPLE

__all__ = ["Batch", "Batches", "evaluation_batches", "evaluation_sample", "training_sample"]

FIRST_AREA = 0.9  # of an image, that is cut out at least where parts are eased in
JITTER_STD = 0.1  # of a principal component (AlexNet, section 4.1)

# The share of a GPU's free memory that the images may take; the rest is the network's.
_RESIDENT_SHARE = 0.25

Augment = Literal["none", "crop-flip", "crop-flip-jitter", "area-aspect"]

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cut:
    """The cut uint8 images of some positions, `(N, 3, H, W)`, not yet on the device."""

    positions: Ints
    chosen: Ints
    images: torch.Tensor


class Batches:
    """The training stream over uint8 `images` `(M, S, S, 3)` and int64 `labels` `(M,)`.

    `augment`: `crop-flip` cuts an image at a random place and mirrors it half the time;
    `crop-flip-jitter` also adds a random colour along `colours`, `(3, 3)`, the principal
    components in [0, 1]; `area-aspect` cuts `least_area` to all of the area at an aspect of 3/4 to
    4/3 and resizes it (GoogLeNet, section 6); in the first `ease_epochs` the least area falls from
    90 % to that, as parts are of use only once an image is known; `none` cuts the central square.
    `mean` and `std` are as `standardise` takes them.

    Images that a GPU has room for are kept there, unless `may_stay` forbids it: under a limit of
    memory all of that was promised to the network. Where they are not kept, the next batch is cut
    on the host while the GPU works on this one; on a CPU that would take a core from the network.
    `prefetch` decides it otherwise. The batches are the same.
    """

    def __init__(
        self,
        images: Bytes,
        labels: Ints,
        *,
        seed: int,
        image_size: int,
        augment: Augment,
        mean: npt.ArrayLike,
        std: Sequence[float],
        least_area: float = 0.08,
        ease_epochs: float = 0.0,
        colours: npt.NDArray[np.float64] | None = None,
        device: torch.device | str = "cpu",
        prefetch: bool | None = None,
        may_stay: bool = True,
    ) -> None:
        _require_fit(images, labels, image_size)
        self._images = images
        self._labels = labels
        self._seed = seed
        self._image_size = image_size
        self._augment = augment
        self._least_area, self._ease_epochs = least_area, ease_epochs
        self._mean, self._std = np.asarray(mean), tuple(std)
        self._colours = colours
        self._device = torch.device(device)
        may_stay = may_stay and augment != "area-aspect"
        self._resident = resident(images, self._device) if may_stay else None
        if prefetch is None:
            prefetch = self._device.type == "cuda" and self._resident is None
        self._helper = ThreadPoolExecutor(1) if prefetch else None
        # Resizing is work for many threads, which the helper that cuts ahead hands out.
        self._resizers = ThreadPoolExecutor(usable_cores()) if prefetch else None
        self._foreseen: tuple[tuple[int, int], Future[_Cut]] | None = None
        self._last_start = 0
        self._order = EpochOrder(len(labels), seed=seed)

    @property
    def epoch_images(self) -> int:
        """The number of images in one epoch."""
        return len(self._labels)

    def indices(self, start: int, size: int) -> Ints:
        """Return which images stand at positions start .. start + size - 1, `(size,)`."""
        return self._order.indices(start, size)

    def batch(self, start: int, size: int) -> Batch:
        """Return positions start .. start + size - 1: images `(size, 3, H, W)`, labels `(size,)`.

        Images are float32 in channels_last. For rank r of R with local batch b, ask for
        `batch(step * R * b + r * b, b)`.
        """
        cut = self._next_cut(start, size)
        images = cut.images.to(self._device, non_blocking=True)
        images = standardise(images, self._mean, self._std, tint=self._tint(cut.positions))
        return images, torch.from_numpy(self._labels[cut.chosen]).to(self._device)

    def _next_cut(self, start: int, size: int) -> _Cut:
        """Return the cut of a batch, foreseen or made now, and let the one after it be made."""
        if self._helper is None:
            return self._cut_of(start, size)
        foreseen, cut = self._foreseen, None
        if foreseen is not None:
            made = foreseen[1].result()  # also where it is not wanted: two must not cut at once
            cut = made if foreseen[0] == (start, size) else None
        cut = cut or self._cut_of(start, size)
        # The next begins as far on as this one did: several ranks share out each batch.
        ahead = start - self._last_start
        self._last_start = start
        after = (start + (ahead if size <= ahead <= start else size), size)
        self._foreseen = after, self._helper.submit(self._cut_of, *after)
        return cut

    def _cut_of(self, start: int, size: int) -> _Cut:
        positions = np.arange(start, start + size, dtype=np.int64)
        chosen = self.indices(start, size)
        images = self._cut(chosen, positions)
        if self._device.type == "cuda" and images.device.type == "cpu":
            images = images.pin_memory()  # so that the transfer does not wait for the host
        return _Cut(positions=positions, chosen=chosen, images=images)

    def _cut(self, chosen: Ints, positions: Ints) -> torch.Tensor:
        flip = below(2, hashed(self._seed, FLIP, positions)) == 1
        if self._augment == "area-aspect":
            cut_boxes = boxes(
                self._seed,
                positions,
                self._images.shape[1],
                least_area=self._least_areas(positions),
            )
            return resized_crops(
                self._images,
                chosen,
                self._image_size,
                boxes=cut_boxes,
                flip=flip,
                pool=self._resizers,
            )
        spare = self._images.shape[1] - self._image_size
        if self._augment == "none":
            top = left = np.full(len(positions), spare // 2, dtype=np.int64)
            flip = np.zeros(len(positions), dtype=np.bool_)
        else:
            top = below(spare + 1, hashed(self._seed, TOP, positions))
            left = below(spare + 1, hashed(self._seed, LEFT, positions))
        if self._resident is not None:
            return gather_crops(
                self._resident, chosen, self._image_size, top=top, left=left, flip=flip
            )
        return crop_and_flip(self._images, chosen, self._image_size, top=top, left=left, flip=flip)

    def _least_areas(self, positions: Ints) -> npt.NDArray[np.float64]:
        """Return the least area of a part at each position, `(N,)`: it falls with the epochs."""
        ends = [0.0, self._ease_epochs], [max(FIRST_AREA, self._least_area), self._least_area]
        epochs = positions / self.epoch_images
        return np.interp(epochs, *ends) if self._ease_epochs else np.full(len(epochs), ends[1][1])

    def _tint(self, positions: Ints) -> Floats | None:
        """Return a colour for each image, `(N, 3)`: one draw for each principal component."""
        if self._augment != "crop-flip-jitter" or self._colours is None:
            return None
        places = positions[:, None] * 3 + np.arange(3)
        draws = JITTER_STD * normal(self._seed, JITTER, places)
        return (draws @ self._colours.T).astype(np.float32)


def resident(images: Bytes, device: torch.device) -> torch.Tensor | None:
    """Return all images on a GPU that has room for them, else None; the batches are the same."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    if images.nbytes > _RESIDENT_SHARE * free:
        return None
    return torch.from_numpy(np.array(images)).to(device)  # a copy: the map is read-only


def evaluation_batches(
    images: Bytes,
    labels: Ints,
    batch_size: int,
    *,
    image_size: int,
    mean: npt.ArrayLike,
    std: Sequence[float],
    view: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[Batch]:
    """Yield every image once, in order, cut to one square; the last batch may be smaller.

    `view` 0 is the central square, 224 of 256 parts of a side, resized where images are stored
    larger than for crops; 1 to 4 are the corners, and 5 to 9 the mirror images of 0 to 4: the ten
    crops of the AlexNet paper. Shapes and types are those of `Batches.batch`.
    """
    _require_fit(images, labels, image_size)
    centre = inner_square(images.shape[1])
    is_resized = view == 0 and centre[2] > image_size + 1  # a pixel is but rounding
    spare = images.shape[1] - image_size
    top, left = [(spare // 2, spare // 2), (0, 0), (0, spare), (spare, 0), (spare, spare)][view % 5]
    for start in range(0, len(labels), batch_size):
        some = slice(start, start + batch_size)
        if is_resized:
            cut = squares(images[some], image_size, box=centre).to(device)
        else:
            cut = crop_at(images[some], image_size, top=top, left=left, flip=view >= 5).to(device)
        yield standardise(cut, mean, std), torch.from_numpy(labels[some].copy()).to(device)


def training_sample(n_images: int) -> Ints:
    """Return which training images are looked at after training, in order.

    They are drawn once for a number of images: every network and every seed has the same.
    """
    keys = hashed(0, SAMPLE, np.arange(n_images, dtype=np.int64))
    return np.sort(np.argsort(keys, kind="stable")[:TRAINING_SAMPLE])


def evaluation_sample(labels: Ints, n_images: int) -> Ints:
    """Return which of a split's images its curve is tested on, in order: `n_images`, if so many.

    Every n-th image of the split, sorted by class and within a class at random: each class has its
    share of them, rounded up or down. They are drawn once for a split: every network and every
    seed has the same.
    """
    n_images, n_all = min(n_images, len(labels)), len(labels)
    keys = hashed(0, CURVE, np.arange(n_all, dtype=np.int64))
    by_class = np.lexsort((keys, labels))
    middles = (2 * np.arange(n_images) + 1) * n_all // (2 * n_images)
    return np.sort(by_class[middles])


def _require_fit(images: Bytes, labels: Ints, image_size: int) -> None:
    if len(images) != len(labels) or not len(labels):
        raise ValueError(f"as many images as labels are needed, saw {len(images)}, {len(labels)}")
    if not 0 < image_size <= min(images.shape[1:3]):
        raise ValueError(
            f"image_size {image_size} must be in 1..{min(images.shape[1:3])}, the stored size"
        )
