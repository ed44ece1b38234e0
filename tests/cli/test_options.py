"""What is typed is read once, in one place, and refused with a hint."""

import inspect
import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import cnnbench
from cnnbench.cli.options import app
from cnnbench.planning.request import PlanError, RunOptions


def a_dry_run(tmp_path, config, *flags):
    (tmp_path / "run.toml").write_text(config)
    command = [sys.executable, "-m", "cnnbench", "run", "--config", str(tmp_path / "run.toml")]
    return subprocess.run(
        [*command, "--dry-run", "--precision", "fp32", *flags],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_file_stands_for_flags_and_typed_flags_win(tmp_path):
    config = 'models = ["lenet5-relu"]\nbudget = "3ep"\nlr = 0.5\n[data]\nseed = 4\n'
    done = a_dry_run(tmp_path, config, "--lr", "0.25")
    assert done.returncode == 0, done.stderr
    assert "3ep" in done.stdout
    assert "lr 0.25" in done.stdout


def test_an_unknown_key_is_an_error_that_names_the_nearest(tmp_path):
    done = a_dry_run(tmp_path, 'model = "alexnet"\n')
    assert done.returncode == 2
    assert "did you mean 'models'" in done.stderr
    assert "Traceback" not in done.stderr


def test_lists_and_numbers_of_a_file_are_read_as_they_would_be_typed(tmp_path):
    config = (
        'models = "lenet5-relu"\nseeds = [0, 7]\nbatch-size = 4\nimage_size = 40\nsmoke = true\n'
    )
    done = a_dry_run(tmp_path, config, "--json")
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["plan"]["cells"]
    assert [cell["seed"] for cell in cells] == [0, 7]
    assert {(cell["recipe"]["batch_size"], cell["image_size"]) for cell in cells} == {(4, 40)}


def typed(*words):
    return CliRunner().invoke(app, ["run", "--precision", "fp32", "--dry-run", *words])


def test_models_that_are_typed_twice_are_joined():
    done = typed("--models", "lenet5-relu", "--models=hog,colour", "--smoke", "--json")
    assert done.exit_code == 0, done.output
    cells = json.loads(done.stdout)["plan"]["cells"]
    assert [cell["model"] for cell in cells] == ["lenet5-relu", "hog-linear", "colour-linear"]


@pytest.mark.parametrize("flag", ["--budget", "--lr", "--seeds", "--out", "--recipe", "--config"])
def test_another_flag_that_is_typed_twice_is_refused_and_none_wins(flag):
    done = typed("--models", "lenet5-relu", flag, "1", f"{flag}=2")
    assert done.exit_code == 2
    assert f"{flag} is given 2 times" in done.output


def test_a_switch_and_what_may_be_repeated_are_taken_twice():
    done = typed("--models", "lenet5-relu", "--smoke", "--smoke", "--data", "a=1", "--data", "b=2")
    assert "given 2 times" not in done.output


def test_every_option_of_python_is_a_flag_of_run_with_the_same_default():
    python = inspect.signature(cnnbench.run).parameters
    command = typer.main.get_command(app).commands["run"]
    flags = {parameter.name: parameter for parameter in command.params}
    assert set(flags) - set(python) == {"config", "track", "dry_run", "as_json"}
    assert set(python) - set(flags) == {"argv", "callbacks"}
    for name, parameter in python.items():
        if name not in flags:
            continue
        required = parameter.default is inspect.Parameter.empty
        assert flags[name].required == required
        if not required:
            assert flags[name].default == parameter.default


def test_a_number_from_python_has_the_bounds_of_the_flag():
    with pytest.raises(PlanError, match="--hung-after must be at least 1, saw 0"):
        RunOptions(hung_after=0)


@pytest.mark.parametrize(("verb", "code", "said"), [("sweep", 0, ""), ("run", 2, "'--lr'")])
def test_a_sweep_takes_lists_where_a_run_takes_a_number(tmp_path, verb, code, said):
    words = ["--models", "lenet5-relu", "--lr", "0.1,0.01", "--precision", "fp32"]
    words += ["--budget", "20img", "--dry-run"]
    done = subprocess.run(
        [sys.executable, "-m", "cnnbench", verb, *words], capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr


def test_an_out_that_is_empty_is_no_wish_for_the_default():
    with pytest.raises(PlanError, match="--out is empty: name a folder"):
        RunOptions(out=" ")
