"""What does the page's own chart draw? The curves as JSON that is safe inside a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnbench.report.escape import visible
from cnnbench.report.stats import wilson

if TYPE_CHECKING:
    from cnnbench.report.curves import Curve, Floats
    from cnnbench.report.style import Look

_DIGITS = 5
AXES = (
    ("epochs", "epochs"),
    ("seconds", "charged seconds"),
    ("images", "training images"),
    ("flops", "training FLOPs"),
)


def chart_json(
    curves: Sequence[Curve], look: Mapping[str, Look], *, chance: float | None, axis: str
) -> str:
    """Return the curves, their looks and the switches of the chart as one JSON document.

    `axis` is the first to be shown. Nothing in it can end a `<script>` element: `<`, `>`, `&`
    and the line separators are written as escapes.
    """
    split = curves[0].split if curves else "test"
    content = {
        "axis": axis,
        "axes": [{"key": key, "name": name} for key, name in AXES],
        "metrics": [
            {"key": "top1", "name": f"accuracy on the {split} split (%)"},
            {"key": "test_loss", "name": f"loss on the {split} split (mean)"},
            {"key": "train_loss", "name": "training loss (mean)"},
        ],
        "chance": None if chance is None else _number(100 * chance),
        "looks": {visible(label): _look(one) for label, one in look.items()},
        "lines": [_line(curve) for curve in curves],
    }
    return script_safe(json.dumps(content, separators=(",", ":"), allow_nan=False))


def script_safe(text: str) -> str:
    r"""Return JSON with the characters escaped that mean something in HTML or JavaScript.

    >>> script_safe('"</script>"')
    '"\\u003c/script\\u003e"'
    """
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _look(look: Look) -> dict[str, Any]:
    return {"colour": look.variable, "marker": look.marker, "dash": list(look.dash[1])}


def _line(curve: Curve) -> dict[str, Any]:
    bounds = [wilson(int(c), int(n)) for c, n in zip(curve.correct, curve.total, strict=True)]
    return {
        "label": visible(curve.label),
        "seed": curve.seed,
        "row": f"row-{curve.cell}",
        **{key: _numbers(getattr(curve, key)) for key, _ in AXES},
        "correct": [int(value) for value in curve.correct],
        "total": [int(value) for value in curve.total],
        "top1": _numbers(100 * curve.top1),
        "low": [_number(100 * low) for low, _ in bounds],
        "high": [_number(100 * high) for _, high in bounds],
        "test_loss": _numbers(curve.test_loss),
        "train_loss": _numbers(curve.train_loss),
    }


def _numbers(values: Floats) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    """Return a number with as many digits as a screen can show; JSON has no NaN, so None."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
