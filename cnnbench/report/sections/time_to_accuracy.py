"""What did it take to reach a target accuracy first, in every currency, and who missed it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbench.report.sections.ablation import base_of
from cnnbench.report.sections.section import Section
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, amount, percent, plural
from cnnbench.schema.budget import Currency
from cnnbench.schema.events import Evaluated, Event, Started, Stepped
from cnnbench.schema.names import labels

if TYPE_CHECKING:
    from cnnbench.schema.budget import Spent
    from cnnbench.schema.cell import Plan
    from cnnbench.store import RunFolder


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

TRAINING_ERROR = 0.25  # figure 1 of the AlexNet paper


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """When one cell first reached the target on the curve's split.

    `spent` is what it had spent at that evaluation, None for a miss, and `before` at the one
    before it: the target was passed in between. `best` is the best accuracy of all evaluations.
    """

    label: str
    seed: int
    spent: Spent | None
    before: Spent | None
    best: float | None


def reached(run: RunFolder, names: Mapping[str, str], target: float) -> list[Reached]:
    """Return for every cell of a run when it first reached `target`, in plan order."""
    plan = run.plan()
    return [
        first_reached(
            run.events(cell),
            target,
            split=plan.dataset.curve_split,
            label=names[cell.id],
            seed=cell.seed,
        )
        for cell in plan.cells
    ]


def first_reached(
    events: Iterable[Event], target: float, *, split: str, label: str, seed: int
) -> Reached:
    """Return when a cell's evaluations on a split first reached `target`, a share in (0, 1]."""
    before: Spent | None = None
    spent: Spent | None = None
    best: float | None = None
    for event in events:
        if isinstance(event, Started) and before is None:
            before = event.spent
        if not isinstance(event, Evaluated) or event.split != split:
            continue
        best = max(best or 0.0, event.top1)
        if spent is None and event.top1 >= target:
            spent = event.spent
        elif spent is None:
            before = event.spent
    return Reached(label=label, seed=seed, spent=spent, before=before, best=best)


def target_table(found: Sequence[Reached]) -> Table:
    """Return a line a cell: what it took in every currency, or that it missed."""
    currencies = [c for c in Currency if _known(found, c)] or [Currency.SECONDS]
    lines = tuple((one.label, str(one.seed), *_line(one, currencies)) for one in found)
    header = ("model", "seed", *(f"{c.value}, at most" for c in currencies), "not yet at", "best %")
    return Table(header=header, align="lr" + "r" * (len(currencies) + 2), rows=lines)


def _known(found: Sequence[Reached], currency: Currency) -> bool:
    spent = [one.spent for one in found if one.spent is not None]
    return any(getattr(one, currency.value) is not None for one in spent)


def _line(one: Reached, currencies: Sequence[Currency]) -> list[str]:
    if one.spent is None:
        return ["missed", *[NOTHING] * len(currencies), percent(one.best)]
    values = [getattr(one.spent, currency.value) for currency in currencies]
    shown = [
        NOTHING if value is None else amount(currency, value)
        for currency, value in zip(currencies, values, strict=True)
    ]
    before = NOTHING if one.before is None else amount(Currency.SECONDS, one.before.seconds)
    return [*shown, before, percent(one.best)]


def target_sentences(found: Sequence[Reached], target: float) -> list[str]:
    """Say for every network how many seeds reached the target and when; a miss is a miss."""
    groups: dict[str, list[Reached]] = {}
    for one in found:
        groups.setdefault(one.label, []).append(one)
    return [_sentence(label, group, target) for label, group in groups.items()]


def _sentence(label: str, group: Sequence[Reached], target: float) -> str:
    share = f"{percent(target, digits=1)} %"
    seconds = [one.spent.seconds for one in group if one.spent is not None]
    if not seconds:
        best = max((one.best or 0.0 for one in group), default=0.0)
        every = "" if len(group) == 1 else f" in all {plural(len(group), 'seed')}"
        return f"{label} misses {share}{every}; its best is {percent(best)} %."
    if len(group) == 1:
        return f"{label} reaches {share} within {seconds[0]:,.1f} charged seconds."
    spread = f"{min(seconds):,.1f} to {max(seconds):,.1f}"
    missed = len(group) - len(seconds)
    also = f" and misses it in {missed}" if missed else ""
    return (
        f"{label} reaches {share} in {len(seconds)} of {plural(len(group), 'seed')}{also}, within "
        f"{np.median(seconds):,.1f} charged seconds in the median ({spread})."
    )


def target_data(found: Sequence[Reached], target: float) -> dict[str, Any]:
    """Return the target and who reached it when, as plain values; None is a miss."""
    return {
        "target": target,
        "cells": [
            {
                "label": one.label,
                "seed": one.seed,
                "spent": None if one.spent is None else one.spent.model_dump(mode="json"),
                "before": None if one.before is None else one.before.model_dump(mode="json"),
                "best_top1": one.best,
            }
            for one in found
        ],
    }


# -- the race to a training error -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Raced:
    """How many steps a cell took to 25 % training error; None for a miss or where none is known."""

    label: str
    seed: int
    steps: int | None
    measured: bool


def race(run: RunFolder, names: Mapping[str, str]) -> list[Raced]:
    """Return for every cell the first interval of steps whose training error is low enough."""
    return [
        steps_to_training_error(run.events(cell), label=names[cell.id], seed=cell.seed)
        for cell in run.plan().cells
    ]


def steps_to_training_error(
    events: Iterable[Event], *, label: str, seed: int, error: float = TRAINING_ERROR
) -> Raced:
    """Return the steps at the end of the first interval with at most this training error.

    The error is that of the answers given while training, with its augmentation and dropout.
    """
    measured = False
    for event in events:
        if isinstance(event, Stepped) and event.train_top1 is not None:
            measured = True
            if event.train_top1 >= 1 - error:
                return Raced(label=label, seed=seed, steps=event.spent.steps, measured=True)
    return Raced(label=label, seed=seed, steps=None, measured=measured)


def race_table(found: Sequence[Raced]) -> Table | None:
    """Return a line a cell with its steps to 25 % training error, or None if nothing is known."""
    if not any(one.measured for one in found):
        return None
    lines = tuple((one.label, str(one.seed), _steps(one)) for one in found)
    header = ("model", "seed", f"steps to {100 * TRAINING_ERROR:.0f} % training error")
    return Table(header=header, align="lrr", rows=lines)


def _steps(one: Raced) -> str:
    if not one.measured:
        return NOTHING
    return "missed" if one.steps is None else f"{one.steps:,}"


def race_sentences(found: Sequence[Raced], base: str) -> list[str]:
    """Say how many times as many steps each variant took as the base, where all seeds arrived."""
    steps: dict[str, list[int | None]] = {}
    for one in found:
        steps.setdefault(one.label, []).append(one.steps)
    whole = [count for count in steps.pop(base, []) if count]
    if not whole:
        return [f"{base} does not reach 25 % training error, so there is no race."]
    said = []
    for label, counts in steps.items():
        known = [count for count in counts if count]
        if len(known) < len(counts):
            late = f"{len(counts) - len(known)} of {plural(len(counts), 'run')}"
            said.append(f"{label} does not reach 25 % training error in {late}.")
            continue
        ratio = float(np.mean(known) / np.mean(whole))
        said.append(f"{label} takes {ratio:.1f} times the steps of {base} to 25 % training error.")
    return said
