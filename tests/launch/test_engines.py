"""The real engines: whoever is killed, each cell ends once and with the same bits."""

import pytest

from cnnbench.launch.slurm import checked
from cnnbench.planning.request import PlanError, RunOptions


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


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    import engines

    home = tmp_path_factory.mktemp("engines")
    return home, engines.measure("local", home, cells=6, kills=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "module"), [("ray", "ray"), ("slurm", "submitit"), ("work", "cnnbench")]
)
def test_every_engine_ends_each_cell_once_and_alike_though_processes_are_killed(
    reference, engine, module
):
    import engines

    pytest.importorskip(module)
    home, local = reference
    got = engines.measure(engine, home, cells=6, kills=2)
    assert got.kills == 2
    assert (got.done, got.results_a_cell) == (6, 1)
    assert got.hashes == local.hashes
