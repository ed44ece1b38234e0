"""Do sets that are not folders of images become datasets with right labels and pixels?"""

import struct
from pathlib import Path

import numpy as np
import pytest

from cnnbench.data import DataError, FetchError
from cnnbench.data.catalog.cards import list_cards, load_card
from cnnbench.data.catalog.fetch import fetch
from cnnbench.data.catalog.torchvision_sets import SETS, card_for
from cnnbench.data.open import open_dataset
from cnnbench.data.pixels.cache import decoded
from cnnbench.data.thorough_check import examine

pytest.importorskip("sklearn", reason="the digits travel with scikit-learn")


def test_digits_are_whole_and_balanced() -> None:
    dataset = open_dataset("digits")
    card = load_card("digits")
    assert {name: len(split) for name, split in dataset.splits.items()} == card.splits
    assert dataset.classes == tuple("0123456789")
    for split in dataset.splits.values():
        counts = np.bincount(split.labels)
        assert counts.min() > 0.08 * len(split)


def test_digits_are_decoded_to_grey_squares(tmp_path: Path) -> None:
    dataset = open_dataset("digits")
    images = decoded(dataset, "test", 32, folder=tmp_path).images
    assert images.shape == (360, 32, 32, 3)
    assert (images[..., 0] == images[..., 2]).all()
    assert images.max() > 250


def test_check_compares_images_that_are_no_files() -> None:
    diagnosis = examine("digits")
    assert diagnosis.usable
    assert diagnosis.images == {"train": 1437, "test": 360}
    assert not [
        f for f in diagnosis.findings if f.verdict.startswith("near")
    ]  # 8 x 8: all look alike


def write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


@pytest.fixture
def clothes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a tiny set in the format of Fashion-MNIST."""
    monkeypatch.setenv("CNNBENCH_DATA", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    for part, count in (("train", 30), ("t10k", 20)):
        raw = tmp_path / "given/FashionMNIST/raw"
        write_idx(raw / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28)))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(count) % 10)
    return tmp_path / "given"


@pytest.mark.parametrize("name", ["fashion-mnist", "torchvision:FashionMNIST"])
def test_a_torchvision_set_is_fetched_from_a_copy_and_opened(
    clothes: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match=f"type: cnnbench fetch {name}"):
        open_dataset(name)
    card = load_card(name) if name in list_cards() else card_for("FashionMNIST")
    fetch(card, source=str(clothes))
    dataset = open_dataset(name)
    assert dataset.classes == load_card("fashion-mnist").classes
    assert dataset.splits["test"].labels.tolist() == [*range(10), *range(10)]
    images = decoded(dataset, "train", 28, folder=tmp_path / "cache").images
    raw = np.frombuffer((clothes / "FashionMNIST/raw/train-images-idx3-ubyte").read_bytes()[16:])
    assert (images[..., 0].tobytes()) == raw.tobytes()


def test_a_copy_that_is_no_folder_is_refused(clothes: Path) -> None:
    with pytest.raises(FetchError, match="a folder is needed that torchvision has filled"):
        fetch(load_card("fashion-mnist"), source=str(clothes / "none"))


def test_a_copy_that_lacks_files_is_refused_and_leaves_nothing(clothes: Path) -> None:
    (clothes / "FashionMNIST/raw/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FetchError, match="torchvision cannot bring FashionMNIST"):
        fetch(load_card("fashion-mnist"), source=str(clothes))
    with pytest.raises(DataError, match="not on this machine"):
        open_dataset("fashion-mnist")


def test_an_unknown_torchvision_set_is_met_with_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean 'CIFAR100'"):
        open_dataset("torchvision:CIFAR1000")


def test_every_torchvision_card_names_a_known_loader() -> None:
    cards = [load_card(name) for name in list_cards()]
    loaders = {card.loader: card for card in cards if card.kind == "torchvision"}
    assert set(loaders) <= set(SETS)
    for loader, card in loaders.items():
        assert set(card.splits) == set(SETS[loader])


def test_imagenet_says_that_its_folder_must_be_named() -> None:
    with pytest.raises(DataError, match="--data folder=PATH"):
        open_dataset("imagenet")


def test_imagenet_opens_from_a_named_folder(make_tree) -> None:
    root = make_tree({"train/n01440764": 2, "train/n01443537": 2, "val/n01440764": 1})
    dataset = open_dataset("imagenet", options={"folder": str(root)})
    assert (dataset.name, len(dataset.splits["train"])) == ("imagenet", 4)
