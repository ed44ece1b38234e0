"""What do both pages of a report say?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnbench.report.figures.style import Picture
    from cnnbench.report.pages.html import HtmlParts
    from cnnbench.report.sections.gallery import Exhibition
    from cnnbench.report.sections.section import Section
    from cnnbench.report.text.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """All that both pages say, as plain text that each page escapes in its own way."""

    title: str
    headline: list[str]
    settings: list[tuple[str, str]]
    table: Table
    letters: bool
    pairs: list[str]
    notes: list[str]
    selected: Table | None
    clock: Table
    rules: list[str]
    notices: list[str]
    article_intro: str
    article: Table
    article_sentences: list[str]
    command: str
    exact: list[str]
    images: Table | None
    departures: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    pictures: dict[str, Picture]
    sections: list[Section]
    html_parts: HtmlParts
    gallery: Exhibition | None
