"""What tests of plans share: small folders of photos."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos_of(tmp_path):
    """Return a function that makes a folder of so many photos of two fruits a split."""

    def make(**counts: int) -> str:
        rng = np.random.default_rng(0)
        for split, count in counts.items():
            for label in ("apple", "pear"):
                folder = tmp_path / "photos" / split / label
                folder.mkdir(parents=True)
                for index in range(count):
                    pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / f"{index}.png")
        return str(tmp_path / "photos")

    return make
