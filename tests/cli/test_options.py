"""What is typed is read once, in one place, and refused with a hint."""

import subprocess
import sys

import pytest

from cnnbench.cli.options import data_options, numbers, seed_list
from cnnbench.planning.plan import PlanError


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", [0, 1, 2]), ("0,1,5", [0, 1, 5]), ("5,", [5]), ("1", [0])]
)
def test_seeds_are_a_count_or_a_list(text, seeds):
    assert seed_list(text) == seeds


@pytest.mark.parametrize("text", ["", "many", "0", "1.5", "-2"])
def test_other_seeds_are_refused(text):
    with pytest.raises(PlanError, match="--seeds"):
        seed_list(text)


def test_numbers_come_with_commas():
    assert numbers("--lr", "0.1,1e-3", float) == [0.1, 0.001]
    with pytest.raises(PlanError, match=r"--lr '0.1,x': 'x' is no number"):
        numbers("--lr", "0.1,x", float)


def test_a_data_option_needs_a_key_and_a_value():
    assert data_options(["seed=3", "text=a=b"]) == {"seed": "3", "text": "a=b"}
    assert data_options(None, 2) == {"skip_broken": "2"}
    with pytest.raises(PlanError, match="KEY=VALUE"):
        data_options(["seed"])


def a_dry_run(tmp_path, config, *flags):
    (tmp_path / "run.toml").write_text(config)
    command = [sys.executable, "-m", "cnnbench", "run", "--config", str(tmp_path / "run.toml")]
    return subprocess.run(
        [*command, "--dry-run", *flags], capture_output=True, text=True, timeout=120, check=False
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
