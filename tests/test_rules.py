"""Rules of the house that no linter knows; who may import whom is a contract in pyproject.toml."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(p for top in ("cnnbench", "zoo") for p in (ROOT / top).rglob("*.py"))


def test_facts_hold_no_code():
    assert not [p for top in ("datasets", "reports") for p in (ROOT / top).rglob("*.py")]


def test_every_load_of_weights_is_explicitly_safe():
    calls = [
        node
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert calls
    for call in calls:
        wanted = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert wanted.get("weights_only") == "True"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if ">>> " in path.read_text()],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_examples_in_docstrings_hold(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = importlib.import_module(".".join(p for p in parts if p != "__init__"))
    assert doctest.testmod(module).failed == 0
