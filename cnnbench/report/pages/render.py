"""How do the words of a report become Markdown and HTML in which no name is obeyed?"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from cnnbench.base.files import write_whole
from cnnbench.report.figures.style import GRID, INK, MUTED, PAPER, Picture
from cnnbench.report.pages.html import PAGE_COLOURS, script_hash
from cnnbench.report.sections import Paragraph, RunReport, Section
from cnnbench.report.sections.headline import headline_sentences
from cnnbench.report.sections.results import TIES, report_table, starved_note
from cnnbench.report.sections.settings import settings
from cnnbench.report.text.escape import escape_markdown, visible
from cnnbench.report.text.table import as_markdown
from cnnbench.store import RunFolder, StoreError

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["Page", "render_html", "render_markdown", "update_readme"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What both pages say: a title, the headline with its picture, and the sections of each."""

    title: str
    headline: Sequence[str]
    picture: Picture
    markdown: Sequence[Section]
    html: Sequence[Section]

    @property
    def pictures(self) -> dict[str, Picture]:
        """The pictures of both pages by their names."""
        blocks = [block for section in (*self.html, *self.markdown) for block in section.blocks]
        drawn = [self.picture, *(block for block in blocks if isinstance(block, Picture))]
        return {picture.name: picture for picture in drawn}


# -- Markdown -------------------------------------------------------------------------------------


class _Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def render_markdown(page: Page) -> str:
    """Return the page in GitHub's Markdown; whatever a template prints is escaped by default."""
    environment = _environment(autoescape=False, finalize=_escape_unless_markdown)
    environment.filters |= {"fenced": _fenced, "prose": _markdown_prose}
    environment.filters["table"] = lambda table: _Markdown(as_markdown(table))
    return environment.get_template("report.md.jinja").render(page=page)


def _escape_unless_markdown(value: object) -> str:
    return value if isinstance(value, _Markdown) else escape_markdown(str(value))


def _markdown_prose(text_or_paragraph: str | Paragraph) -> _Markdown:
    paragraph = _as_paragraph(text_or_paragraph)
    text = escape_markdown(paragraph.text)
    for name in paragraph.files:
        text = text.replace(name, f"[{name}]({name})")
    for word in paragraph.code:
        text = text.replace(word, f"`{word}`")
    return _Markdown(text)


def _as_paragraph(text: str | Paragraph) -> Paragraph:
    return text if isinstance(text, Paragraph) else Paragraph(text)


def _fenced(lines: Sequence[str]) -> _Markdown:
    text = "\n".join(lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return _Markdown(f"{fence}console\n{text}\n{fence}")


# -- HTML -----------------------------------------------------------------------------------------


def render_html(page: Page, chart: str) -> str:
    """Return the page as one HTML file that loads nothing and runs one script: its own.

    `chart` is the data that the script draws, as `chart_json` writes it.
    """
    from markupsafe import Markup

    environment = _environment(autoescape=True, finalize=None)
    environment.filters |= {"inline": inline_svg, "prose": _html_prose, "visible": visible}
    folder = resources.files("cnnbench.report.pages").joinpath("templates")
    script = folder.joinpath("page.js").read_text("utf-8")
    return environment.get_template("report.html.jinja").render(
        page=page,
        script=Markup(script),
        script_hash=script_hash(script),
        chart=Markup(chart),
        colours=PAGE_COLOURS,
    )


def _html_prose(text_or_paragraph: str | Paragraph) -> Markup:
    from markupsafe import Markup, escape

    paragraph = _as_paragraph(text_or_paragraph)
    text = escape(visible(paragraph.text))
    for name in paragraph.files:
        text = text.replace(name, Markup('<a href="{0}">{0}</a>').format(name))
    for word in paragraph.code:
        text = text.replace(word, Markup("<code>{}</code>").format(word))
    return text


# -- templates ------------------------------------------------------------------------------------


def _environment(*, autoescape: bool, finalize: Any) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cnnbench.report.pages"),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment


# -- pictures inside HTML -------------------------------------------------------------------------

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"} | {
    light.lower(): variable for light, (variable, _) in PAGE_COLOURS.items()
}
_COLOURS = re.compile("|".join(_VARIABLES), re.IGNORECASE)


def inline_svg(picture: Picture, *, narrow: bool = False) -> Markup:
    """Return a picture as an `<svg>` element: ids made unique, neutral colours left to the page.

    `narrow` asks for the picture of a narrow page.

    The picture was written by matplotlib, which escapes text; parsing it again changes attributes
    only, so a name cannot become markup.
    """
    from markupsafe import Markup

    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(picture.narrow if narrow else picture.svg)
    prefix = f"{picture.name}-narrow-" if narrow else f"{picture.name}-"
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _attribute(key, value, prefix=prefix))
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", picture.alt)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _attribute(key: str, value: str, *, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == f"{{{_XLINK}}}href":
        return value.replace("#", f"#{prefix}", 1)
    value = value.replace("url(#", f"url(#{prefix}")
    return _COLOURS.sub(lambda match: f"var({_VARIABLES[match[0].lower()]})", value)


# -- the table inside a README --------------------------------------------------------------------

BEGIN, END = "<!-- cnnbench:begin -->", "<!-- cnnbench:end -->"


def update_readme(readme: Path, run: RunFolder) -> None:
    """Put a run's picture and table between the two markers of a Markdown file.

    Doing it twice changes nothing.

    Raises:
        StoreError: if the file cannot be read, or does not hold the markers exactly once.
    """
    try:
        text = readme.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"cannot read {readme}: {reason}") from None
    before, _, after = text.partition(BEGIN)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or END not in after:
        raise StoreError(
            f"{readme} must hold {BEGIN} and, after it, {END}, once each; "
            "put them where the table should stand"
        )
    section = readme_section(run, readme.parent)
    updated = f"{before}{BEGIN}\n{section}{END}{after.partition(END)[2]}"
    if updated != text:
        write_whole(readme, lambda file: file.write(updated.encode()))


def readme_section(run: RunFolder, folder: Path) -> str:
    """Return headline, picture and table of a run, with links that hold from `folder`."""
    report = RunReport.read(run)
    path = Path(os.path.relpath(run.path, folder)).as_posix()
    sentences = headline_sentences(report.comparison, report.rows, report.names)
    headline = [escape_markdown(sentence) for sentence in sentences]
    values = dict(settings(report.plan, report.rows))
    facts = [values[name] for name in ("dataset", "images", "budget", "machine")]
    lines = [
        f"**{headline[0]}** {' '.join(headline[1:])}",
        f"![{headline[0]}]({path}/figures/accuracy.svg)",
        as_markdown(report_table(report)),
        *([note] if (note := starved_note(report.rows)) else []),
        *([TIES] if report.comparison.letter else []),
        f"{escape_markdown('; '.join(facts))}. [The whole report]({path}/report.md).",
    ]
    return "\n\n".join(line.strip() for line in lines) + "\n"
