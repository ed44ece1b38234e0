"""The choice of a precision follows a measurement, is kept, and never overrules what was typed."""

import dataclasses
import json
import subprocess
import sys

import pytest

from cnnbench.engine.hardware import Hardware, detect
from cnnbench.profiler import calibration
from cnnbench.profiler.calibration import (
    RaceSpeeds,
    choice_from,
    fastest_settings,
    known_or_measured,
)
from cnnbench.profiler.race import Variant, race

WITH_BF16 = Hardware(
    cpu="a processor with AMX",
    cores=4,
    memory_bytes=2**34,
    cpu_bf16=True,
    gpu=None,
    gpu_bf16=False,
    mps=False,
    system="Linux x86_64",
    python="3.11.2",
)
WITHOUT_BF16 = dataclasses.replace(WITH_BF16, cpu="an older one", cpu_bf16=False)


def some_speeds(**changes):
    speeds = {"fp32": 10.0, "bf16": 30.0, "contiguous": 20.0, "half_threads": 20.0}
    return RaceSpeeds(**{**speeds, "threads": 4, "quiet": True, **changes})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))


def keep(speeds, hardware=WITH_BF16):
    path = calibration.path_of(hardware)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 1, "trial": speeds.model_dump()}))
    return path


def test_bf16_is_chosen_where_it_is_clearly_faster():
    choice = choice_from(some_speeds(), WITH_BF16)
    assert (choice.precision, choice.threads) == ("bf16", None)
    assert "3.00 times" in choice.why


@pytest.mark.parametrize("bf16", [11.0, 5.0, None])
def test_fp32_stays_where_bf16_is_not_clearly_faster(bf16):
    assert choice_from(some_speeds(bf16=bf16, half_threads=None), WITH_BF16).precision == "fp32"


def test_fewer_threads_are_chosen_only_where_they_are_clearly_faster():
    assert choice_from(some_speeds(half_threads=33.0), WITH_BF16).threads is None
    assert choice_from(some_speeds(half_threads=36.0), WITH_BF16).threads == 2


def test_beside_other_programs_fewer_threads_are_never_chosen():
    assert choice_from(some_speeds(half_threads=90.0, quiet=False), WITH_BF16).threads is None


def test_without_speeds_nothing_is_guessed():
    choice = choice_from(None, WITH_BF16)
    assert (choice.precision, choice.threads) == ("fp32", None)


def test_a_typed_precision_needs_no_race(monkeypatch):
    monkeypatch.setattr(calibration, "_raced", lambda: pytest.fail("a race was started"))
    for asked in ("fp32", "bf16"):
        assert fastest_settings(asked, device="cpu", hardware=WITH_BF16).precision == asked


def test_a_processor_without_bf16_needs_no_race(monkeypatch):
    monkeypatch.setattr(calibration, "_raced", lambda: pytest.fail("a race was started"))
    assert fastest_settings("auto", device="cpu", hardware=WITHOUT_BF16).precision == "fp32"


def test_a_race_is_run_once_and_kept(monkeypatch):
    made = []
    monkeypatch.setattr(calibration, "_raced", lambda: made.append(1) or some_speeds())
    first = known_or_measured(WITH_BF16)
    assert known_or_measured(WITH_BF16) == first == some_speeds()
    assert len(made) == 1


def test_a_damaged_file_is_measured_again(monkeypatch):
    keep(some_speeds()).write_text('{"version": 1, "trial": {"fp32"')
    monkeypatch.setattr(calibration, "_raced", lambda: some_speeds(bf16=12.0))
    speeds = known_or_measured(WITH_BF16)
    assert speeds is not None
    assert speeds.bf16 == 12.0


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(calibration, "_raced", some_speeds)
    assert known_or_measured(WITH_BF16) == some_speeds()


def test_another_processor_has_another_file():
    assert calibration.path_of(WITH_BF16) != calibration.path_of(WITHOUT_BF16)


def test_a_race_takes_every_variant_and_finds_a_speed():
    variants = [Variant(bf16=False, channels_last=last, threads=1) for last in (True, False)]
    speeds = race(variants, seconds=0.0)
    assert set(speeds) == set(variants)
    assert all(speed > 0 for speed in speeds.values())


@pytest.mark.slow
def test_the_hidden_command_races_in_a_process_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "cnnbench", "calibrate"], capture_output=True, text=True, check=True
    )
    speeds = RaceSpeeds.model_validate_json(done.stdout)
    assert speeds.fp32 > 0
    assert (speeds.bf16 is None) == (not detect().cpu_bf16)
