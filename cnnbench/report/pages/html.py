"""What does the script of `report.html` draw: the curves as data, with their colours?"""

import base64
import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

from cnnbench.report.analysis.curves import Curve
from cnnbench.report.figures.cost import BUCKETS
from cnnbench.report.figures.curves import band_of
from cnnbench.report.figures.style import COLOURS, CURRENCIES, DARK_COLOURS
from cnnbench.report.sections import RunReport
from cnnbench.report.text.escape import visible
from cnnbench.report.text.wording import RUNNING_LOSS

# For each colour of a figure the page's CSS variable, and the colour itself on a dark page.
PAGE_COLOURS = {light: (f"--line-{i}", DARK_COLOURS[i]) for i, light in enumerate(COLOURS)} | {
    light: (f"--bucket-{i}", dark) for i, (_, light, dark, _) in enumerate(BUCKETS)
}


def script_hash(script: str) -> str:
    """Return the source expression that lets a page's policy run this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


# -- data of the chart ----------------------------------------------------------------------------

_DIGITS = 5  # as many as a screen can show
_AXES = ("epochs", "seconds", "images", "flops")


def chart_json(report: RunReport) -> str:
    """Return the curves, their styles and the switches of the chart as one JSON document.

    The budget's axis is shown first. Nothing in it can end a `<script>` element: `<`, `>`, `&`
    and the line separators are written as escapes.
    """
    curves, chance = report.curves, report.chance_on_curves
    split = curves[0].split if curves else "test"
    content = {
        "axis": report.plan.cells[0].budget.currency.value,
        "axes": [{"key": key, "name": CURRENCIES[key]} for key in _AXES],
        "metrics": [
            {"key": "top1", "name": f"accuracy on the {split} split (%)"},
            {"key": "test_loss", "name": f"loss on the {split} split (mean)"},
            {"key": "train_loss", "name": f"{RUNNING_LOSS} (mean)"},
        ],
        "chance": None if chance is None else _number(100 * chance),
        "styles": {
            visible(label): {
                "colour": PAGE_COLOURS[style.colour][0],
                "marker": style.marker,
                "dash": list(style.dash[1]),
            }
            for label, style in report.styles.items()
        },
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


def _line(curve: Curve) -> dict[str, Any]:
    low, high = band_of(curve)
    return {
        "label": visible(curve.label),
        "seed": curve.seed,
        "row": f"row-{curve.cell}",
        **{key: _numbers(getattr(curve, key)) for key in _AXES},
        "correct": [int(value) for value in curve.correct],
        "total": [int(value) for value in curve.total],
        "top1": _numbers(100 * curve.top1),
        "low": _numbers(low),
        "high": _numbers(high),
        "test_loss": _numbers(curve.test_loss),
        "train_loss": _numbers(curve.train_loss),
    }


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    """Return a rounded number, or None for what JSON cannot hold."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
