"""Which files are meant by words: folders are read as datasets are."""

import pytest
from kept_networks import photograph

from cnnbench.data import DataError
from cnnbench.inference.files import image_files


@pytest.fixture
def home(tmp_path):
    return photograph(tmp_path / "photos", {"test": 2}, size=(16, 12))


def test_a_folder_stands_for_its_images_at_any_depth_in_order(home):
    files = image_files([home])
    assert [path.relative_to(home).as_posix() for path in files] == [
        f"test/{label}/{number}.jpg" for label in ("apple", "pear", "plum") for number in (0, 1)
    ]


def test_what_is_hidden_or_no_image_is_passed_over_and_loops_end(home):
    wanted = image_files([home])
    (home / ".hidden.jpg").write_bytes(wanted[0].read_bytes())
    (home / "notes.txt").write_text("notes")
    (home / "test" / "@eaDir").mkdir()
    (home / "test" / "@eaDir" / "thumb.jpg").write_bytes(wanted[0].read_bytes())
    (home / "test" / "round").symlink_to(home, target_is_directory=True)
    assert image_files([home]) == wanted


def test_a_file_is_taken_as_it_is_named(home):
    gone = home / "gone.xyz"
    assert image_files([gone, home / "test" / "pear"]) == [
        gone,
        home / "test" / "pear" / "0.jpg",
        home / "test" / "pear" / "1.jpg",
    ]


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no image"):
        image_files([tmp_path])
