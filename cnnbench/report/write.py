"""How does a run become `report.md` and `report.html`: which sections, in which order?"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cnnbench.report.analysis.comparison import comparison_data
from cnnbench.report.analysis.ladder import ladder_data
from cnnbench.report.analysis.rows import write_results
from cnnbench.report.analysis.sweeps import KEYS
from cnnbench.report.pages.html import chart_json
from cnnbench.report.pages.render import Page, render_html, render_markdown
from cnnbench.report.sections import (
    MakeSection,
    RunReport,
    Section,
    ablation,
    classes,
    cost,
    departures,
    gallery,
    headline,
    ladder,
    notices,
    pairs,
    repeat,
    results,
    seeds,
    settings,
    starts,
    sweeps,
    time_to_accuracy,
)
from cnnbench.report.text.table import as_latex
from cnnbench.schema.names import line_names
from cnnbench.store import RunFolder

__all__ = ["write_report"]

_COMPARING: tuple[MakeSection, ...] = (
    pairs.section,
    seeds.section,
    ladder.section,
    *(partial(sweeps.section, key=key) for key in KEYS),
    ablation.section,
)
_RESULTS: tuple[MakeSection, ...] = (
    results.section,
    starts.section,
    *_COMPARING,
    classes.slices_section,
    time_to_accuracy.race_section,
    time_to_accuracy.section,
)
MARKDOWN: tuple[MakeSection, ...] = (
    settings.section,
    *_RESULTS,
    cost.training_section,
    cost.trade_section,
    cost.clock_section,
    settings.rules_section,
    notices.section,
    departures.section,
    repeat.section,
    departures.article_section,
)
HTML: tuple[MakeSection, ...] = (
    *_RESULTS,
    notices.section,
    cost.training_section,
    cost.trade_section,
    classes.section,
    gallery.section,
    cost.clock_section,
    settings.section,
    settings.rules_section,
    departures.section,
    repeat.section,
    departures.article_section,
)


def write_report(run: RunFolder, *, target: float | None = None) -> Path:
    """Write everything that a finished or unfinished run shows; return `report.md`'s path.

    Writes `results.json`, `results.csv`, `results.tex`, `comparison.json`, `figures/`,
    `report.html` and `report.md`. The same folder and target, a share in (0, 1], give the same
    bytes.
    """
    report = RunReport.read(run, target=target)
    write_results(run, report.rows, withheld=report.comparison.machines.withheld)
    run.write_text("comparison.json", comparison_json(report))
    run.write_text("results.tex", as_latex(results.report_table(report)))
    page = page_of(report)
    for picture in page.pictures.values():
        run.write_text(f"figures/{picture.name}.svg", picture.svg)
        run.write_bytes(f"figures/{picture.name}.png", picture.png)
    run.write_text("report.html", render_html(page, chart_json(report)))
    return run.write_text("report.md", render_markdown(page))


def page_of(report: RunReport) -> Page:
    """Make every section once and put those that say something in order.

    Where no rank is given, sections that compare are left out.
    """
    averaging = (*_COMPARING, cost.trade_section)  # over seeds, and so over machines
    left_out = averaging if report.comparison.machines.are_withheld else ()
    made = {
        make: None if make in left_out else make(report)
        for make in dict.fromkeys((*HTML, *MARKDOWN))
    }

    def in_order(makers: Sequence[MakeSection]) -> list[Section]:
        return [section for make in makers if (section := made[make])]

    return Page(
        title=settings.title(report.plan),
        headline=headline.headline_sentences(report.comparison, report.rows, report.names),
        picture=headline.headline_picture(report),
        markdown=in_order(MARKDOWN),
        html=in_order(HTML),
    )


def comparison_json(report: RunReport) -> str:
    """Return `comparison.json`: groups, pairs, ties, a ladder's crossings, who reached a target.

    Where no rank is given it has the reason, and no groups.
    """
    comparison = report.comparison
    withheld = comparison.machines.withheld
    rungs = [] if withheld else comparison_data(comparison)
    data: dict[str, Any] = {"version": 1, "withheld": withheld or None, "rungs": rungs}
    if comparison.smaller and not withheld:
        data["ladder"] = ladder_data(comparison, line_names(report.plan))
    if report.target is not None:
        cells = [time.model_dump(mode="json") for time in report.times]
        data["target"] = {"target": report.target, "cells": cells}
    return json.dumps(data, indent=1) + "\n"
