"""How do the words of a report become Markdown and HTML in which no name is obeyed?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from cnnbench.report.escape import escape_markdown, visible
from cnnbench.report.html import script_hash
from cnnbench.report.inline import inline_svg
from cnnbench.report.style import COLOURS, DARK_COLOURS
from cnnbench.report.tables import as_markdown

if TYPE_CHECKING:
    from jinja2 import Environment

    from cnnbench.report.page import Page


class _Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def render_markdown(page: Page) -> str:
    """Return the page in GitHub's Markdown; whatever a template prints is escaped by default."""
    environment = _environment(autoescape=False, finalize=_escape_unless_markdown)
    environment.filters["table"] = lambda table: _Markdown(as_markdown(table))
    environment.filters["fenced"] = _fenced
    return environment.get_template("report.md.jinja").render(page=page)


def _escape_unless_markdown(value: object) -> str:
    return value if isinstance(value, _Markdown) else escape_markdown(str(value))


def _fenced(lines: Sequence[str]) -> _Markdown:
    text = "\n".join(lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return _Markdown(f"{fence}console\n{text}\n{fence}")


def render_html(page: Page) -> str:
    """Return the page as one HTML file that loads nothing and runs one script: its own."""
    from markupsafe import Markup

    environment = _environment(autoescape=True, finalize=None)
    environment.filters["inline"] = inline_svg
    environment.filters["visible"] = visible
    script = templates().joinpath("page.js").read_text("utf-8")
    return environment.get_template("report.html.jinja").render(
        page=page,
        extras=page.extras,
        script=Markup(script),
        script_hash=script_hash(script),
        chart=Markup(page.extras.chart or ""),
        colours=list(zip(COLOURS, DARK_COLOURS, strict=True)),
    )


def _environment(*, autoescape: bool, finalize: Any) -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    sources = {
        file.name: file.read_text("utf-8")
        for file in templates().iterdir()
        if file.name.endswith(".jinja")
    }
    return Environment(
        loader=DictLoader(sources),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def templates() -> Any:
    """Return the folder of the pages' templates, inside a wheel or not."""
    return resources.files("cnnbench.report").joinpath("templates")
