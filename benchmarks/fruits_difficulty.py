"""How hard is the drawn fruit set for the methods that came before networks?

Draws the training split and a test split of the drawn set and prints, on the first 128 test images
and on all of them, the top-1 accuracy of

- colour: a histogram of colours with logistic regression, the best of four histograms;
- shape: HOG with a linear SVM, the best of two sizes.

Needs the extra `test` (scikit-learn, scikit-image). Two CPU cores: about three minutes.

    python benchmarks/fruits_difficulty.py --test 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2gray
from skimage.feature import hog
from skimage.transform import resize
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from cnnbench import fruits

Features = NDArray[Any]
_SHORT = 128  # images of the default test split


def _one(options: fruits.FruitOptions, split: str, index: int) -> NDArray[np.uint8]:
    return fruits.draw(options, split, index)


def load(options: fruits.FruitOptions, split: str, workers: int) -> tuple[Features, Features]:
    """Return the images (N, size, size, 3) and labels (N,) of a split."""
    count = options.count(split)
    with ProcessPoolExecutor(workers) as pool:
        images = np.stack(list(pool.map(partial(_one, options, split), range(count), chunksize=16)))
    labels = np.array([fruits.label_of(options, split, k) for k in range(count)])
    return images, labels


def rgb_histogram(image: NDArray[np.uint8], bins: int) -> Features:
    """Return the square roots of the shares of the colours of an image, bins ** 3 of them."""
    levels = (image.astype(np.int64) * bins) >> 8
    code = (levels[..., 0] * bins + levels[..., 1]) * bins + levels[..., 2]
    return np.sqrt(np.bincount(code.ravel(), minlength=bins**3) / code.size)


def hsv_histogram(image: NDArray[np.uint8], bins: tuple[int, int, int]) -> Features:
    """Return the square roots of the shares of hue, saturation and value cells."""
    hsv = np.asarray(Image.fromarray(image).convert("HSV")).astype(np.int64)
    h, s, v = ((hsv[..., k] * bins[k]) >> 8 for k in range(3))
    code = (h * bins[1] + s) * bins[2] + v
    return np.sqrt(np.bincount(code.ravel(), minlength=bins[0] * bins[1] * bins[2]) / code.size)


def hog_features(image: NDArray[np.uint8], side: int, cell: int) -> Features:
    """Return the HOG of an image made grey and side x side."""
    grey = resize(rgb2gray(image), (side, side), anti_aliasing=True)
    features: Features = hog(
        grey, orientations=9, pixels_per_cell=(cell, cell), cells_per_block=(2, 2)
    )
    return features


def methods() -> Iterator[tuple[str, Callable[[NDArray[np.uint8]], Features], Any]]:
    """Yield a name, what it sees of an image, and what learns from it."""
    for bins in (6, 8):
        yield f"colour rgb{bins}", partial(rgb_histogram, bins=bins), 10.0
    for cells in ((12, 4, 4), (16, 6, 6)):
        yield f"colour hsv{cells}", partial(hsv_histogram, bins=cells), 10.0
    yield "hog 64/8", partial(hog_features, side=64, cell=8), 0.003
    yield "hog 128/16", partial(hog_features, side=128, cell=16), 0.003


def _learner(name: str, strength: float) -> Any:
    if name.startswith("colour"):
        return LogisticRegression(C=strength, max_iter=400)
    return make_pipeline(StandardScaler(), LinearSVC(C=strength, max_iter=4000))


def main() -> None:
    """Draw, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=1178)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    options = fruits.FruitOptions(
        seed=given.seed, train=given.train, test=given.test, size=given.size
    )
    train_images, train_labels = load(options, "train", given.workers)
    test_images, test_labels = load(options, "test", given.workers)
    scaled = train_images.reshape(-1, 3) / 255.0
    print(f"channel mean {scaled.mean(axis=0).round(4)} std {scaled.std(axis=0).round(4)}")
    for name, see, strength in methods():
        learner = _learner(name, strength)
        learner.fit(np.stack([see(image) for image in train_images]), train_labels)
        seen = np.stack([see(image) for image in test_images])
        guesses = learner.predict(seen)
        right = guesses == test_labels
        print(
            f"{name:24s} first {_SHORT}: {right[:_SHORT].mean():.3f}   "
            f"all {len(right)}: {right.mean():.3f}",
            flush=True,
        )
        each = [f"{c} {right[test_labels == k].mean():.2f}" for k, c in enumerate(fruits.CLASSES)]
        print("    " + "  ".join(each))


if __name__ == "__main__":
    main()
