"""How does a batch of stored squares become a network's input, and which statistics scale it?

Cutting and mirroring work on bytes, where an image is a quarter of its size as floats; only then
is the result scaled and turned into floats. All results are channels_last.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

__all__ = ["channel_statistics", "colour_directions", "inner_square", "mean_image"]

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def crop_and_flip(
    images: Bytes, indices: Ints, image_size: int, *, top: Ints, left: Ints, flip: Bools
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


def resized_crops(
    images: Bytes,
    indices: Ints,
    image_size: int,
    *,
    boxes: Ints,
    flip: Bools,
    pool: ThreadPoolExecutor | None = None,
) -> torch.Tensor:
    """Cut a rectangle out of each of `images[indices]` and resize it to a square.

    `boxes` is `(N, 4)`: top, left, height, width in pixels. Bilinear with antialiasing, on bytes,
    whose kernels are four times as fast as those of floats. The threads of a `pool` share the
    work. Shapes and types are those of `crop_and_flip`.
    """
    stored = np.asarray(images)
    cut = torch.empty((len(indices), image_size, image_size, 3), dtype=torch.uint8)

    def fill(place: int) -> None:
        square = _resized(stored[indices[place]], image_size, boxes[place].tolist())
        cut[place] = square.flip(1) if flip[place] else square

    for _ in (pool.map if pool else map)(fill, range(len(indices))):
        pass
    return cut.permute(0, 3, 1, 2)


def squares(images: Bytes, image_size: int, *, box: Sequence[int]) -> torch.Tensor:
    """Cut the same rectangle out of each image `(N, S, S, 3)`, resized as by `resized_crops`."""
    cut = torch.empty((len(images), image_size, image_size, 3), dtype=torch.uint8)
    for place, image in enumerate(images):
        cut[place] = _resized(image, image_size, box)
    return cut.permute(0, 3, 1, 2)


def inner_square(side: int) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the square that is tested: 224 of 256 parts a side.

    >>> inner_square(256), inner_square(109)
    ((16, 16, 224, 224), (7, 7, 95, 95))
    """
    inner = round(side * 224 / 256)
    start = (side - inner) // 2
    return start, start, inner, inner


def _resized(image: Bytes, image_size: int, box: Sequence[int]) -> torch.Tensor:
    top, left, height, width = box
    patch = torch.from_numpy(np.array(image[top : top + height, left : left + width]))
    planes = patch.permute(2, 0, 1)[None]
    square = functional.interpolate(
        planes, size=(image_size, image_size), mode="bilinear", antialias=True
    )
    return square[0].permute(1, 2, 0)


def crop_at(
    images: Bytes, image_size: int, *, top: int, left: int, flip: bool = False
) -> torch.Tensor:
    """Cut the same square out of each image `(N, S, S, 3)`; returns `(N, 3, size, size)`."""
    # A copy, so that torch never holds a read-only map.
    cut = np.array(images[:, top : top + image_size, left : left + image_size], order="C")
    return _as_planes(np.ascontiguousarray(cut[:, :, ::-1]) if flip else cut)


def gather_crops(
    images: torch.Tensor, indices: Ints, image_size: int, *, top: Ints, left: Ints, flip: Bools
) -> torch.Tensor:
    """Do what `crop_and_flip` does, where the images are: uint8 `(M, S, S, 3)` on any device.

    One gather instead of a copy an image: on a GPU the processor's loop over images would take
    longer than the network.
    """
    side = np.arange(image_size)
    rows = top[:, None] + side
    columns = left[:, None] + np.where(flip[:, None], side[::-1], side)
    chosen, y, x = (
        torch.from_numpy(places).to(images.device, non_blocking=True)
        for places in (indices, rows, columns)
    )
    return images[chosen[:, None, None], y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def standardise(
    images: torch.Tensor, mean: npt.ArrayLike, std: Sequence[float], *, tint: Floats | None = None
) -> torch.Tensor:
    """Return `(images / 255 + tint - mean) / std` as float32, on the device the images are on.

    `images` is uint8 `(N, 3, H, W)` in channels_last. `mean` is a value a channel, `(3,)`, or a
    whole image, `(H, W, 3)`; `std` is `(3,)` and `tint`, a colour for each image, `(N, 3)`. All
    are in [0, 1]; a `std` of 1/255 leaves pixels in their own units.
    """
    count, channels, height, width = images.shape
    deviation = np.array(std, dtype=np.float64)
    # Rows of W * 3 values let the inner loop be vectorised, which runs of three do not.
    scale = np.tile(1 / (255 * deviation), width).astype(np.float32)
    lines = 1 if np.ndim(mean) == 1 else height  # one line stands for all where all are alike
    centre = np.broadcast_to(np.asarray(mean, dtype=np.float64), (lines, width, channels))
    shift = (-centre / deviation).reshape(1, lines, width * channels).astype(np.float32)
    if tint is not None:
        shift = shift + np.tile(tint / deviation, width)[:, None, :].astype(np.float32)
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
    shifts = np.broadcast_to(shift, (len(rows), *shift.shape[1:]))
    for target, source, offset in zip(result, rows, shifts, strict=True):
        target[...] = source
        target *= scale
        target += offset
    return result


def _as_planes(images: Bytes) -> torch.Tensor:
    """View `(N, H, W, 3)` bytes as `(N, 3, H, W)`, which is channels_last for free."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)


# -- statistics of the training images ------------------------------------------------------------

_SAMPLE = 2048  # images: beyond it the mean moves by less than one level of 255
_CHUNK = 32

Channels = tuple[float, float, float]


def channel_statistics(images: Bytes) -> tuple[Channels, Channels]:
    """Return mean and population deviation of R, G, B in [0, 1] over uint8 `(N, H, W, 3)`.

    Exact for up to 2,048 images; of more, as many are taken at even steps. A channel that never
    varies gets the deviation of one level, 1/255, so that dividing by it stays finite.
    """
    columns = images.shape[2] * 3
    n_rows, total, squares = 0, np.zeros(columns, np.uint64), np.zeros(columns, np.uint64)
    for chunk in _sampled(images):
        # Rows of W * 3 bytes keep numpy's inner loop long. A square fits uint16: 255^2 = 65,025.
        rows = chunk.reshape(-1, columns)
        wide = rows.astype(np.uint16)
        n_rows += len(rows)
        total += rows.sum(axis=0, dtype=np.uint64)
        squares += (wide * wide).sum(axis=0, dtype=np.uint64)
    n_pixels = n_rows * images.shape[2]
    mean = total.reshape(-1, 3).sum(axis=0) / n_pixels
    variance = squares.reshape(-1, 3).sum(axis=0) / n_pixels - mean**2
    std = np.sqrt(np.maximum(variance, 1.0))
    return _channels(mean / 255), _channels(std / 255)


def mean_image(images: Bytes, image_size: int) -> Floats:
    """Return the mean of the central squares of uint8 `(N, H, W, 3)`, in [0, 1].

    The result is `(image_size, image_size, 3)`, over the same images as `channel_statistics`.
    """
    top, left = ((side - image_size) // 2 for side in images.shape[1:3])
    count, total = 0, np.zeros((image_size, image_size, 3), dtype=np.uint64)
    for chunk in _sampled(images):
        square = chunk[:, top : top + image_size, left : left + image_size]
        count += len(chunk)
        total += square.sum(axis=0, dtype=np.uint64)
    return (total / (255 * count)).astype(np.float32)


def colour_directions(images: Bytes) -> npt.NDArray[np.float64]:
    """Return the principal components of the pixels' colours, `(3, 3)`, a column each, in [0, 1].

    Each column is an eigenvector of the covariance of R, G, B times its standard deviation, in
    the manner of the AlexNet authors' code; over the same images as `channel_statistics`.
    """
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for chunk in _sampled(images):
        pixels = chunk.reshape(-1, 3).astype(np.float32)
        count += len(pixels)
        total += pixels.sum(axis=0, dtype=np.float64)
        products += (pixels.T @ pixels).astype(np.float64)
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    directions: npt.NDArray[np.float64] = vectors * np.sqrt(np.maximum(values, 0.0)) / 255
    return directions


def _sampled(images: Bytes) -> Iterator[Bytes]:
    """Yield the images that stand for all, at even steps, a few at a time."""
    sampled = images[:: max(1, -(-len(images) // _SAMPLE))]
    for start in range(0, len(sampled), _CHUNK):
        yield np.asarray(sampled[start : start + _CHUNK])


def _channels(values: npt.NDArray[np.float64]) -> Channels:
    red, green, blue = values.tolist()
    return red, green, blue
