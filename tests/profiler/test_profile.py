"""A profile is complete, plausible and honest about what failed; an estimate follows from it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cnnbench.engine import step
from cnnbench.planning.request import Request
from cnnbench.profiler import steps
from cnnbench.profiler.profiles import FailedProfile, Profile, ProfileJob, estimate
from cnnbench.profiler.profiling import _jobs, _jobs_of, profile_in_subprocess, serve_profile
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.recipes import make_recipe

ROOT = Path(__file__).resolve().parents[2]
JOB = ProfileJob(
    model="lenet5",
    num_classes=4,
    batch_size=8,
    image_size=32,
    precision="fp32",
    device="cpu",
    seconds=0.01,
)
PROFILE = Profile(
    job=JOB,
    params=10,
    macs=100,
    training_flops_per_image=600.0,
    steps=3,
    step_seconds=0.5,
    data_seconds=0.1,
    forward_seconds=0.1,
    backward_seconds=0.2,
    optimizer_seconds=0.1,
    evaluation_images_per_second=40.0,
    peak_memory_bytes=2**30,
    matmul_flops_per_second=96_000.0,
    kinds={"convolution": 1.0},
    start_seconds=5.0,
    threads=2,
    torch="2.10",
)


def a_plan(*budgets, curve="test"):
    cells = [
        Cell(
            model="lenet5",
            dataset="d",
            dataset_fingerprint="f",
            recipe=make_recipe("common", family="lenet"),
            budget=Budget.parse(budget),
            seed=0,
            image_size=32,
            precision="fp32",
            device="cpu",
            evaluations=4,
        )
        for budget in budgets
    ]
    dataset = DatasetFacts(
        name="d",
        title="d",
        drawn=False,
        classes=("a", "b"),
        images={"train": 100, "val": 30, "test": 20},
        curve_split=curve,
        headline_split="test",
        fingerprint="f",
    )
    return Plan(cnnbench="0", argv=(), dataset=dataset, cells=tuple(cells), machine={})


def test_rates_and_share_follow_from_the_seconds():
    assert PROFILE.images_per_second == 16
    assert PROFILE.forward_images_per_second == 80
    assert PROFILE.backward_images_per_second == 40
    assert PROFILE.matmul_share == pytest.approx(0.1)


@pytest.mark.slow
def test_a_profile_measures_every_part_of_a_step():
    profile = profile_in_subprocess(JOB)
    assert isinstance(profile, Profile), profile.reason
    assert profile.steps >= 3
    assert min(profile.data_seconds, profile.forward_seconds, profile.backward_seconds) > 0
    assert profile.macs > 0
    assert 0 < profile.matmul_share < 1
    assert sum(profile.kinds.values()) == pytest.approx(1)
    assert Profile.model_validate_json(profile.model_dump_json()) == profile


def test_a_network_that_cannot_be_built_gives_the_reason(capsys):
    tiny = JOB.model_copy(update={"model": "alexnet", "image_size": 16})
    assert serve_profile(tiny.model_dump_json(), started=0.0) == 1
    assert "too small" in capsys.readouterr().err


def test_a_process_that_dies_gives_the_reason(monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    failed = profile_in_subprocess(JOB)
    assert isinstance(failed, FailedProfile)
    assert failed.reason == "no message"


def test_a_budget_in_seconds_takes_as_long_as_it_says():
    (cell,) = estimate(a_plan("60s"), {"lenet5": PROFILE})
    assert cell.train_seconds == 60
    assert cell.images == 60 * 16
    assert cell.evaluation_seconds == (4 * 20 + 100) / 40
    assert cell.total_seconds == 60 + 4.5 + 5


def test_a_budget_in_images_or_flops_takes_what_the_rate_says():
    images, flops, epochs = estimate(a_plan("160img", "96000flop", "1.6ep"), {"lenet5": PROFILE})
    assert images.train_seconds == flops.train_seconds == epochs.train_seconds == 10


def test_a_split_read_at_the_end_is_counted_once_more():
    (cell,) = estimate(a_plan("60s", curve="val"), {"lenet5": PROFILE})
    assert cell.evaluation_seconds == (4 * 30 + 20 + 100) / 40


def test_a_profile_takes_the_passes_that_a_run_would():
    plan = a_plan("60s")
    cells = [
        cell.model_copy(update={"micro_batch": 4, "memory_bytes": 2**30}) for cell in plan.cells
    ]
    (job,) = _jobs_of(plan.model_copy(update={"cells": tuple(cells)}), 1.0)
    assert (job.batch_size, job.micro_batch) == (plan.cells[0].recipe.batch_size, 4)


def test_a_profile_without_a_run_takes_the_passes_that_its_memory_allows():
    asked = Request(models="resnet", memory="2GiB", batch_size=64, precision="fp32", device="cpu")
    (job,) = _jobs(asked, 1.0)
    assert job.batch_size == 64
    assert 2 <= job.micro_batch < 64
    assert _jobs(replace(asked, memory=None), 1.0)[0].micro_batch is None


def test_a_step_is_profiled_in_its_passes(monkeypatch):
    passes = []
    real = step.accumulate_gradients

    def counted(*args, **settings):
        passes.append(settings["micro_batch"])
        return real(*args, **settings)

    monkeypatch.setattr(step, "accumulate_gradients", counted)
    steps.Bench(JOB.model_copy(update={"micro_batch": 2})).step()
    assert passes == [2]


def test_a_model_without_a_profile_has_no_estimate():
    assert estimate(a_plan("60s"), {}) == []


@pytest.mark.slow
def test_the_command_prints_profiles_and_an_estimate():
    words = ["profile", "lenet", "--image-size", "32", "--seconds", "0.1", "--json"]
    words += ["--budget", "10s", "--seeds", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "cnnbench", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["profiles"][0]["images_per_second"] > 0
    assert [cell["seed"] for cell in document["estimates"]] == [0, 1]
