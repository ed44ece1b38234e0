"""What did it take to reach a target accuracy first, in every currency, and who missed it?

The race is another target: a training error, counted in steps.
"""

from collections.abc import Sequence

import numpy as np

from cnnbench.report.analysis.curves import TRAINING_ERROR, Racer, TimeToAccuracy, race
from cnnbench.report.analysis.rows import grouped
from cnnbench.report.sections import Grid, Paragraph, Points, RunReport, Section
from cnnbench.report.sections.ablation import base_of
from cnnbench.report.sections.notices import sample_words
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import NOTHING, amount, percent, plural
from cnnbench.schema.budget import Currency, Spent
from cnnbench.schema.events import WINDOW_IMAGES

_TARGET_NOTE = (
    "The first evaluation at or above the target counts; it was passed after the one before, whose "
    'charged seconds are under "not yet at". A schedule made for a shorter budget could be sooner: '
    "a ladder of budgets shows that."
)


def section(report: RunReport) -> Section | None:
    """Show what every cell took to reach a target accuracy, if one was asked for."""
    target = report.target
    if target is None:
        return None
    points, table = Points(target_sentences(report.times, target)), target_table(report.times)
    note = " ".join([_TARGET_NOTE, *sample_words(report.plan)])
    return Section(
        title=f"Time to {percent(target)} % on the {report.plan.dataset.curve_split} split",
        blocks=[points, Grid(table), Paragraph(note, note=True)],
    )


def target_table(times: Sequence[TimeToAccuracy]) -> Table:
    """Return a line a cell: what it took in every currency, or that it missed."""
    reached = [time.spent for time in times if time.spent is not None]
    counted = [c for c in Currency if any(getattr(s, c.value) is not None for s in reached)]
    currencies = counted or [Currency.SECONDS]
    lines = tuple((time.label, str(time.seed), *_line(time, currencies)) for time in times)
    header = ("model", "seed", *(f"{c.value}, at most" for c in currencies), "not yet at", "best %")
    return Table(header=header, align="lr" + "r" * (len(currencies) + 2), rows=lines)


def _line(time: TimeToAccuracy, currencies: Sequence[Currency]) -> list[str]:
    if time.spent is None:
        return ["missed", *[NOTHING] * len(currencies), percent(time.best_top1)]
    spent = [_amount(time.spent, currency) for currency in currencies]
    return [*spent, _amount(time.before, Currency.SECONDS), percent(time.best_top1)]


def _amount(spent: Spent | None, currency: Currency) -> str:
    value = None if spent is None else getattr(spent, currency.value)
    return NOTHING if value is None else amount(currency, value)


def target_sentences(times: Sequence[TimeToAccuracy], target: float) -> list[str]:
    """Say for every network how many seeds reached the target and when; a miss is a miss."""
    groups = grouped(times, lambda time: time.label)
    return [_sentence(label, group, target) for label, group in groups.items()]


def _sentence(label: str, group: Sequence[TimeToAccuracy], target: float) -> str:
    share = f"{percent(target, digits=1)} %"
    seconds = [time.spent.seconds for time in group if time.spent is not None]
    if not seconds:
        tested = [time.best_top1 for time in group if time.best_top1 is not None]
        if not tested:
            return f"{label} was never tested, so it is not known to reach {share}."
        best = max(tested)
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


# -- the race to a training error -----------------------------------------------------------------

_RACE_NOTE = (
    "After figure 1 of the AlexNet paper, where a small network with ReLU reaches 25 % training "
    "error on CIFAR-10 six times as fast as with tanh, each with its own learning rate. Here both "
    "follow this run's recipe and budget. The error is counted while training, over windows of "
    f"{WINDOW_IMAGES:,} images whatever the speed of the machine."
)


def race_section(report: RunReport) -> Section | None:
    """Show the race of figure 1 of the AlexNet paper, where activations are compared."""
    base = base_of(report.plan)
    activations = [cell.model for cell in report.plan.cells if cell.model.endswith("-tanh")]
    if not base or not activations:
        return None
    everyone = race(report.run, report.names)
    racers = [racer for racer in everyone if racer.label in {base, *activations}]
    table = race_table(racers)
    if table is None:
        return None
    points, note = Points(race_sentences(racers, base)), Paragraph(_RACE_NOTE, note=True)
    return Section(title="The race to 25 % training error", blocks=[points, Grid(table), note])


def race_table(racers: Sequence[Racer]) -> Table | None:
    """Return a line a cell with its steps to 25 % training error, or None if nothing is known."""
    if not any(racer.measured for racer in racers):
        return None
    lines = tuple((racer.label, str(racer.seed), _steps(racer)) for racer in racers)
    header = ("model", "seed", f"steps to {100 * TRAINING_ERROR:.0f} % training error")
    return Table(header=header, align="lrr", rows=lines)


def _steps(racer: Racer) -> str:
    if not racer.measured:
        return NOTHING
    return "missed" if racer.steps is None else f"{racer.steps:,}"


def race_sentences(racers: Sequence[Racer], base: str) -> list[str]:
    """Say how many times as many steps each variant took as the base, where all seeds arrived."""
    groups = grouped(racers, lambda racer: racer.label)
    whole = [racer.steps for racer in groups.pop(base, []) if racer.steps]
    if not whole:
        return [f"{base} does not reach 25 % training error, so there is no race."]
    sentences = []
    for label, group in groups.items():
        known = [racer.steps for racer in group if racer.steps]
        if len(known) < len(group):
            late = f"{len(group) - len(known)} of {plural(len(group), 'run')}"
            sentences.append(f"{label} does not reach 25 % training error in {late}.")
            continue
        ratio = f"{float(np.mean(known) / np.mean(whole)):.1f}"
        sentences.append(f"{label} takes {ratio} times the steps of {base} to 25 % training error.")
    return sentences
