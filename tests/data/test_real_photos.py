"""Do the real fruit photos keep their labels, though `val` lacks three of their classes?"""

import tarfile
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from cnnbench.data.dataset import first_of_each_class
from cnnbench.data.open import open_dataset
from cnnbench.data.pixels.cache import decoded
from cnnbench.data.pixels.hashes import hash_file, hash_image
from cnnbench.data.pixels.near_duplicates import near_copies, near_groups

ARCHIVE = Path(__file__).resolve().parents[2] / "../shared/data/grocery-fruits.tar.gz"
ABSENT_FROM_VAL = ("Nectarine", "Papaya", "Plum")

pytestmark = pytest.mark.skipif(not ARCHIVE.exists(), reason="the archive of photos is absent")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the first photos of every class into `train/CLASS/` and `val/CLASS/`."""
    root = tmp_path_factory.mktemp("fruit")
    kept: dict[Path, int] = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            parts = Path(member.name).parts
            if not member.isfile() or parts[2:3] not in (("train",), ("val",)):
                continue
            folder = root / parts[2] / parts[4]
            kept[folder] = kept.get(folder, 0) + 1
            if kept[folder] <= 2:
                folder.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None
                (folder / parts[-1]).write_bytes(content.read())
    return root


def test_labels_stay_right_when_val_lacks_classes(photos: Path) -> None:
    dataset = open_dataset(str(photos))
    assert len(dataset.classes) == 19
    assert dataset.notices == (f"val has no images of: {', '.join(ABSENT_FROM_VAL)}",)
    val = dataset.splits["val"]
    assert len(set(val.labels)) == 16
    for name, label in zip(val.names, val.labels, strict=True):
        assert name.split("/")[1] == dataset.classes[label]


def test_photos_decode_to_squares_with_fruit_in_them(photos: Path, tmp_path: Path) -> None:
    dataset = first_of_each_class(open_dataset(str(photos)), {"train": 19})
    result = decoded(dataset, "train", 64, folder=tmp_path)
    assert result.images.shape == (19, 64, 64, 3)
    assert result.labels.tolist() == list(range(19))
    assert min(image.std() for image in result.images) > 10


def test_each_changed_photo_is_near_to_its_original_and_to_no_other(photos: Path) -> None:
    files = sorted((photos / "train").rglob("*.jpg"))
    hashes = [hash_file(file) for file in files]
    assert near_groups(hashes) == list(range(len(files)))
    for file in files:
        with Image.open(file) as image:
            half = image.resize((image.width // 2, image.height // 2))
            changed = ImageEnhance.Brightness(half).enhance(1.1)
        hashes.append(hash_image(changed))
    copies = near_copies(hashes, range(len(files)), range(len(files), len(hashes)))
    assert copies == {len(files) + number: number for number in range(len(files))}
