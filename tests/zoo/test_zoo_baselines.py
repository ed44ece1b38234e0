"""Do the features made by hand say what other libraries say, and can they be learned from?"""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import zoo
from zoo.baselines import FEATURE_NORM, ColourHistogram, HogFeatures, hog


def smooth(count: int, side: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 9, 9, generator=generator)
    return F.interpolate(coarse, (side, side), mode="bicubic")


def test_hog_is_that_of_scikit_image() -> None:
    feature = pytest.importorskip("skimage.feature")
    grey = smooth(3, 64)[:, 0]
    features = hog(grey, cell=8, orientations=9)
    for image, ours in zip(grey.double().numpy(), features.numpy(), strict=True):
        theirs = feature.hog(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
        assert ours.shape == theirs.shape == (1764,)
        # A gradient that lies on the border of two orientations may fall to either in float32.
        assert np.quantile(np.abs(ours - theirs), 0.99) < 1e-4


def test_hog_does_not_see_brightness_or_contrast() -> None:
    images = smooth(2, 96)
    features = HogFeatures()
    torch.testing.assert_close(features(images), features(3 * images + 1), rtol=1e-3, atol=1e-2)


def test_hog_of_a_flat_image_is_nothing_and_stays_finite() -> None:
    assert HogFeatures()(torch.ones(1, 3, 32, 32)).abs().max() < 1e-3


def test_the_histogram_counts_colours_and_not_places() -> None:
    images = smooth(2, 64)
    turned = images.rot90(1, (2, 3))
    histogram = ColourHistogram()
    assert torch.equal(histogram(images), histogram(turned))
    shares = (histogram(images) / FEATURE_NORM).square()
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2))


def test_a_uniform_colour_fills_one_bin_whatever_its_value() -> None:
    for value in (-9.0, 0.0, 2.5, 9.0):
        histogram = ColourHistogram()(torch.full((1, 3, 16, 16), value))
        assert histogram.max() == FEATURE_NORM
        assert (histogram > 0).sum() == 1


@pytest.mark.parametrize("features", [HogFeatures(), ColourHistogram()])
@pytest.mark.parametrize("side", [8, 28, 100, 224])
def test_features_have_one_shape_and_norm_at_every_size(features, side: int) -> None:
    values = features(smooth(2, side))
    assert values.shape == (2, features.features)
    norms = values.norm(dim=1)
    torch.testing.assert_close(norms, torch.full((2,), FEATURE_NORM), rtol=0.02, atol=0)


@pytest.mark.parametrize("name", ["hog-linear", "colour-linear"])
def test_a_few_steps_learn_the_images_by_heart(name: str) -> None:
    torch.manual_seed(0)
    model = zoo.build(name, num_classes=4, image_size=64)
    images, labels = smooth(8, 64), torch.arange(8) % 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.00125, momentum=0.9)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    assert model(images).argmax(dim=1).tolist() == labels.tolist()


def test_short_names_lead_to_them_and_a_wrong_one_to_the_nearest() -> None:
    assert zoo.resolve("colour") == "colour-linear"
    assert zoo.resolve("hog") == "hog-linear"
    with pytest.raises(zoo.UnknownModel, match="did you mean"):
        zoo.resolve("hog-svm")
