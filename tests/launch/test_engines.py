"""The real engines: whoever is killed, each cell ends once and with the same bits."""

import os
import signal

import engines
import pytest
from processes import commands_with, wait_for

from cnnbench.api import run
from cnnbench.launch.executors import _require_nothing_for_workers
from cnnbench.launch.slurm import SlurmEngine, checked
from cnnbench.planning.request import PlanError, Request, RunOptions
from cnnbench.store import RunFolder
from tests.store.test_run_folder import a_run


def test_names_of_slurm_are_checked_with_a_hint():
    assert checked({"partition": "gpu", "timeout_min": "90", "exclusive": "true"}) == {
        "partition": "gpu",
        "timeout_min": 90,
        "exclusive": True,
    }
    with pytest.raises(PlanError, match="did you mean 'partition'"):
        checked({"partiton": "gpu"})


def test_options_of_another_executor_are_refused():
    with pytest.raises(PlanError, match="did you mean 'slurm'"):
        RunOptions(executor="slrum")
    with pytest.raises(PlanError, match="for --executor ray"):
        RunOptions(ray_address="auto")
    with pytest.raises(PlanError, match="for --executor slurm"):
        RunOptions(slurm={"partition": "gpu"})


def test_a_killed_cell_is_started_again_elsewhere_and_left_to_the_same_command_here():
    assert RunOptions().times_to_retry == 0
    assert RunOptions(executor="ray").times_to_retry == 3
    assert RunOptions(executor="slurm", retries=1).times_to_retry == 1


def test_what_workers_alone_can_be_told_is_refused(tmp_path):
    for options in ({"jobs": 2}, {"keep": "none"}, {"retries": 5}, {"hung_after": 60.0}):
        with pytest.raises(PlanError, match=f"cnnbench work DIR --{next(iter(options))[:4]}"):
            _require_nothing_for_workers(RunOptions(executor="workers", **options))


STUB = """#!/bin/sh
case "$0" in
*sbatch)
  cp "$1" "$HOME/submitted.sh"; echo "$PYTHONSAFEPATH" > "$HOME/safe"
  echo "Submitted batch job 42" ;;
*) echo ;;
esac
"""


def test_slurm_is_asked_in_the_words_of_sbatch(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    for name in ("srun", "sbatch", "squeue", "sacct", "scancel"):
        (tmp_path / name).write_text(STUB)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    run, plan, _ = a_run(tmp_path / "home")
    names = {"partition": "gpu", "timeout_min": 90, "gpus_per_node": 1, "array_parallelism": 2}
    names |= {"mem_gb": 16, "signal_delay_s": 120, "cpus_per_task": 8}
    options = RunOptions(executor="slurm", slurm=names)
    engine = SlurmEngine(plan, run, Request("lenet5", "digits"), options)
    engine.start(plan.cells * 3)
    submitted = (tmp_path / "submitted.sh").read_text()
    for line in ("partition=gpu", "time=90", "gpus-per-node=1", "mem=16GB", "cpus-per-task=8",
                 "array=0-1%2", "signal=USR2@120"):  # fmt: skip
        assert f"#SBATCH --{line}\n" in submitted
    assert (run.path / "slurm").stat().st_mode & 0o077 == 0
    assert (tmp_path / "safe").read_text() == "1\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"executor": "slurm", "slurm": {"partiton": "gpu"}}, "did you mean 'partition'"),
        ({"executor": "slurm", "slurm": {"cluster": "moon"}}, "slurm or local"),
        ({"executor": "slurm"}, "no sbatch and no srun here"),
        ({"executor": "ray", "ray_address": "127.0.0.1:1"}, "nothing answers there"),
        ({"executor": "workers", "jobs": 2}, "for each worker"),
    ],
)
def test_what_an_executor_cannot_do_is_said_before_anything_is_written(
    tmp_path, monkeypatch, options, said
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # as if all were installed
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlanError, match=said):
        run(["lenet5-relu"], "digits", "99img", out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    home = tmp_path_factory.mktemp("engines")
    return home, engines.measure("local", home, cells=6, kills=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "module"), [("ray", "ray"), ("slurm", "submitit"), ("work", "cnnbench")]
)
def test_every_engine_ends_each_cell_once_and_alike_though_processes_are_killed(
    reference, engine, module
):
    pytest.importorskip(module)
    home, local = reference
    got = engines.measure(engine, home, cells=6, kills=2)
    assert got.kills >= 1
    assert (got.done, got.results_a_cell) == (6, 1)
    assert got.hashes == local.hashes


@pytest.mark.slow
def test_a_job_whose_time_is_over_saves_its_cell_and_is_queued_again(tmp_path):
    pytest.importorskip("submitit")
    words = ["run", "--models", "lenet5-relu", "--dataset", "digits", "--image-size", "32"]
    words += ["--budget", "10000img", "--precision", "fp32", "--keep", "none"]
    runs = {}
    for name in ("local", "slurm"):
        runs[name] = RunFolder(tmp_path / name)
        options = ["--out", str(runs[name].path), "--executor", name, "--jobs", "2"]
        options += ["--slurm", "cluster=local"] if name == "slurm" else []
        with engines.started([*words, *options], tmp_path / f"{name}.log") as process:
            if name == "slurm":
                wait_for(lambda: any("stepped" in log.read_text() for log in logs(tmp_path)))
                for job in commands_with(engines.WORKERS["slurm"]):
                    os.kill(job, signal.SIGUSR2)  # as SLURM does before it ends a job
            assert process.wait(120) == 0
    (cell,) = runs["slurm"].plan().cells
    starts = [event.resumed for event in runs["slurm"].events(cell) if event.kind == "started"]
    assert starts == [False, True]
    local, slurm = (run.predictions(cell) for run in runs.values())
    assert (local.logits == slurm.logits).all()


def logs(home):
    return list((home / "slurm").glob("cells/*/events.jsonl"))
