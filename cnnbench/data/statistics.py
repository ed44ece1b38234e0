"""What are the mean, the deviation and the colours of a split?"""

import numpy as np
import numpy.typing as npt

_SAMPLE = 2048  # images: beyond it the mean moves by less than one level of 255
_CHUNK = 32

Channels = tuple[float, float, float]


def channel_statistics(images: npt.NDArray[np.uint8]) -> tuple[Channels, Channels]:
    """Return mean and population deviation of R, G, B in [0, 1] over uint8 `(N, H, W, 3)`.

    Exact for up to 2,048 images; of more, as many are taken at even steps. A channel that never
    varies gets the deviation of one level, 1/255, so that dividing by it stays finite.
    """
    step = max(1, -(-len(images) // _SAMPLE))
    sampled = images[::step]
    columns = images.shape[2] * 3
    total = np.zeros(columns, dtype=np.uint64)
    squares = np.zeros(columns, dtype=np.uint64)
    for start in range(0, len(sampled), _CHUNK):
        # Rows of W * 3 bytes keep numpy's inner loop long. A square fits uint16: 255^2 = 65,025.
        rows = np.asarray(sampled[start : start + _CHUNK]).reshape(-1, columns)
        wide = rows.astype(np.uint16)
        total += rows.sum(axis=0, dtype=np.uint64)
        squares += (wide * wide).sum(axis=0, dtype=np.uint64)
    pixels = sampled.shape[0] * sampled.shape[1] * sampled.shape[2]
    mean = total.reshape(-1, 3).sum(axis=0) / pixels
    variance = squares.reshape(-1, 3).sum(axis=0) / pixels - mean**2
    std = np.sqrt(np.maximum(variance, 1.0))
    return _channels(mean / 255), _channels(std / 255)


def mean_image(images: npt.NDArray[np.uint8], image_size: int) -> npt.NDArray[np.float32]:
    """Return the mean of the central squares of uint8 `(N, H, W, 3)`, in [0, 1].

    The result is `(image_size, image_size, 3)`, over the same images as `channel_statistics`.
    """
    step = max(1, -(-len(images) // _SAMPLE))
    top, left = ((side - image_size) // 2 for side in images.shape[1:3])
    square = (slice(top, top + image_size), slice(left, left + image_size))
    total = np.zeros((image_size, image_size, 3), dtype=np.uint64)
    sampled = images[::step]
    for start in range(0, len(sampled), _CHUNK):
        chunk = np.asarray(sampled[start : start + _CHUNK])[:, *square]
        total += chunk.sum(axis=0, dtype=np.uint64)
    return (total / (255 * len(sampled))).astype(np.float32)


def colour_directions(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the principal components of the pixels' colours, `(3, 3)`, a column each, in [0, 1].

    Each column is an eigenvector of the covariance of R, G, B times its standard deviation, in
    the manner of the AlexNet authors' code; over the same images as `channel_statistics`.
    """
    step = max(1, -(-len(images) // _SAMPLE))
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    sampled = images[::step]
    for start in range(0, len(sampled), _CHUNK):
        pixels = np.asarray(sampled[start : start + _CHUNK]).reshape(-1, 3).astype(np.float32)
        count += len(pixels)
        total += pixels.sum(axis=0, dtype=np.float64)
        products += (pixels.T @ pixels).astype(np.float64)
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    directions: npt.NDArray[np.float64] = vectors * np.sqrt(np.maximum(values, 0.0)) / 255
    return directions


def _channels(values: npt.NDArray[np.float64]) -> Channels:
    red, green, blue = values.tolist()
    return red, green, blue
