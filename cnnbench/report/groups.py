"""What did each network reach over all its seeds, and how sure is that mean?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbench.report.seeds import over_both, over_images, over_seeds, spread_of
from cnnbench.report.stats import letters
from cnnbench.report.tables import Table
from cnnbench.report.wording import NOTHING, percent, plural, span

if TYPE_CHECKING:
    from cnnbench.report.compare import Comparison
    from cnnbench.report.contenders import Contender
    from cnnbench.report.pairs import Pair


def group_table(comparison: Comparison) -> Table | None:
    """Return a line a network with its mean over seeds, or None where none has several."""
    lines = []
    for rung in comparison.rungs:
        marks = letters(len(rung.contenders), rung.groups)
        lines += [_line(one, mark) for one, mark in zip(rung.contenders, marks, strict=True)]
    if not any(len(o.answers) > 1 for rung in comparison.rungs for o in rung.contenders):
        return None
    header = (
        "model",
        "seeds",
        "mean top-1 %",
        "lowest to highest",
        "95 % interval",
        "bootstrap",
        "another seed, these images",
        "these networks, other images",
        "tie",
    )
    return Table(header=header, align="lrrrrrrrl", rows=tuple(lines))


def _line(one: Contender, mark: str) -> tuple[str, ...]:
    shares = [correct / total for correct, total in one.counts]
    seeds = str(len(shares)) if len(shares) == one.asked else f"{len(shares)} of {one.asked}"
    line = (one.label, seeds, percent(one.top1), span(min(shares), max(shares)))
    right = one.right
    if right is None:
        return (*line, *[NOTHING] * 4, mark)
    return (
        *line,
        span(*over_both(right)),
        span(*one.bootstrap) if one.bootstrap else NOTHING,
        span(*(over_seeds(right) or (None, None))),
        span(*over_images(right)),
        mark,
    )


def group_sentences(comparison: Comparison) -> list[str]:
    """Say what the intervals over seeds mean, and which seeds are missing from a mean."""
    said = [
        "The 95 % interval is for another seed on other images, and it decides. The bootstrap "
        "draws seeds and images anew and checks it; with few seeds it is rough. The next column "
        "keeps these test images and changes the seed (Student's t), the last keeps these trained "
        "networks and changes the images (Wilson's, with an effective number of images).",
    ]
    short = [
        f"{one.label} has {len(one.answers)} of {plural(one.asked, 'seed')}"
        for rung in comparison.rungs
        for one in rung.contenders
        if len(one.answers) < one.asked
    ]
    if short:
        said.append(
            "A mean is over the seeds that finished, which flatters a network whose other seeds "
            f"failed: {'; '.join(short)}."
        )
    return said


# -- as data --------------------------------------------------------------------------------------


def comparison_data(comparison: Comparison) -> list[dict[str, Any]]:
    """Return every group and pair of every rung as plain values for `comparison.json`."""
    return [
        {
            "budget": None if rung.budget is None else str(rung.budget),
            "groups": [_group_data(one) for one in rung.contenders],
            "pairs": [_pair_data(pair) for pair in rung.pairs],
            "ties": [[rung.contenders[rank].label for rank in group] for group in rung.groups],
        }
        for rung in comparison.rungs
    ]


def _group_data(one: Contender) -> dict[str, Any]:
    right = one.right
    found: dict[str, Any] = {
        "label": one.label,
        "cells": [answers.row.cell for answers in one.answers.values()],
        "seeds": list(one.answers),
        "seeds_asked": one.asked,
        "top1_by_seed": [correct / total for correct, total in one.counts],
        "top1_mean": one.top1,
        "top1_deviation": None,
        "test_images": one.test_images,
    }
    if len(one.answers) > 1:
        found["top1_deviation"] = float(np.std(found["top1_by_seed"], ddof=1))
    if right is not None:
        spread = spread_of(right)
        found |= {
            "interval": over_both(right),
            "interval_seeds": over_seeds(right),
            "interval_images": over_images(right),
            "interval_bootstrap": one.bootstrap,
            "variance_images": spread.images,
            "variance_seeds": spread.seeds,
            "variance_residual": spread.residual,
        }
    return found


def _pair_data(pair: Pair) -> dict[str, Any]:
    keys = ("better", "worse", "difference", "low", "high", "discordant", "p_networks", "p")
    found: dict[str, Any] = {key: getattr(pair, key) for key in keys}
    found |= {"p_holm": pair.p_holm, "separated": pair.separated, "images": pair.images}
    return found | {"seeds": pair.seeds, "needed_images": pair.needed, "paired": pair.paired}
