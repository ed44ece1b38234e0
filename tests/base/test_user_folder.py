"""A user without a home, as a container has them: a folder that is named, or one clear message."""

import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path, user_data_path

from cnnbench.base.files import StoreError, user_folder
from cnnbench.data.pixels.cache import cache_folder
from cnnbench.profiler.doctor import decoded_images

ROOT = Path(__file__).resolve().parents[2]
CAPABLE = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
NOBODY = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", *CAPABLE]


@pytest.fixture
def homeless(monkeypatch):
    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "CNNBENCH_CACHE", "CNNBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.parametrize("home", [None, "relative"])
@pytest.mark.parametrize("place", [user_cache_path, user_data_path, lambda name: Path("~") / name])
def test_without_a_home_the_message_names_the_way_out(homeless, monkeypatch, home, place):
    if home:
        monkeypatch.setenv("HOME", home)
    with pytest.raises(StoreError, match=r"no home folder .*; set CNNBENCH_X to a folder") as told:
        user_folder("CNNBENCH_X", place)
    assert told.value.exit_code == 4


def test_a_folder_that_is_named_needs_no_home(homeless, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_the_doctor_finds_that_there_is_no_home(homeless):
    (finding,) = decoded_images()
    assert (finding.level, finding.fix) == ("error", "set CNNBENCH_CACHE to a folder with room")


def can_be_somebody_else():
    if not shutil.which("setpriv"):
        return False
    return subprocess.run([*NOBODY, sys.executable, "-c", ""], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_be_somebody_else(), reason="needs root, and a Python for everybody")
def test_a_process_of_a_user_without_a_name_or_home_ends_with_code_4():
    done = subprocess.run(
        [*NOBODY, sys.executable, "-m", "cnnbench", "datasets", "--clean"],
        cwd="/",
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: this user has no home folder (HOME is not set); set ")
