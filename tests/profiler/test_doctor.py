"""The doctor names what is wrong and a way out of it, and is silent about what is well."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnbench.profiler import doctor

GIB = 2**30


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (doctor.cores(2, 4, None), "ok"),
        (doctor.cores(8, 8, 2.0), "warning"),
        (doctor.memory(16 * GIB), "ok"),
        (doctor.memory(2 * GIB), "warning"),
        (doctor.gpu(None, sees_gpu=False), "ok"),
        (doctor.gpu("H200", sees_gpu=True), "ok"),
        (doctor.gpu("H200", sees_gpu=False), "error"),
        (doctor.other_work(0.1, 2), "ok"),
        (doctor.other_work(2.0, 2), "warning"),
    ],
)
def test_a_machine_is_judged_by_what_was_seen(finding, level):
    assert finding.level == level
    assert bool(finding.fix) == (level != "ok")


def test_a_cache_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    assert doctor.cache(tmp_path / "file" / "cache").level == "error"
    assert doctor.cache(tmp_path / "new" / "cache").level == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_libraries_that_do_not_fit_are_an_error_with_what_python_said():
    words = [sys.executable, "-c", "raise RuntimeError('operator torchvision::nms missing')"]
    finding, sees_gpu = doctor.libraries(words)
    assert finding.level == "error"
    assert "torchvision::nms" in finding.seen
    assert "same index" in finding.fix
    assert not sees_gpu


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", None), ("150000 100000", 1.5), ("", None)]
)
def test_the_share_of_a_container_is_read(tmp_path, text, cores):
    path = tmp_path / "cpu.max"
    path.write_text(text)
    assert doctor.cgroup_cores(path) == cores


@pytest.mark.slow
def test_the_command_says_how_this_machine_stands():
    words = [sys.executable, "-m", "cnnbench", "doctor", "--json"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    findings = json.loads(done.stdout)
    errors = [finding for finding in findings if finding["level"] == "error"]
    assert done.returncode == (1 if errors else 0)
    assert {"cores", "memory", "libraries"} <= {finding["what"] for finding in findings}
