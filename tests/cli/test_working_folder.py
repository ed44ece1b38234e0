"""What lies in the folder that a command is typed in never stands for a module."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnbench.base.processes import child_environment, run_verb, spawned_pool

ROOT = Path(__file__).resolve().parents[2]
TRAP = "raise SystemExit('a module of the working folder was imported')\n"
# What Python, torch or cnnbench import: files, packages, and a folder without code.
TRAPS = ("random.py", "types.py", "tempfile.py", "numpy.py", "timm/__init__.py", "zoo/__init__.py")
SCRIPT = "import sys; from cnnbench.__main__ import main; main()"  # what pip installs


@pytest.fixture
def trapped(tmp_path, monkeypatch):
    """A working folder full of modules, which end the process that imports one."""
    for name in TRAPS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TRAP)
    (tmp_path / "torch").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def installed(here, *words, **environment):
    """Run the script of an installed cnnbench, which lies elsewhere."""
    script = here / "bin" / "cnnbench"
    script.parent.mkdir(exist_ok=True)
    script.write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, str(script), *words],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("verb", ["--version", "models", "datasets"])
def test_the_installed_script_looks_past_the_working_folder(trapped, verb):
    done = installed(trapped, verb)
    assert (done.returncode, done.stderr) == (0, "")


def test_python_m_leaves_the_working_folder_before_it_imports_anything_else(tmp_path, monkeypatch):
    # Python itself reads the folder for `-m`, so what it needs to start may not be there.
    (tmp_path / "zoo").mkdir()
    for name in ("random.py", "zoo/__init__.py"):
        (tmp_path / name).write_text(TRAP)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-m", "cnnbench", "models"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "alexnet" in done.stdout


@pytest.mark.parametrize("before", ["", "."])
def test_a_working_folder_on_pythonpath_is_left_too(tmp_path, monkeypatch, before):
    (tmp_path / "secrets.py").write_text(TRAP)  # pydantic imports it
    monkeypatch.chdir(tmp_path)
    done = installed(tmp_path, "models", PYTHONPATH=f"{before}{os.pathsep}{ROOT}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("how", [["-m", "cnnbench"], [str(ROOT / "cnnbench" / "__main__.py")]])
def test_a_checkout_runs_its_own_code_where_none_or_another_is_installed(tmp_path, how):
    other = tmp_path / "site-packages" / "zoo" / "__init__.py"
    other.parent.mkdir(parents=True)
    other.write_text(TRAP)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    path = os.pathsep.join([str(other.parents[1]), *packages])
    done = subprocess.run(
        [sys.executable, "-S", *how, "models"],  # without `site` an editable install is not seen
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_verb_in_a_process_of_its_own_looks_past_the_working_folder(trapped, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep + str(ROOT))
    done = run_verb("models")
    assert (done.returncode, done.stderr) == (0, "")


def test_workers_look_past_the_working_folder_and_leave_the_environment_alone(trapped):
    before = dict(os.environ)
    with spawned_pool(1) as pool:
        assert pool.submit(abs, -1).result(timeout=60) == 1
    assert dict(os.environ) == before


def test_other_entries_of_pythonpath_stay_in_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/b", "", "lib", str(tmp_path), "/a"]))
    assert child_environment()["PYTHONPATH"] == os.pathsep.join(["/b", "lib", "/a"])
