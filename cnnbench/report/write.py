"""How does a run become `report.md` and `report.html`: which sections, in which order?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cnnbench.report.analysis.ladder import ladder_data
from cnnbench.report.analysis.rows import comparison_data, write_results
from cnnbench.report.analysis.sweeps import KEYS
from cnnbench.report.pages.html import extras
from cnnbench.report.pages.render import Page, render_html, render_markdown
from cnnbench.report.sections import MakeSection, RunReport, Section
from cnnbench.report.sections.ablation import ablation_section
from cnnbench.report.sections.classes import classes_section, slices_section
from cnnbench.report.sections.cost import clock_section, trade_section, training_section
from cnnbench.report.sections.departures import article_section, departures_section
from cnnbench.report.sections.gallery import gallery_section
from cnnbench.report.sections.headline import headline_picture, headline_sentences
from cnnbench.report.sections.ladder import ladder_section
from cnnbench.report.sections.notices import notices_section
from cnnbench.report.sections.pairs import pairs_section
from cnnbench.report.sections.results import results_section, table_of
from cnnbench.report.sections.seeds import seeds_section
from cnnbench.report.sections.settings import (
    repeat_section,
    rules_section,
    settings_section,
    title,
)
from cnnbench.report.sections.sweeps import sweep_section
from cnnbench.report.sections.time_to_accuracy import (
    race_section,
    target_data,
    target_section,
    times_to_accuracy,
)
from cnnbench.report.text.latex import as_latex
from cnnbench.schema.names import line_names
from cnnbench.store import RunFolder

__all__ = ["write_report"]

_RESULTS: tuple[MakeSection, ...] = (
    results_section,
    pairs_section,
    seeds_section,
    ladder_section,
    *(partial(sweep_section, key=key) for key in KEYS),
    ablation_section,
    slices_section,
    race_section,
    target_section,
)
MARKDOWN: tuple[MakeSection, ...] = (
    settings_section,
    *_RESULTS,
    training_section,
    trade_section,
    clock_section,
    rules_section,
    notices_section,
    departures_section,
    repeat_section,
    article_section,
)
HTML: tuple[MakeSection, ...] = (
    *_RESULTS,
    notices_section,
    training_section,
    trade_section,
    classes_section,
    gallery_section,
    clock_section,
    settings_section,
    rules_section,
    departures_section,
    repeat_section,
    article_section,
)


def write_report(run: RunFolder, *, target: float | None = None) -> Path:
    """Write everything that a finished or unfinished run shows; return `report.md`'s path.

    Writes `results.json`, `results.csv`, `results.tex`, `comparison.json`, `figures/`,
    `report.html` and `report.md`. The same folder and target, a share in (0, 1], give the same
    bytes.
    """
    report = RunReport.read(run, target=target)
    write_results(run, report.rows)
    run.write_text("comparison.json", comparison_json(report))
    run.write_text("results.tex", as_latex(table_of(report)))
    page = page_of(report)
    for picture in page.pictures.values():
        run.write_text(f"figures/{picture.name}.svg", picture.svg)
        run.write_bytes(f"figures/{picture.name}.png", picture.png)
    own = extras(
        report.comparison,
        report.rows,
        report.names,
        report.styles,
        report.curves,
        [],
        classes=(),
        axis=report.plan.cells[0].budget.currency.value,
    )
    run.write_text("report.html", render_html(page, own))
    return run.write_text("report.md", render_markdown(page))


def page_of(report: RunReport) -> Page:
    """Make every section once and put those that say something in order."""
    made = {make: make(report) for make in HTML}

    def in_order(makers: Sequence[MakeSection]) -> list[Section]:
        return [section for make in makers if (section := made[make])]

    return Page(
        title=title(report.plan),
        headline=headline_sentences(report.comparison, report.rows),
        picture=headline_picture(report),
        markdown=in_order(MARKDOWN),
        html=in_order(HTML),
    )


def comparison_json(report: RunReport) -> str:
    """Return `comparison.json`: groups, pairs, ties, a ladder's crossings, who reached a target."""
    comparison, target = report.comparison, report.target
    data: dict[str, Any] = {"version": 1, "rungs": comparison_data(comparison)}
    if comparison.smaller:
        data["ladder"] = ladder_data(comparison, line_names(report.plan))
    if target is not None:
        data["target"] = target_data(times_to_accuracy(report.run, report.names, target), target)
    return json.dumps(data, indent=1) + "\n"
