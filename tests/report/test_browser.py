"""Does a browser show the page as it is meant? `pytest -m browser`, where Chromium is installed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from payloads import PAYLOADS
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report.text.escape import visible
from cnnbench.report.write import write_report

pytestmark = pytest.mark.browser
RESULTS = "table[data-filter=Results]"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

# The contrast of every visible text with the colour behind it, by WCAG 2's formula.
LOW_CONTRAST = """() => {
  const parse = (text) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pale = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const hidden = !walker.currentNode.data.trim() || !node.getClientRects().length;
    if (hidden || node.closest("script, style, option")) continue;
    const style = getComputedStyle(node);
    const ink = parse(node.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) pale.push(`${node.tagName}: ${walker.currentNode.data.trim()} ${ratio}`);
  }
  return pale;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


class Seen:
    """A page opened in the browser, with all that it wrote and asked for."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        size = {"width": 1280, "height": 900}
        self.page = browser.new_page(**({"viewport": size} | options))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.messages.append(dialog.message))
        self.page.goto(file.as_uri())

    def open_chart(self) -> None:
        self.page.get_by_role("button", name="Choose axes").click()

    def column(self, table: str, number: int) -> list[str]:
        cells = self.page.locator(f"{table} tbody tr:visible > :nth-child({number})")
        return [text.strip() for text in cells.all_inner_texts()]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    again = tuple(replace(model, correct=model.correct + 3, seed=1) for model in FOUR.models)
    failed = FakeModel(name="zfnet", status="oom", reason="out of memory: 9 GiB were asked for")
    fake = FakeRun(models=(*FOUR.models, *again, failed))
    return write_report(build_run(tmp_path_factory.mktemp("seen"), fake)).with_suffix(".html")


@pytest.fixture(scope="module")
def seen(browser: Any, report: Path) -> Seen:
    return Seen(browser, report)


def test_the_page_says_nothing_to_the_console_and_asks_for_nothing(
    seen: Seen, report: Path
) -> None:
    assert seen.messages == []
    assert seen.requests == [report.as_uri()]


def test_a_click_on_a_heading_sorts_the_table(seen: Seen) -> None:
    button = seen.page.locator(f"{RESULTS} thead button", has_text=re.compile(r"^top-1"))
    button.click()
    down = seen.column(RESULTS, 3)
    button.press("Enter")
    up = seen.column(RESULTS, 3)
    assert [down[-1], up[-1]] == ["\u2013", "\u2013"]  # what was not measured stays last
    numbers = sorted(float(text) for text in up[:-1])
    assert [float(text) for text in up[:-1]] == numbers
    assert [float(text) for text in down[:-1]] == numbers[::-1]


def test_words_typed_filter_the_rows(seen: Seen) -> None:
    field = seen.page.locator("#results input[type=search]")
    field.fill("resnet")
    assert set(seen.column(RESULTS, 1)) == {"resnet18"}
    field.fill("")
    assert len(seen.column(RESULTS, 1)) == 9


def test_on_a_telephone_no_picture_is_wider_than_the_screen(browser: Any, report: Path) -> None:
    seen = Seen(browser, report, viewport={"width": 390, "height": 800})
    figures = seen.page.locator("figure:visible:has(> svg)")
    assert figures.count() >= 5
    for figure in figures.all():
        assert figure.evaluate("node => node.scrollWidth - node.clientWidth") == 0
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_curves_are_pictures_until_a_reader_asks_for_the_chart(
    browser: Any, report: Path
) -> None:
    seen = Seen(browser, report)
    still, chart = seen.page.locator("#still"), seen.page.locator("#chart")
    assert (still.is_visible(), chart.is_visible()) == (True, False)
    assert chart.locator("svg").count() == 0  # nothing is drawn before
    seen.open_chart()
    chart.locator(".plot svg").wait_for()
    assert (still.is_visible(), chart.is_visible()) == (False, True)
    back = seen.page.get_by_role("button", name="Back to the pictures")
    assert back.evaluate("button => button === document.activeElement")
    back.press("Enter")
    assert (still.is_visible(), chart.is_visible()) == (True, False)


@pytest.fixture(scope="module")
def charted(browser: Any, report: Path) -> Seen:
    seen = Seen(browser, report)
    seen.open_chart()
    return seen


def test_the_chart_switches_axis_scale_and_seeds(charted: Seen) -> None:
    chart = charted.page.locator("#chart .plot svg")
    for axis, name in (("flops", "training FLOPs"), ("epochs", "epochs"), ("images", "images")):
        charted.page.select_option("#chart select[name=x]", axis)
        assert name in (chart.get_attribute("aria-label") or "")
    before = chart.inner_html()
    charted.page.check("#chart input[name=logX]")
    assert chart.inner_html() != before
    assert chart.locator("path[fill=none]").count() == 5
    charted.page.select_option("#chart select[name=seed]", "all")
    assert chart.locator("path[fill=none]").count() == 9  # four were trained twice, zfnet failed
    assert charted.messages == []


def test_the_arrow_keys_read_the_points_of_the_chart(charted: Seen) -> None:
    charted.page.select_option("#chart select[name=seed]", "0")
    chart = charted.page.locator("#chart .plot svg")
    chart.press("ArrowRight")
    first = charted.page.locator("#chart .tip").inner_text()
    chart.press("ArrowLeft")
    assert first.startswith("alexnet, seed 0: ")
    assert charted.page.locator("#chart .tip").inner_text() != first


def test_the_chart_holds_the_numbers_of_the_events(seen: Seen, report: Path) -> None:
    data = json.loads(seen.page.locator("#chart-data").inner_text())
    rows = json.loads((report.parent / "results.json").read_text())["rows"]
    final = {f"row-{row['cell']}": row["correct"] for row in rows if row["status"] == "done"}
    assert final.items() <= {line["row"]: line["correct"][-1] for line in data["lines"]}.items()
    assert all(seen.page.locator(f"[id='{line['row']}']").count() for line in data["lines"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_enough(browser: Any, report: Path, scheme: str) -> None:
    seen = Seen(browser, report, color_scheme=scheme)
    assert seen.page.evaluate(LOW_CONTRAST) == []
    seen.open_chart()
    seen.page.locator("#chart .plot svg").wait_for()
    assert seen.page.evaluate(LOW_CONTRAST) == []


def test_the_first_picture_has_every_contender_and_every_cell_without_a_result(seen: Seen) -> None:
    texts = seen.page.locator("[id='accuracy-figure_1'] text").all_text_contents()
    models = {model.name for model in FOUR.models}
    assert models | {"zfnet, seed 0"} <= set(texts)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_phone_needs_no_scrolling_sideways(browser: Any, report: Path, scripts: bool) -> None:
    phone = {"width": 400, "height": 800}
    seen = Seen(browser, report, viewport=phone, java_script_enabled=scripts)
    width = seen.page.locator("html").evaluate("e => e.scrollWidth") if scripts else None
    assert width in (400, None)
    box = seen.page.locator("main").bounding_box()
    assert box is not None
    assert box["width"] <= 400


def test_without_scripts_the_curves_are_there(browser: Any, report: Path) -> None:
    seen = Seen(browser, report, java_script_enabled=False)
    assert seen.page.locator("#still svg").first.is_visible()
    assert not seen.page.locator("#chart").is_visible()


def test_hostile_names_are_shown_and_not_run(browser: Any, tmp_path: Path) -> None:
    models = [FakeModel(name=name, correct=9 + i) for i, name in enumerate(PAYLOADS[:8])]
    fake = FakeRun(models=models, classes=PAYLOADS[:20], title=PAYLOADS[0], evaluations=1)
    file = write_report(build_run(tmp_path, fake)).with_suffix(".html")
    seen = Seen(browser, file, viewport={"width": 400, "height": 800})
    assert (seen.messages, seen.requests) == ([], [file.as_uri()])
    named = seen.page.locator("#results tbody th").all_text_contents()
    assert {visible(name) for name in PAYLOADS[:8]} <= set(named)
    seen.open_chart()
    chips = seen.page.locator("#chart .chip").all_text_contents()
    assert set(chips) == {visible(name) for name in PAYLOADS[:8]}
    assert seen.page.locator("html").evaluate("e => e.scrollWidth") == 400
