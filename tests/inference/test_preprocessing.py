"""The lines of numpy in a model card make the inputs that the network was tested on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_networks import a_run, facts
from PIL import ExifTags, Image

from cnnbench.data.augment import inner_square
from cnnbench.data.pixels.decode import decode_square
from cnnbench.engine.device import Device
from cnnbench.inference.network import LoadedNetwork
from cnnbench.inference.preprocessing import MEAN_FILE, box_of, preprocessing, python_code
from cnnbench.schema.cell import stored_size

LEVELS = 2  # of 255
DEVICE = Device(torch_device=torch.device("cpu"), precision="fp32")


@pytest.fixture
def kept(tmp_path):
    _, _, folder = a_run(tmp_path)
    return facts(folder.cell)


def inputs(kept, path):
    """Return what a network of these facts is given."""
    network = LoadedNetwork(model=None, kept=kept, device=DEVICE, mean=kept.mean)
    square = decode_square(path, kept.stored_size)
    return network.inputs_of(square[None]).numpy()


def prepared(kept, path):
    space = {}
    exec(python_code(kept), space)
    return space["prepare"](path)


def photo(path, size, *, mode="RGB", orientation=None):
    rng = np.random.default_rng(sum(size))
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("size", [(480, 360), (97, 201), (640, 480), (40, 30)])
@pytest.mark.parametrize(("image_size", "detail"), [(32, 1.7), (64, 1.7), (64, 256 / 224)])
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_the_code_gives_our_inputs_within_two_levels(
    tmp_path, kept, size, image_size, detail, kind
):
    stored = stored_size(image_size, detail)
    kept = kept.model_copy(update={"image_size": image_size, "stored_size": stored})
    path = photo(tmp_path / f"photo.{kind}", size)
    off = np.abs(prepared(kept, path) - inputs(kept, path))
    assert off.shape == (1, 3, image_size, image_size)
    assert off.max() <= LEVELS / 255 / min(kept.std)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_code_turns_a_photo_as_we_do(tmp_path, kept, orientation):
    path = photo(tmp_path / "photo.jpg", (300, 200), orientation=orientation)
    assert np.abs(prepared(kept, path) - inputs(kept, path)).max() <= LEVELS / 255 / min(kept.std)


def test_grey_photos_become_three_channels(tmp_path, kept):
    path = photo(tmp_path / "photo.png", (80, 60), mode="L")
    assert np.abs(prepared(kept, path) - inputs(kept, path)).max() <= LEVELS / 255 / min(kept.std)


def test_an_image_that_is_subtracted_is_read_from_its_file(tmp_path, kept, monkeypatch):
    monkeypatch.chdir(tmp_path)
    side = kept.image_size
    mean = np.random.default_rng(0).random((side, side, 3), dtype=np.float32)
    np.save(MEAN_FILE, mean)
    kept = kept.model_copy(update={"mean": None, "std": (1 / 255,) * 3})
    path = photo(tmp_path / "photo.png", (80, 60))
    network = LoadedNetwork(model=None, kept=kept, device=DEVICE, mean=mean)
    ours = network.inputs_of(decode_square(path, kept.stored_size)[None]).numpy()
    assert np.abs(prepared(kept, path) - ours).max() <= LEVELS + 1e-3
    assert preprocessing(kept)["mean"] == MEAN_FILE


@settings(max_examples=200)
@given(st.integers(8, 300), st.floats(1, 3))
def test_the_box_lies_in_the_stored_square_and_is_what_is_tested(image_size, detail):
    class Kept:
        pass

    kept = Kept()
    kept.image_size, kept.stored_size = image_size, stored_size(image_size, detail)
    left, top, right, bottom = box_of(kept)
    assert 0 <= left == top
    assert right == bottom <= kept.stored_size
    assert right - left in (image_size, inner_square(kept.stored_size)[2])
