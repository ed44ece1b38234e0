"""Where does each network fail: on which groups of test images, where these are known?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbench.report.stats import score_interval
from cnnbench.report.tables import Table
from cnnbench.report.wording import percent, span

if TYPE_CHECKING:
    from cnnbench.report.compare import Comparison
    from cnnbench.report.contenders import Contender
    from cnnbench.store import RunFolder

SLICES_FILE = "slices.json"
FEWEST_IMAGES = 10
_NORMAL_975 = 1.959964
NOTE = (
    "Top-1 in per cent, with Wilson's 95 % interval over the images of a group; with several seeds "
    "the mean over them. The groups overlap, and so many intervals are not corrected: read them as "
    "hints where to look, not as findings."
)


def failure_table(run: RunFolder, comparison: Comparison) -> Table | None:
    """Return right answers by group of test images, or None where no groups are known.

    Groups of fewer than ten images are left out.
    """
    groups = _groups(run)
    contenders = [one for one in comparison.contenders if one.right is not None]
    if not groups or not contenders:
        return None
    lines = [
        (name, str(len(places)), *(_share(one, places) for one in contenders))
        for name, places in groups.items()
        if len(places) >= FEWEST_IMAGES
    ]
    header = ("test images", "n", *(one.label for one in contenders))
    return Table(header=header, align="lr" + "r" * len(contenders), rows=tuple(lines))


def _groups(run: RunFolder) -> dict[str, list[int]]:
    path = run.path / SLICES_FILE
    if not path.exists():
        return {}
    stored: dict[str, Any] = json.loads(path.read_bytes())
    return {str(name): [int(i) for i in places] for name, places in stored["slices"].items()}


def _share(one: Contender, places: list[int]) -> str:
    right = np.asarray(one.right, dtype=np.float64)  # (seeds, images)
    if max(places) >= right.shape[1]:
        return ""
    share = float(right[:, places].mean())
    low, high = score_interval(share, len(places), _NORMAL_975)
    return f"{percent(share)} ({span(low, high)})"
