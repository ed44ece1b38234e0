"""A file appears whole or not at all, and one process writes at a time."""

import pytest

from cnnbench.base.files import StoreError, append_line, require_room, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "file"
    write_whole(path, lambda file: file.write(b"one"))
    write_whole(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["file"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_whole(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_full_disk_is_named_with_the_path_and_what_to_do(tmp_path):
    def full(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"file: No space left.*free some space"):
        write_whole(tmp_path / "file", full)
    assert names(tmp_path) == []


def test_a_file_in_the_way_of_a_folder_is_a_store_error(tmp_path):
    (tmp_path / "reports").write_text("")
    with pytest.raises(StoreError, match="--out"):
        write_whole(tmp_path / "reports" / "file", lambda file: file.write(b""))


def test_a_torn_last_line_is_closed_off_before_the_next(tmp_path):
    path = tmp_path / "log"
    append_line(path, "one")
    with path.open("ab") as file:
        file.write(b'{"half')
    append_line(path, "two")
    assert path.read_bytes() == b'one\n{"half\ntwo\n'


def test_too_little_room_is_said_before_the_start(tmp_path):
    with pytest.raises(StoreError, match=r"free; .* need 953674\.3 GiB"):
        require_room(tmp_path, 1024 * 10**12)
