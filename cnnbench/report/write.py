"""How does a run become `report.md` and one self-contained `report.html`?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnbench.report.analysis.comparison import MOST_COMPARED, Comparison, compare, comparison_data
from cnnbench.report.analysis.curves import Curve, curves
from cnnbench.report.analysis.ladder import ladder_data
from cnnbench.report.analysis.rows import has_several_seeds, read_rows, status_text, write_results
from cnnbench.report.figures.accuracy import accuracy_picture
from cnnbench.report.figures.clock import clock_picture
from cnnbench.report.figures.curves import curves_picture
from cnnbench.report.figures.style import Picture, styles_of
from cnnbench.report.figures.trade import trade_picture
from cnnbench.report.pages.html import HtmlParts, html_parts
from cnnbench.report.pages.page import Page
from cnnbench.report.pages.render import render_html, render_markdown, templates
from cnnbench.report.sections import settings as conditions
from cnnbench.report.sections.ablation import ablation_section
from cnnbench.report.sections.classes import confusions, failures_section
from cnnbench.report.sections.departures import (
    article_intro,
    article_sentences,
    article_table,
    departures,
)
from cnnbench.report.sections.gallery import Exhibition, exhibition
from cnnbench.report.sections.headline import finding
from cnnbench.report.sections.ladder import ladder_section
from cnnbench.report.sections.notices import notices
from cnnbench.report.sections.pairs import comparison_notes, pair_sentences
from cnnbench.report.sections.results import clock_table, result_table
from cnnbench.report.sections.section import Section
from cnnbench.report.sections.seeds import seeds_section
from cnnbench.report.sections.sweeps import sweep_sections
from cnnbench.report.sections.time_to_accuracy import (
    race_section,
    reached,
    target_data,
    target_section,
)
from cnnbench.report.text.table import Table, as_latex
from cnnbench.report.text.wording import names as listed
from cnnbench.report.text.wording import percent
from cnnbench.schema.budget import Currency
from cnnbench.schema.names import labels, line_names

if TYPE_CHECKING:
    from cnnbench.report.analysis.comparison import Comparison
    from cnnbench.report.figures.style import Picture
    from cnnbench.schema.cell import Plan
    from cnnbench.schema.result import Row
    from cnnbench.store import RunFolder


_MOST_PAIRS = 21  # seven contenders; more than that are read from the letters in the table


def write_report(run: RunFolder, *, target: float | None = None) -> Path:
    """Draw everything a finished or unfinished run has to say, and return `report.md`'s path.

    Writes `results.json`, `results.csv`, `results.tex`, `comparison.json`, `figures/`,
    `report.html` and `report.md`. The same folder and target, a share in (0, 1], give the same
    bytes.
    """
    plan, table = run.plan(), read_rows(run)
    write_results(run, table)
    comparison = compare(run, table)
    drawn = _drawn(table, labels(plan), comparison)
    lines, styles = curves(run, drawn), styles_of(list(drawn.values()))
    pictures = draw_pictures(comparison, table, drawn, lines)
    sections = sections_of(run, table, comparison, target=target)
    for picture in [*pictures, *(one.picture for one in sections if one.picture)]:
        run.write_text(f"figures/{picture.name}.svg", picture.svg)
        run.write_bytes(f"figures/{picture.name}.png", picture.png)
    run.write_text("comparison.json", comparison_json(run, comparison, target=target))
    parts = html_parts(
        confusions(comparison, classes=len(plan.dataset.classes)),
        lines,
        styles,
        classes=plan.dataset.classes,
        chance=_chance_on_curves(comparison, table, lines),
        axis=plan.cells[0].budget.currency.value,
    )
    gallery = exhibition(run, comparison)
    page = describe(plan, table, comparison, pictures, sections, parts, gallery)
    run.write_text("results.tex", as_latex(page.table))
    run.write_text("report.html", render_html(page))
    return run.write_text("report.md", render_markdown(page))


def _drawn(
    table: Sequence[Row], names: Mapping[str, str], comparison: Comparison
) -> dict[str, str]:
    """Return the names of the cells that fit into the pictures, in plan order."""
    compared = [entry.label for entry in comparison.entries]
    unfinished = [names[row.cell] for row in table if row.status != "done"]
    kept = set(list(dict.fromkeys(compared + unfinished))[:MOST_COMPARED])
    return {row.cell: names[row.cell] for row in table if names[row.cell] in kept}


def draw_pictures(
    comparison: Comparison, table: Sequence[Row], names: Mapping[str, str], lines: Sequence[Curve]
) -> list[Picture]:
    """Draw the pictures that the run has data for, in the order of the page.

    Only the cells that `names` calls by their ids are drawn.
    """
    table = [row for row in table if row.cell in names]
    styles = styles_of([names[row.cell] for row in table])
    several = has_several_seeds(table)
    waiting = [
        (names[row.cell] + (f", seed {row.seed}" if several else ""), status_text(row))
        for row in table
        if row.status != "done"
    ]
    alt = " ".join(finding(comparison, table))
    pictures = [accuracy_picture(comparison, waiting, styles, alt=alt)]
    if lines:
        last = [f"{one.label} {percent(float(one.top1[-1]))} %" for one in lines]
        curves_alt = f"Accuracy and losses while training. Last accuracy: {listed(last)}."
        chance = _chance_on_curves(comparison, table, lines)
        pictures += [
            curves_picture(lines, styles, "epochs", chance=chance, alt=curves_alt),
            curves_picture(lines, styles, "seconds", chance=chance, alt=curves_alt),
        ]
    extra = (trade_picture(comparison, styles), clock_picture(table, names, alt=_clock_alt(table)))
    return [*pictures, *(picture for picture in extra if picture)]


def _chance_on_curves(
    comparison: Comparison, table: Sequence[Row], lines: Sequence[Curve]
) -> float | None:
    """Return the share of the largest class, where the curves are on the split that has it."""
    tested = {row.split for row in table}
    return comparison.largest_class if lines and lines[0].split in tested else None


def _clock_alt(table: Sequence[Row]) -> str:
    train = sum(row.seconds.train for row in table)
    total = sum(row.seconds.total for row in table)
    share = percent(train / total if total else 0.0, digits=0)
    return f"Charged training is {share} % of the wall-clock seconds of all cells."


def describe(
    plan: Plan,
    table: Sequence[Row],
    comparison: Comparison,
    pictures: Sequence[Picture],
    sections: Sequence[Section],
    parts: HtmlParts,
    gallery: Exhibition | None,
) -> Page:
    """Put into words everything the pages say."""
    names, letters = labels(plan), comparison.letter
    many = len(comparison.pairs) > _MOST_PAIRS
    return Page(
        title=conditions.title(plan),
        headline=finding(comparison, table),
        settings=conditions.settings(plan, table),
        table=result_table(table, names=names, letters=letters),
        letters=bool(letters),
        pairs=[] if many else pair_sentences(comparison),
        notes=comparison_notes(comparison),
        selected=selected_table(plan, table),
        clock=clock_table(table, names=names),
        rules=budget_rules(),
        notices=notices(plan, table),
        article_intro=article_intro(),
        article=article_table(),
        article_sentences=article_sentences(),
        command=conditions.command(plan),
        exact=conditions.exact_commands(plan, table),
        images=images_table(plan, table),
        departures=departures(plan),
        environment=conditions.environment(plan),
        pictures={picture.name: picture for picture in pictures},
        sections=list(sections),
        html_parts=parts,
        gallery=gallery,
    )


def selected_table(plan: Plan, table: Sequence[Row]) -> Table | None:
    """Return the rows whose best evaluation was not the last, or None if there are none."""
    names, split = labels(plan), plan.dataset.curve_split
    # Evaluations are 1 / evaluations of the budget apart, and the last one may be a step early.
    last = {cell.id: 1 - 0.5 / cell.evaluations for cell in plan.cells}
    lines = tuple(
        (
            names[row.cell],
            str(row.seed),
            percent(row.best_top1),
            f"{percent(row.best_progress, digits=0)} %",
            percent(row.top1),
        )
        for row in table
        if row.best_top1 is not None and (row.best_progress or 1.0) < last[row.cell]
    )
    final = f"last on {plan.dataset.headline_split} %"
    header = ("model", "seed", f"best on {split} %, selected", "at share of budget", final)
    return Table(header=header, align="lrrrr", rows=lines) if lines else None


def images_table(plan: Plan, table: Sequence[Row]) -> Table | None:
    """Return the images of each row, where a clock decided them and no command has them all."""
    names = labels(plan)
    lines = tuple(
        (names[row.cell], str(row.seed), f"{row.images_seen}img")
        for row in table
        if row.status == "done" and row.budget.currency is Currency.SECONDS
    )
    if conditions.one_row_each(plan) or not lines:
        return None
    return Table(header=("model", "seed", "--budget"), align="lrr", rows=lines)


def budget_rules() -> list[str]:
    """Return the rules that every run follows, from the one file that holds them."""
    lines = templates().joinpath("budget_rules.md").read_text("utf-8").splitlines()
    return [re.sub(r"^\d+\. ", "", line) for line in lines if line]


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
