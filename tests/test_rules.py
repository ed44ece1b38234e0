"""Rules of the house that no linter knows; who may import whom is a contract in pyproject.toml."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(p for top in ("cnnbench", "zoo") for p in (ROOT / top).rglob("*.py"))


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    return "zoo" if module.startswith("zoo") else ".".join(module.split(".")[:2])


def declared(path):
    """Return the names in a module's `__all__`, which may be added to."""
    for node in ast.parse(path.read_text()).body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            yield from ast.literal_eval(node.value)


def test_a_module_declares_every_name_that_another_room_imports_from_it():
    modules = {module_of(path): path for path in FILES}
    missing = {
        f"{node.module}.{alias.name}"
        for importer, path in modules.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in modules
        for alias in node.names
        if f"{node.module}.{alias.name}" not in modules
        and room_of(node.module) != room_of(importer)
        and alias.name not in set(declared(modules[node.module]))
    }
    assert not missing


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
    assert doctest.testmod(importlib.import_module(module_of(path))).failed == 0


def test_no_two_files_of_tests_share_a_name():
    """Pytest takes the second of them for the first, and says so only in a fresh folder."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
