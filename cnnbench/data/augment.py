"""How does a batch of stored squares become the tensor a network is fed?

Cutting and mirroring work on bytes, where an image is a quarter of its size as floats; only then
is the result scaled and turned into floats. All results are channels_last.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


def crop_and_flip(
    images: Bytes,
    indices: Places,
    image_size: int,
    *,
    top: Places,
    left: Places,
    flip: npt.NDArray[np.bool_],
) -> torch.Tensor:
    """Cut a square out of each of `images[indices]`, and mirror those that `flip` says.

    `images` is `(M, S, S, 3)` and may be a memory map: only the rows that are cut are read. `top`
    and `left` in [0, S - image_size] and `flip` have one value an index. Returns uint8
    `(N, 3, image_size, image_size)`.
    """
    cut = np.empty((len(indices), image_size, image_size, 3), dtype=np.uint8)
    rows = [slice(start, start + image_size) for start in top.tolist()]
    columns = [slice(start, start + image_size) for start in left.tolist()]
    stored = np.asarray(images)  # slicing a plain array is quicker than slicing a memmap
    for place, index in enumerate(indices.tolist()):
        square = stored[index, rows[place], columns[place]]
        if flip[place]:
            # Plane by plane: reversing runs of three bytes at once is five times slower in numpy.
            for channel in range(3):
                cut[place, :, :, channel] = square[:, ::-1, channel]
        else:
            cut[place] = square
    return _as_planes(cut)


def centre_crop(images: Bytes, image_size: int) -> torch.Tensor:
    """Cut the central square out of each image `(N, S, S, 3)`; returns `(N, 3, size, size)`."""
    top = (images.shape[1] - image_size) // 2
    left = (images.shape[2] - image_size) // 2
    # A copy, so that torch never holds a read-only map.
    return _as_planes(
        np.array(images[:, top : top + image_size, left : left + image_size], order="C")
    )


def standardise(images: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Return `(images / 255 - mean) / std` as float32, on the device the images are on.

    `images` is uint8 `(N, 3, H, W)` in channels_last; `mean` and `std` are per channel in [0, 1].
    """
    count, channels, height, width = images.shape
    deviation = np.array(std, dtype=np.float64)
    # Rows of W * 3 values let the inner loop be vectorised, which runs of three do not.
    scale = np.tile(1 / (255 * deviation), width).astype(np.float32)
    shift = np.tile(-np.array(mean) / deviation, width).astype(np.float32)
    rows = images.permute(0, 2, 3, 1).reshape(count, height, width * channels)
    if images.device.type == "cpu":
        result = torch.from_numpy(_scaled(rows.numpy(), scale, shift))
    else:
        factors = (torch.from_numpy(values).to(images.device) for values in (scale, shift))
        result = rows.to(torch.float32).mul_(next(factors)).add_(next(factors))
    return result.view(count, height, width, channels).permute(0, 3, 1, 2)


def _scaled(rows: Bytes, scale: Floats, shift: Floats) -> Floats:
    """Return `rows * scale + shift` for `(N, H, W * 3)`, an image at a time.

    An image stays in the core's cache through its three passes. In numpy, on one thread: torch's
    many short parallel loops wait for each other as soon as another process wants a core.
    """
    result = np.empty(rows.shape, dtype=np.float32)
    for target, source in zip(result, rows, strict=True):
        target[...] = source
        target *= scale
        target += shift
    return result


def _as_planes(images: Bytes) -> torch.Tensor:
    """View `(N, H, W, 3)` bytes as `(N, 3, H, W)`, which is channels_last for free."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)
