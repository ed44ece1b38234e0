"""A room imports only from lower floors, and the ground rooms do not know each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "zoo": 1,
    "cnnbench.data": 1,
    "cnnbench.schema": 1,
    "cnnbench.version": 1,
    "cnnbench.memory": 2,
    "cnnbench.plan": 3,
    "cnnbench.store": 2,
    "cnnbench.engine": 2,
    "cnnbench.runner": 4,
    "cnnbench.report": 4,
    "cnnbench.tracking": 4,
    "cnnbench.measuring": 4,
    "cnnbench.tuning": 4,
    "cnnbench.serve": 5,
    "cnnbench.launch": 6,
    "cnnbench.execution": 7,
    "cnnbench.api": 8,
    "cnnbench.progress": 8,
    "cnnbench.listing": 8,
    "cnnbench.cli": 9,
    "cnnbench.__main__": 10,
}
FILES = sorted(p for top in ("cnnbench", "zoo") for p in (ROOT / top).rglob("*.py"))


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    return next((r for r in FLOORS if module == r or module.startswith(r + ".")), None)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_from_lower_floors(path):
    here = room_of(module_of(path))
    if here is None:
        assert module_of(path) in {"cnnbench", "cnnbench.schema"}
        return
    rooms = {room_of(name) for name in imported(path)} - {None, here}
    upward = [room for room in rooms if FLOORS[room] >= FLOORS[here]]
    assert not upward, f"{here} imports {upward}"


def test_every_file_is_in_a_room():
    lost = [path for path in FILES if room_of(module_of(path)) is None]
    assert [module_of(path) for path in lost] == ["cnnbench"]


def test_the_schema_knows_no_torch_and_the_zoo_nothing_of_cnnbench():
    for path in FILES:
        names = set(imported(path))
        if "schema" in path.parts:
            assert not any(name.split(".")[0] == "torch" for name in names)
        if path.parts[len(ROOT.parts)] == "zoo":
            assert not any(name.split(".")[0] == "cnnbench" for name in names)


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
