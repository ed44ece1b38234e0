"""How does a picture become part of an HTML page that has a light and a dark side?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cnnbench.report.style import COLOURS, GRID, INK, MUTED, PAPER

if TYPE_CHECKING:
    from markupsafe import Markup

    from cnnbench.report.style import Picture

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"} | {
    colour.lower(): f"--line-{index}" for index, colour in enumerate(COLOURS)
}
_COLOURS = re.compile("|".join(_VARIABLES), re.IGNORECASE)


def inline_svg(picture: Picture) -> Markup:
    """Return a picture as an `<svg>` element: ids made unique, neutral colours left to the page.

    The picture was written by matplotlib, which escapes text; parsing it again changes attributes
    only, so a name cannot become markup.
    """
    from markupsafe import Markup

    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(picture.svg)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _attribute(key, value, prefix=f"{picture.name}-"))
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
    return _COLOURS.sub(lambda found: f"var({_VARIABLES[found[0].lower()]})", value)
