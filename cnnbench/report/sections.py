"""Which further sections does a run give its report: seeds, a ladder, a sweep, a target?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnbench.report.ablation import ablation_sentences, ablation_table, base_of, effects
from cnnbench.report.contenders import labels, line_names
from cnnbench.report.failures import NOTE, failure_table
from cnnbench.report.groups import comparison_data, group_sentences, group_table
from cnnbench.report.ladder import ladder_data, ladder_sentences, ladder_table, points
from cnnbench.report.ladder_plot import ladder_picture
from cnnbench.report.style import looks
from cnnbench.report.sweep_plot import sweep_picture
from cnnbench.report.sweeps import sweep_points, sweep_sentences, swept
from cnnbench.report.targets import (
    race,
    race_sentences,
    race_table,
    reached,
    target_data,
    target_sentences,
    target_table,
)
from cnnbench.report.wording import percent

if TYPE_CHECKING:
    from cnnbench.report.compare import Comparison
    from cnnbench.report.style import Picture
    from cnnbench.report.tables import Table
    from cnnbench.schema.cell import Plan
    from cnnbench.schema.result import Row
    from cnnbench.store import RunFolder


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One section of a page as plain text: a picture, points, a table and a note, where present."""

    title: str
    points: Sequence[str] = ()
    picture: Picture | None = None
    table: Table | None = None
    note: str = ""


def comparison_json(run: RunFolder, comparison: Comparison, *, target: float | None) -> str:
    """Return `comparison.json`: groups, pairs, ties, a ladder's crossings, who reached a target."""
    plan = run.plan()
    data: dict[str, Any] = {"version": 1, "rungs": comparison_data(comparison)}
    if comparison.smaller:
        data["ladder"] = ladder_data(comparison, line_names(plan))
    if target is not None:
        data["target"] = target_data(reached(run, labels(plan), target), target)
    return json.dumps(data, indent=1) + "\n"


def sections_of(
    run: RunFolder, table: Sequence[Row], comparison: Comparison, *, target: float | None
) -> list[Section]:
    """Return every further section that a run has something to say in, in the page's order."""
    plan = run.plan()
    return [
        *seeds_section(comparison),
        *ladder_section(plan, comparison),
        *sweep_sections(plan, table, comparison),
        *ablation_section(plan, comparison),
        *failures_section(run, comparison),
        *race_section(run, plan),
        *target_section(run, plan, target),
    ]


def seeds_section(comparison: Comparison) -> list[Section]:
    """Return the section on several seeds, if a network has them."""
    table = group_table(comparison)
    if table is None:
        return []
    note = " ".join(group_sentences(comparison))
    return [Section(title="Over the seeds", table=table, note=note)]


def failures_section(run: RunFolder, comparison: Comparison) -> list[Section]:
    """Return the section on groups of test images, if the data has them."""
    table = failure_table(run, comparison)
    return [] if table is None else [Section(title="Where they fail", table=table, note=NOTE)]


def ladder_section(plan: Plan, comparison: Comparison) -> list[Section]:
    """Return the section on a ladder of budgets, if the plan is one."""
    if not comparison.smaller:
        return []
    lines = line_names(plan)
    found, said = points(comparison, lines), ladder_sentences(comparison, lines)
    picture = None
    if found:
        chance, look = comparison.largest_class, looks(list(lines.values()))
        picture = ladder_picture(found, look, chance=chance, alt=" ".join(said))
    return [
        Section(
            title="Accuracy against budget",
            points=said,
            picture=picture,
            table=ladder_table(comparison, lines),
            note=_LADDER_NOTE,
        )
    ]


_LADDER_NOTE = (
    "Every rung is a training of its own, and its learning rate reached zero at that budget. "
    "Networks that share a letter within a column cannot be told apart under that budget; > is an "
    "established rank and ~ a tie. One correction covers the pairs of all rungs."
)


def sweep_sections(plan: Plan, table: Sequence[Row], comparison: Comparison) -> list[Section]:
    """Return a section for each setting that the plan sweeps."""
    found = []
    for key in swept(plan):
        points = sweep_points(plan, table, comparison, key)
        said = sweep_sentences(points, key, comparison)
        picture = None
        if any(point.top1 is not None for point in points):
            look = looks([point.line for point in points])
            picture = sweep_picture(points, look, key, alt=" ".join(said))
        found.append(
            Section(
                title=f"Sweep of the {_WORDS[key]}", points=said, picture=picture, note=_SWEEP_NOTE
            )
        )
    return found


_WORDS = {"lr": "learning rate", "batch size": "batch size", "budget": "budget"}
_SWEEP_NOTE = (
    "Each point is the end of a training of its own. The highest score is picked after seeing the "
    "test images, so it flatters its value a little; to choose a setting, use other images."
)


def ablation_section(plan: Plan, comparison: Comparison) -> list[Section]:
    """Return the section on a paper's ingredients, if the plan leaves them out one by one."""
    base = base_of(plan)
    found = effects(comparison, base) if base else []
    if not base or not found:
        return []
    return [
        Section(
            title=f"What each ingredient of {base} is worth here",
            points=ablation_sentences(found, base),
            table=ablation_table(found, base),
            note=_ABLATION_NOTE,
        )
    ]


_ABLATION_NOTE = (
    "An effect is the accuracy with the ingredient minus the accuracy without it, under this "
    "budget and on these images; the paper's is the fall of its top-1 error on ImageNet after full "
    "training, so the two columns need not agree. Holm's correction covers the lines of the table."
)


def race_section(run: RunFolder, plan: Plan) -> list[Section]:
    """Return the race of figure 1 of the AlexNet paper, where activations are compared."""
    base = base_of(plan)
    activations = [cell.model for cell in plan.cells if cell.model.endswith("-tanh")]
    if not base or not activations:
        return []
    found = [one for one in race(run, labels(plan)) if one.label in {base, *activations}]
    table = race_table(found)
    if table is None:
        return []
    said = race_sentences(found, base)
    return [
        Section(title="The race to 25 % training error", points=said, table=table, note=_RACE_NOTE)
    ]


_RACE_NOTE = (
    "After figure 1 of the AlexNet paper, where a small network with ReLU reaches 25 % training "
    "error on CIFAR-10 six times as fast as with tanh, each with its own learning rate. Here both "
    "follow this run's recipe and budget. The error is counted while training, about once a second."
)


def target_section(run: RunFolder, plan: Plan, target: float | None) -> list[Section]:
    """Return what every cell took to reach a target accuracy, if one was asked for."""
    if target is None:
        return []
    found = reached(run, labels(plan), target)
    split = plan.dataset.curve_split
    return [
        Section(
            title=f"Time to {percent(target)} % on the {split} split",
            points=target_sentences(found, target),
            table=target_table(found),
            note=_TARGET_NOTE,
        )
    ]


_TARGET_NOTE = (
    "The first evaluation at or above the target counts; it was passed after the one before, whose "
    'charged seconds are under "not yet at". A schedule made for a shorter budget could be sooner: '
    "a ladder of budgets shows that."
)
