"""How fast a network trains is measured in seconds, once, and kept."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnnbench.base.processes import others_running
from cnnbench.engine.hardware import detect
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import Request
from cnnbench.profiler import pace
from cnnbench.profiler.pace import PaceMeter, measure_pace
from cnnbench.profiler.profiles import ProfileJob


def plan_of(**values):
    asked = {"models": ["lenet5-relu"], "budget": "10s", "image_size": 32, **values}
    asked["dataset_options"] = {"train": "24", "test": "12"}
    return make_plan(Request(**asked), device="cpu", precision="fp32", machine={}, argv=[])[0]


def job(**values):
    of = {"model": "lenet5-relu", "num_classes": 3, "batch_size": 16, "image_size": 32}
    return ProfileJob(**{**of, "precision": "fp32", "device": "cpu", "threads": 1, **values})


@pytest.mark.parametrize("longest", [0.0, 10.0])
def test_a_pace_is_told_by_small_steps_or_by_whole_batches(monkeypatch, longest):
    monkeypatch.setattr(pace, "SECONDS_A_PACE", 0.0)
    monkeypatch.setattr(pace, "LONGEST_STEP_SECONDS", longest)
    assert 1 < measure_pace(job()) < 1e6


def test_one_process_measures_all_and_what_it_found_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(pace, "others_running", lambda: 0)
    plan, asked = plan_of(models=["lenet5-relu", "cifar4-relu"]), []
    with PaceMeter(hardware=detect(), on_measure=asked.append) as meter:
        rates = [meter.pace_of(cell, plan) for cell in plan.cells]
        server = meter._process
    with PaceMeter(hardware=detect(), on_measure=asked.append) as again:
        assert [again.pace_of(cell, plan) for cell in plan.cells] == rates
        assert again._process is None
    assert all(rate > 1 for rate in rates)
    assert asked == list(plan.cells)
    assert server.poll() is not None


def test_a_kept_pace_that_is_damaged_is_measured_again(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(pace, "others_running", lambda: 0)
    monkeypatch.setattr(PaceMeter, "_measured", lambda self, job: 17.0)
    plan = plan_of()
    for damage in ("", "null", '{"version": 1}', '{"version": 1, "images_per_second": -1}'):
        with PaceMeter(hardware=detect()) as meter:
            assert meter.pace_of(plan.cells[0], plan) == 17.0
        (kept,) = (tmp_path / "calibration").iterdir()
        kept.write_text(damage)


def test_what_a_busy_machine_measures_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(pace, "others_running", lambda: 1)
    monkeypatch.setattr(PaceMeter, "_measured", lambda self, job: 17.0)
    plan = plan_of()
    with PaceMeter(hardware=detect()) as meter:
        assert meter.pace_of(plan.cells[0], plan) == 17.0
    assert not list(tmp_path.rglob("*.json"))


def test_a_network_that_ends_the_process_has_no_pace_and_the_next_one_is_measured(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))
    plan = plan_of()
    with PaceMeter(hardware=detect()) as meter:
        impossible = job(image_size=8)
        assert meter._measured(impossible) is None
        meter._process.kill()
        assert meter._measured(job()) is None  # it died of something else
        assert meter.pace_of(plan.cells[0], plan) > 1


def test_a_program_that_computes_beside_this_one_is_seen_at_once():
    spin = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)  # until it runs
        assert others_running() >= 1 or not Path("/proc/loadavg").exists()
    finally:
        spin.kill()
        spin.wait()
