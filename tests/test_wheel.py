"""The wheel holds `cnnbench` and `zoo` and nothing else at the top, with its facts inside."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_its_only_top_level_names_are_cnnbench_and_zoo(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"cnnbench", "zoo"}


def test_every_module_and_every_fact_is_inside(names):
    wanted = {
        path.relative_to(ROOT).as_posix()
        for top in ("cnnbench", "zoo")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {f"cnnbench/cards/{card.name}" for card in (ROOT / "datasets").glob("*.toml")}
    assert wanted <= set(names)


def test_an_install_makes_no_module_of_the_facts(tmp_path):
    # A package of Hugging Face's would have an origin; the folder `datasets/` has none.
    code = (
        "import importlib.util as u; s = u.find_spec('datasets'); print(bool(s and not s.origin))"
    )
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=env
    )
    assert done.stdout == "False\n", done.stderr
