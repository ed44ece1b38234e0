"""What must a reader know before believing the numbers of a run?"""

import math
from collections.abc import Sequence

import zoo
from cnnbench.report.analysis.machines import UNSTEADY, is_metered
from cnnbench.report.analysis.origins import mixed_origins, values_of
from cnnbench.report.analysis.rows import rows_words
from cnnbench.report.sections import Points, RunReport, Section
from cnnbench.report.sections.starts import overlap_notices
from cnnbench.report.text.wording import (
    amount,
    join_and,
    join_numbers,
    percent,
    plural,
    significant,
)
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Plan
from cnnbench.schema.names import labels
from cnnbench.schema.origin import continued_words
from cnnbench.schema.result import Row

__all__ = ["run_notices", "sample_words", "section"]

_LOADER_BOUND = 0.10  # rule 10
_OFF_BUDGET = 0.02  # of the budget


def section(report: RunReport) -> Section | None:
    """Show the warnings that belong to the run, if there are any."""
    sentences = notices(report.plan, report.rows)
    if not sentences:
        return None
    return Section(title="To keep in mind", anchor="keep-in-mind", blocks=[Points(sentences)])


def notices(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Return the warnings that belong to a run, each one sentence."""
    dataset = plan.dataset
    sentences = [text[:1].upper() + text[1:].rstrip(".") + "." for text in dataset.notices]
    if dataset.drawn and not any("drawn" in notice for notice in dataset.notices):
        sentences.append("The images are drawn by a program; they are not photos.")
    if dataset.curve_split == dataset.headline_split:
        sentences.append(
            f"The dataset has no third split, so the curves were drawn on the "
            f"{dataset.headline_split} split; nothing was chosen by them."
        )
    sentences += overlap_notices(dataset.name, rows)
    return [*sentences, *sample_words(plan), *run_notices(plan, rows)]


def sample_words(plan: Plan) -> list[str]:
    """Say on how many images the curves are tested, where that is not their whole split."""
    split, images = plan.dataset.curve_split, plan.dataset.images
    n_all = images.get(split, 0)
    sizes = sorted({cell.curve_images or n_all for cell in plan.cells})
    samples = [size for size in sizes if size < n_all]
    if not samples:
        return []
    return [
        f"To save time, each point of the curves is of a sample of {join_numbers(samples)} "
        f"of the {n_all:,} images of the {split} split, the same for every network and with each "
        "class by its share; only the last is of all. No point of a sample counts as the best."
    ]


def run_notices(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Return the warnings about how a run was made and went, apart from those of its dataset."""
    return [
        *_smoke(plan),
        *_origins(plan, rows),
        *_drift(plan, rows),
        *_sizes(plan),
        *_distances(plan),
        *_clock(rows),
        *_tuning(plan),
        *_memory(plan, rows),
        *_short(rows),
    ]


def _smoke(plan: Plan) -> list[str]:
    sizes = {str(cell.subset) for cell in plan.cells if cell.subset is not None}
    if not sizes:
        return []
    return [
        f"A smoke run on at most {join_and(sorted(sizes))} images a split: it "
        "shows that everything works, not which network is better."
    ]


def _origins(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Say so if the rows were not all trained with the same versions, threads and machine."""
    names = labels(plan)
    mixed = mixed_origins(rows, names)
    if not mixed:
        return []
    sentences = [
        f"The rows are of mixed origin: {'; '.join(mixed)}. A difference between them may be that "
        "of their origins."
    ]
    if len(values_of(rows).get("ran on", ())) > 1 and is_metered(rows):
        sentences.append("Scores from different machines under a budget in seconds do not compare.")
    if continued := [row for row in rows if continued_words(row.origins)]:
        sentences.append(
            f"Begun with one and continued with another: {rows_words(continued, rows, names)}; the "
            "bits may differ from those of one go."
        )
    return [" ".join(sentences)]


def _drift(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Say so if a fixed matrix product ran at different speeds during the run."""
    speeds = [speed for row in rows for speed in row.canary_gflops or ()]
    if not speeds or max(speeds) <= (1 + UNSTEADY) * min(speeds):
        return []
    measured = [row for row in rows if row.canary_gflops]
    worst = min(measured, key=lambda row: min(row.canary_gflops or ()))
    suffers = "sees fewer images" if is_metered(rows) else "takes longer"
    return [
        f"The machine was not steady: a fixed matrix product before and after each cell ran at "
        f"{significant(min(speeds))} to {significant(max(speeds))} GFLOP/s; the slowest reading "
        f"was beside {rows_words([worst], rows, labels(plan))}. A cell on a slowed machine "
        f"{suffers}."
    ]


def _sizes(plan: Plan) -> list[str]:
    """Say so if the networks do not see the same pixels."""
    sizes = {cell.model: cell.image_size for cell in plan.cells}
    listed = join_and([f"{model} {size}" for model, size in sizes.items()])
    sentence = (
        f"The networks see images of different sizes, in pixels: {listed}. --image-size gives all "
        "the same."
    )
    return [sentence] if len(set(sizes.values())) > 1 else []


def _distances(plan: Plan) -> list[str]:
    """Say so if a loss is measured on another scale than the others."""
    models = dict.fromkeys(cell.model for cell in plan.cells)
    known = models.keys() & zoo.list_models()  # a card of another library's network imports torch
    outputs = {model: zoo.card(model).output for model in models if model in known}
    return [
        f"The losses of {model} are on another scale: its outputs are {output}, as in its paper. "
        "Its accuracy compares, its losses do not."
        for model, output in outputs.items()
        if output != "logits" and len(models) > 1
    ]


def _tuning(plan: Plan) -> list[str]:
    """Say what the trials of `--tune` chose and what they cost."""
    sentences = []
    for tuned in plan.tuned:
        tried = ", ".join(
            f"{rate:g} ({'failed' if top1 is None else f'{percent(top1)} %'})"
            for rate, top1 in zip(tuned.rates, tuned.top1, strict=True)
        )
        sentences.append(
            f"{tuned.model} learns at {tuned.chosen:g}, the best of "
            f"{plural(len(tuned.rates), 'trial')} of {tuned.budget} on {tuned.images} training "
            f"images held out: {tried}. The trials cost "
            f"{amount(Currency.SECONDS, tuned.charged_seconds)} of charged time beside the budget."
        )
    return sentences


def _memory(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Say which batches are accumulated, and who used more memory than was allowed."""
    passes = {
        cell.name: (cell.recipe.batch_size, cell.micro_batch)
        for cell in plan.cells
        if cell.micro_batch is not None
    }
    accumulated = [
        f"{model} accumulates each batch of {batch} images from passes of at most {micro_batch}, "
        "to keep to the memory allowed. The step is the same, except in networks with BatchNorm: "
        "their statistics are those of a pass, which makes it another recipe."
        for model, (batch, micro_batch) in passes.items()
    ]
    allowed = {cell.id: cell.memory_bytes or math.inf for cell in plan.cells}
    return accumulated + _about(
        [row for row in rows if (row.peak_memory_bytes or 0) > allowed.get(row.cell, math.inf)],
        "More memory than allowed was used by {}: on a CPU the plan keeps to the limit by an "
        "estimate, nothing enforces it.",
    )


def _clock(rows: Sequence[Row]) -> list[str]:
    """Say which networks waited for data and which are off their budget.

    Heads wait for no loader: their features are in memory, and a step is over in no time.
    """
    shares = {
        row.cell: row.seconds.data_wait / row.seconds.train
        for row in rows
        if row.seconds.train and row.seconds.data_wait is not None and row.train == "all"
    }
    done = [row for row in rows if row.status == "done"]
    waited, off = percent(_LOADER_BOUND, digits=0), percent(_OFF_BUDGET, digits=0)
    return [
        *_about(
            [row for row in rows if shares.get(row.cell, 0.0) > _LOADER_BOUND],
            f"Loader-bound: {{}} waited for data for more than {waited} % of the charged time.",
        ),
        *_about(
            [row for row in done if abs(_used(row) - 1) > _OFF_BUDGET],
            f"Off the budget by more than {off} %: {{}}; see the clock audit.",
        ),
    ]


def _used(row: Row) -> float:
    return (row.budget.used or 0.0) / row.budget.limit


def _short(rows: Sequence[Row]) -> list[str]:
    return _about(
        [row for row in rows if row.status == "done" and (row.epochs or 1) < 1],
        "The budget ended before the first epoch for {}: some training images were never seen.",
    )


def _about(rows: Sequence[Row], sentence: str) -> list[str]:
    """Say a sentence of the networks of these rows, or nothing if there are none."""
    models = join_and(list(dict.fromkeys(row.name for row in rows)))
    return [sentence.format(models)] if rows else []
