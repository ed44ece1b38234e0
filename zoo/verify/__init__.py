"""Does each network agree, statement by statement, with what its paper says?

The statements, their sources and the expected values are data in `papers.toml`. `layout` measures
what can be read off a network's structure, `numerics` what must be computed. Nothing is trained.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.cards import papers, resolve

__all__ = ["Value", "Verdict", "close", "statement_scope", "verify"]

Value = bool | int | float | str | list[Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A statement held against our network.

    `paper` is the expected value and `ours` the measured value. `agrees` is None where the check
    would need training or data, and `note` then says why. `printed` is what the paper prints where
    its own arithmetic gives another value.
    """

    id: str
    model: str
    statement: str
    paper: Value
    ours: Value
    agrees: bool | None
    source: str
    printed: str | None
    note: str


def verify(names: Sequence[str] | None = None) -> Iterator[Verdict]:
    """Check the statements on the named models or families, or all; needs no data, no GPU.

    Raises:
        UnknownModel: no such name; raised before the first check.
    """
    wanted = None if names is None else [statement_scope(name) for name in names]
    return (
        _judge(statement)
        for statement in papers()["statements"]
        if wanted is None or any(statement["model"] in scope for scope in wanted)
    )


def statement_scope(name: str) -> set[str]:
    """Return the models whose statements a name asks for: a family's, or one model's.

    Raises:
        UnknownModel: no such name.
    """
    if name in papers()["families"]:
        return {row["name"] for row in papers()["models"] if row["family"] == name}
    return {resolve(name)}


def _judge(statement: dict[str, Any]) -> Verdict:
    check = statement.get("check")
    ours = None if check is None else _measure(check, statement)
    expected = statement["expected"]
    agrees = None
    if check is not None:
        agrees = close(expected, ours, tolerance=statement.get("tolerance", 0.0))
    return Verdict(
        id=statement["id"],
        model=statement["model"],
        statement=statement["text"],
        paper=expected,
        ours=ours,
        agrees=agrees,
        source=statement["source"],
        printed=statement.get("printed"),
        note=statement.get("note", ""),
    )


def _measure(check: str, statement: dict[str, Any]) -> Value:
    from zoo.verify import layout, numerics

    measure = (layout.MEASURES | numerics.MEASURES)[check]
    ours: Value = measure(statement["model"], **statement.get("args", {}))
    return ours


def close(expected: Value, ours: Value, *, tolerance: float) -> bool:
    """Compare two values, lists element by element; numbers may differ by `tolerance`."""
    if isinstance(expected, list) or isinstance(ours, list):
        if not (isinstance(expected, list) and isinstance(ours, list)):
            return False
        return len(expected) == len(ours) and all(
            close(e, o, tolerance=tolerance) for e, o in zip(expected, ours, strict=True)
        )
    if isinstance(expected, (bool, str)) or isinstance(ours, (bool, str)):
        return type(expected) is type(ours) and expected == ours
    if expected is None or ours is None:
        return expected is ours
    return math.isclose(expected, ours, rel_tol=0.0, abs_tol=tolerance)
