"""What must a reader know before believing the numbers of a run?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import zoo
from cnnbench.report.text.wording import amount, names, percent, plural, significant
from cnnbench.schema.budget import Currency

if TYPE_CHECKING:
    from cnnbench.schema.cell import Plan
    from cnnbench.schema.result import Row

LOADER_BOUND = 0.10  # rule 10
OFF_BUDGET = 0.02
DRIFT = 0.05


def notices(plan: Plan, table: Sequence[Row]) -> list[str]:
    """Return the warnings that belong to a run, each one sentence."""
    dataset = plan.dataset
    found = [_sentence(notice) for notice in dataset.notices]
    if dataset.drawn and not any("drawn" in notice for notice in dataset.notices):
        found.append("The images are drawn by a program; they are not photos.")
    if dataset.curve_split == dataset.headline_split:
        found.append(
            f"The dataset has no third split, so the curves were drawn on the "
            f"{dataset.headline_split} split; nothing was chosen by them."
        )
    return [*found, *run_notices(plan, table)]


def run_notices(plan: Plan, table: Sequence[Row]) -> list[str]:
    """Return the warnings about how a run was made and went, apart from those of its dataset."""
    return [
        *_smoke(plan),
        *_machines(table),
        *_drift(table),
        *_sizes(plan),
        *_distances(plan),
        *_clock(table),
        *_tuning(plan),
        *_memory(plan, table),
        *_short(table),
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _smoke(plan: Plan) -> list[str]:
    sizes = {cell.subset for cell in plan.cells if cell.subset is not None}
    if not sizes:
        return []
    return [
        f"A smoke run on at most {names([str(size) for size in sorted(sizes)])} images a split: it "
        "shows that everything works, not which network is better."
    ]


def _machines(table: Sequence[Row]) -> list[str]:
    machines = list(dict.fromkeys(row.machine for row in table if row.machine))
    if len(machines) < 2:
        return []
    return [
        f"The cells ran on different machines ({names(machines)}): with a budget in seconds their "
        "scores must not be compared."
    ]


def _drift(table: Sequence[Row]) -> list[str]:
    """Say so if a fixed matrix product ran at different speeds during the run."""
    rates = [rate for row in table for rate in row.canary_gflops or ()]
    if not rates or max(rates) <= (1 + DRIFT) * min(rates):
        return []
    worst = max(
        (row for row in table if row.canary_gflops),
        key=lambda row: max(max(rates) / rate for rate in row.canary_gflops or (1.0,)),
    )
    return [
        f"The machine was not steady: a fixed matrix product before and after each cell ran at "
        f"{significant(min(rates))} to {significant(max(rates))} GFLOP/s; the slowest reading was "
        f"beside {worst.model}, seed {worst.seed}. With a budget in seconds, a cell on a slowed "
        "machine sees fewer images."
    ]


def _sizes(plan: Plan) -> list[str]:
    """Say so if the networks do not see the same pixels."""
    sizes = {cell.model: cell.image_size for cell in plan.cells}
    if len(set(sizes.values())) < 2:
        return []
    listed = names([f"{model} {size}" for model, size in sizes.items()])
    return [
        f"The networks see images of different sizes, in pixels: {listed}. --image-size gives all "
        "the same."
    ]


def _distances(plan: Plan) -> list[str]:
    """Say so if a loss is measured on another scale than the others."""
    models = dict.fromkeys(cell.model for cell in plan.cells)
    if len(models) == 1:
        return []
    known = set(zoo.list_models())  # a card of another library's network imports torch
    outputs = {model: zoo.card(model).output for model in models if model in known}
    return [
        f"The losses of {model} are on another scale: its outputs are {output}, as in its paper. "
        "Its accuracy compares, its losses do not."
        for model, output in outputs.items()
        if output != "logits"
    ]


def _tuning(plan: Plan) -> list[str]:
    """Say what the trials of `--tune` chose and what they cost."""
    found = []
    for each in plan.tuned:
        tried = ", ".join(
            f"{rate:g} ({'failed' if top1 is None else f'{percent(top1)} %'})"
            for rate, top1 in zip(each.rates, each.top1, strict=True)
        )
        found.append(
            f"{each.model} learns at {each.chosen:g}, the best of "
            f"{plural(len(each.rates), 'trial')} of {each.budget} on {each.images} training images "
            f"held out: {tried}. The trials cost "
            f"{amount(Currency.SECONDS, each.charged_seconds)} of charged time beside the budget."
        )
    return found


def _memory(plan: Plan, table: Sequence[Row]) -> list[str]:
    """Say which batches are accumulated, and who used more memory than was allowed."""
    passes = {
        cell.model: (cell.recipe.batch_size, cell.micro_batch)
        for cell in plan.cells
        if cell.micro_batch is not None
    }
    found = [
        f"{model} accumulates each batch of {batch} images from passes of at most {images}, to "
        "keep to the memory allowed. The step is the same, except in networks with BatchNorm: "
        "their statistics are those of a pass, which makes it another recipe."
        for model, (batch, images) in passes.items()
    ]
    allowed = {cell.id: cell.memory_bytes for cell in plan.cells}
    over = [
        row.model
        for row in table
        if (row.peak_memory_bytes or 0) > (allowed.get(row.cell) or float("inf"))
    ]
    if over:
        found.append(
            f"More memory than allowed was used by {names(list(dict.fromkeys(over)))}: on a CPU "
            "the plan keeps to the limit by an estimate, nothing enforces it."
        )
    return found


def _clock(table: Sequence[Row]) -> list[str]:
    found = []
    bound = [row.model for row in table if _waiting(row) > LOADER_BOUND]
    if bound:
        found.append(
            f"Loader-bound: {names(list(dict.fromkeys(bound)))} waited for data for more than "
            f"{percent(LOADER_BOUND, digits=0)} % of the charged time."
        )
    off = [row.model for row in table if row.status == "done" and _missed(row) > OFF_BUDGET]
    if off:
        found.append(
            f"Off the budget by more than {percent(OFF_BUDGET, digits=0)} %: "
            f"{names(list(dict.fromkeys(off)))}; see the clock audit."
        )
    return found


def _waiting(row: Row) -> float:
    return row.seconds.data_wait / row.seconds.train if row.seconds.train else 0.0


def _missed(row: Row) -> float:
    return abs(row.budget.used / row.budget.limit - 1)


def _short(table: Sequence[Row]) -> list[str]:
    under = [row.model for row in table if row.status == "done" and (row.epochs or 1) < 1]
    if not under:
        return []
    return [
        f"The budget ended before the first epoch for {names(list(dict.fromkeys(under)))}: "
        "some training images were never seen."
    ]
