"""A file appears whole or not at all, and one process writes at a time."""

import fcntl
import json
import os
import platform
import subprocess
import sys

import pytest

from cnnbench.base.files import BusyError, StoreError, append_line, require_room, write_whole
from cnnbench.store.locks import is_locked, locked


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


def test_a_second_process_is_refused_and_told_who_writes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from cnnbench.store.locks import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.readline()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout
    assert other.stdin
    assert other.stdout.readline() == b"held\n"
    assert is_locked(tmp_path)
    with pytest.raises(BusyError, match=f"process {other.pid}"), locked(tmp_path):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    other.stdin.close()
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        pass


def test_what_a_killed_writer_left_is_swept_by_the_next_owner(tmp_path):
    (tmp_path / ".plan.json.abc.tmp").write_text("half")
    with locked(tmp_path):
        assert not list(tmp_path.glob("*.tmp"))


def test_the_owner_is_gone_after_the_lock(tmp_path):
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / "owner.json").read_text()
    assert not (tmp_path / "owner.json").exists()


def test_an_owner_that_is_dead_is_not_named(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = {"pid": ended.pid, "host": platform.node(), "since": "long ago"}
    (tmp_path / "owner.json").write_text(json.dumps(dead))
    with locked(tmp_path):
        assert is_locked(tmp_path)
        (tmp_path / "owner.json").write_text(json.dumps(dead))
        with pytest.raises(BusyError, match="another process"), locked(tmp_path):
            pass


def test_looking_at_a_lock_does_not_take_it(tmp_path):
    with locked(tmp_path):
        pass
    handle = os.open(tmp_path / ".lock", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    assert not is_locked(tmp_path)
    os.close(handle)


def test_too_little_room_is_said_before_the_start(tmp_path):
    with pytest.raises(StoreError, match=r"free; .* need 953674\.3 GiB"):
        require_room(tmp_path, 1024 * 10**12)
