"""`cnnbench work` says at once what it cannot do."""

import pytest
from typer.testing import CliRunner

from cnnbench.cli.options import app
from cnnbench.launch import engine
from cnnbench.planning.request import PlanError
from cnnbench.store import StoreError
from tests.store.test_run_folder import a_run


def work(*words):
    return CliRunner().invoke(app, ["work", *map(str, words)])


def test_a_folder_without_a_run_is_refused(tmp_path):
    error = work(tmp_path).exception
    assert isinstance(error, StoreError)
    assert "no run folder" in str(error)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--idle-exit", "5ep"), "--idle-exit must be a time like 90s, 2m or 1h, saw '5ep'"),
        (("--idle-exit", "5 minutes"), "saw '5 minutes'"),
        (("--keep", "best"), "unknown --keep 'best'"),
    ],
)
def test_what_was_mistyped_is_named(tmp_path, words, said):
    run, _, _ = a_run(tmp_path)
    error = work(run.path, *words).exception
    assert isinstance(error, PlanError)
    assert said in str(error)


def test_a_run_that_has_ended_needs_no_work(tmp_path):
    run, plan, cell = a_run(tmp_path)
    for each in plan.cells:
        run.cell(each).write_result(cell.result().model_copy(update={"status": "done"}))
    done = work(run.path)
    assert done.exit_code == 0
    assert "still open: 0" in done.stdout
    assert f"next: cnnbench report {run.path}" in done.stdout


def test_an_executor_that_is_not_installed_names_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PlanError, match=r"pip install 'cnnbench\[ray\]'"):
        engine.require_extra("ray", "ray")
