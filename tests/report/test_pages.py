from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from payloads import PAYLOADS
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report import write
from cnnbench.report.analysis.comparison import compare
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.figures.style import Picture
from cnnbench.report.pages.html import script_hash
from cnnbench.report.sections import Paragraph, RunReport, Section
from cnnbench.report.sections.classes import confusions
from cnnbench.report.sections.settings import budget_rules
from cnnbench.report.text.escape import visible
from cnnbench.report.write import write_report
from cnnbench.store import RunFolder

PAGE_TAGS = (
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2"),
    *("p", "a", "figure", "dl", "div", "dt", "dd", "ul", "ol", "li", "pre", "code"),
    *("table", "thead", "tbody", "tr", "th", "td", "span", "details", "summary", "h3", "nav"),
    *("figcaption", "i", "b", "small", "abbr", "script", "img"),
    *("svg", "g", "defs", "path", "clippath", "rect", "use", "text", "tspan"),
)
TEXT_TAGS = ("td", "th", "text", "li", "dd", "code")


class Seen(HTMLParser):
    """Every tag, attribute and piece of text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.cells: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in TEXT_TAGS:
            self.cells.append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in TEXT_TAGS

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data


def hostile_run(path: Path) -> Path:
    models = [  # a third of them finished, with curves; drawing those is what takes time
        FakeModel(name=payload, correct=20 + index, status="planned" if index % 3 else "done")
        for index, payload in enumerate(PAYLOADS)
    ]
    models += [FakeModel(name=p + "2", status="failed", reason=p) for p in PAYLOADS[:3]]
    fake = FakeRun(
        models=models,
        classes=PAYLOADS,
        notices=PAYLOADS,
        title=PAYLOADS[1],
        argv=("run", *PAYLOADS),
        machine=dict(zip(PAYLOADS, PAYLOADS, strict=True)),
        test_images=60,
        image_names=PAYLOADS * 2,
        evaluations=1,
    )
    return write_report(build_run(path, fake)).parent


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_run(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(build_run(tmp_path_factory.mktemp("four"), FOUR)).parent


def test_a_report_leaves_these_files(four: Path) -> None:
    made = {str(p.relative_to(four)) for p in four.rglob("*") if p.is_file()}
    figures = {
        f"figures/{name}.{kind}"
        for name in ("accuracy", "curves-epochs", "curves-seconds", "trade", "clock")
        for kind in ("svg", "png")
    }
    pages = {"report.md", "report.html", "results.json", "results.csv"}
    assert pages | figures <= made


def test_the_report_drawn_again_is_the_same_bytes(four: Path) -> None:
    files = [path for path in four.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    write_report(RunFolder(four))
    assert {path: path.read_bytes() for path in files} == before


def test_markdown_opens_with_the_finding_and_its_picture(four: Path) -> None:
    lines = (four / "report.md").read_text().splitlines()
    assert lines[0] == "# drawn fruit: 4 networks, 2m each"
    assert lines[2].startswith("**resnet18 is best: 80.5 % right")
    assert next(line for line in lines if line.startswith("![")).endswith("(figures/accuracy.svg)")


def test_markdown_sections_come_in_this_order(four: Path) -> None:
    headings = re.findall(r"^## (.*)$", (four / "report.md").read_text(), flags=re.MULTILINE)
    assert [heading for heading in headings if heading != "Departures from the papers"] == [
        "Settings",
        "Results",
        "Which can be told apart",
        "While training",
        "Accuracy and what it costs",
        "Where the time went",
        "The rules of the budget",
        "To keep in mind",
        "To repeat it",
        "The article this project began from",
    ]


def test_every_picture_in_markdown_is_a_file(four: Path) -> None:
    targets = re.findall(r"\]\((figures/[^)]*)\)", (four / "report.md").read_text())
    assert len(targets) == 5
    assert all((four / target).is_file() for target in targets)


def test_html_shows_the_same_table_as_markdown(four: Path) -> None:
    cells = Seen((four / "report.html").read_text()).cells
    table = (four / "report.md").read_text().split("## Results")[1].split("\n\n")[1]
    for line in table.splitlines()[2:]:
        expected = [cell.strip() for cell in line.strip("|").split("|")]
        start = cells.index(expected[0], cells.index("memory (GiB)"))
        assert cells[start : start + len(expected)] == expected


def test_the_table_shows_the_numbers_of_the_json(four: Path) -> None:
    stored = json.loads((four / "results.json").read_text())["rows"]
    text = (four / "report.md").read_text()
    for row in stored:
        start = f"| {row['model']} | {100 * row['top1']:.1f} | {100 * row['top1_low']:.1f}"
        assert start in text


def test_html_is_one_file_that_loads_nothing_and_runs_only_its_own_script(four: Path) -> None:
    page = (four / "report.html").read_text()
    seen = Seen(page)
    assert {"link", "iframe", "img", "object"}.isdisjoint(seen.tags)
    policy = re.search(r"script-src '([^']*)'", page)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert [script_hash(script) for script in scripts] == [policy[1]]
    assert "default-src 'none'" in page
    linked = {value for name, value in seen.attributes if name in {"href", "src", "xlink:href"}}
    assert {link for link in linked if not link.startswith("#")} == {"results.csv", "results.json"}
    assert len(page) < 2_000_000


def test_hostile_names_add_no_element_to_html(hostile: Path) -> None:
    seen = Seen((hostile / "report.html").read_text())
    assert set(seen.tags) <= set(PAGE_TAGS)
    assert seen.tags.count("script") == 2  # the data and the one script
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert not [value for _, value in seen.attributes if value.startswith("javascript:")]


def test_hostile_names_are_read_in_html_as_they_are(hostile: Path) -> None:
    cells = Seen((hostile / "report.html").read_text()).cells
    assert {visible(payload) for payload in PAYLOADS} <= set(cells)


def test_hostile_names_add_no_markup_to_markdown(hostile: Path) -> None:
    text = (hostile / "report.md").read_text()
    parser = MarkdownIt("commonmark").enable("table")
    tokens = [inner for token in parser.parse(text) for inner in (token.children or [token])]
    assert not [token for token in tokens if token.type.startswith("html")]
    links = {token.attrs["href"] for token in tokens if token.type == "link_open"}
    assert links == {"results.csv", "results.json"}
    images = {token.attrs["src"] for token in tokens if token.type == "image"}
    assert all(str(source).startswith("figures/") for source in images)
    fences = [token for token in tokens if token.type == "fence"]
    assert len(fences) == 2
    assert len([token for token in tokens if token.type == "table_open"]) == 3


def test_hostile_names_keep_their_own_row_in_markdown(hostile: Path) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse((hostile / "report.md").read_text())
    inline = ["".join(c.content for c in t.children or []) for t in tokens if t.type == "inline"]
    assert {visible(payload).strip() for payload in PAYLOADS} <= set(inline)


def test_a_fence_is_longer_than_any_in_the_command(hostile: Path) -> None:
    assert "\n````console\n" in (hostile / "report.md").read_text()


def test_a_run_where_nothing_finished_has_a_report(tmp_path: Path) -> None:
    models = [FakeModel(name=name, status="planned") for name in ("alexnet", "vgg11")]
    text = write_report(build_run(tmp_path, FakeRun(models=models))).read_text()
    assert "None of 2 cells has finished" in text


def test_the_rules_of_the_budget_are_ten(four: Path) -> None:
    assert len(budget_rules()) == 10
    assert "\n10. " in (four / "report.md").read_text()


def test_the_page_about_budgets_prints_the_same_rules() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "budget.md"
    rules = page.read_text().splitlines()
    assert {f"{number}. {rule}" for number, rule in enumerate(budget_rules(), 1)} <= set(rules)


def test_drawing_a_report_does_not_import_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    build_run(tmp_path, FakeRun(models=(FakeModel(name="alexnet", status="failed"),)))
    code = (
        "import sys; from cnnbench.report.write import write_report; "
        "from cnnbench.store import RunFolder; write_report(RunFolder(sys.argv[1])); "
        "raise SystemExit('torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=False)
    assert done.returncode == 0


def test_ten_networks_with_three_seeds_make_a_page_under_two_megabytes(tmp_path: Path) -> None:
    models = [
        FakeModel(name=f"network{index}", correct=30 + 5 * index + seed, seed=seed)
        for index in range(10)
        for seed in range(3)
    ]
    written = write_report(build_run(tmp_path, FakeRun(models=models, evaluations=20)))
    assert written.with_suffix(".html").stat().st_size < 2_000_000


def test_numbers_link_to_the_row_that_they_come_from(four: Path) -> None:
    page = (four / "report.html").read_text()
    rows_there = set(re.findall(r'<tr id="(row-[^"]*)"', page))
    assert len(rows_there) == 4
    assert set(re.findall(r'href="#(row-[^"]*)"', page)) == rows_there


def test_each_class_has_its_share_of_right_answers(four: Path) -> None:
    run = RunFolder(four)
    counted = confusions(compare(run, read_rows(run)), classes=12)
    assert [each.label for each in counted] == ["resnet18", "googlenet", "alexnet", "vgg11"]
    assert [int(each.correct.sum()) for each in counted] == [103, 74, 70, 22]
    assert all(each.n_images.sum() == 128 for each in counted)
    label, prediction, count = counted[0].mixups()[0]
    assert counted[0].counts[label, prediction] == count > 0
    assert label != prediction


def test_a_section_may_be_in_markdown_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = Picture(name="extra", alt="An extra picture", svg="<svg/>", png=b"")

    def section(report: RunReport) -> Section:
        return Section(title="Markdown alone", blocks=[Paragraph("An extra text."), picture])

    monkeypatch.setattr(write, "MARKDOWN", (*write.MARKDOWN, section))
    written = write_report(build_run(tmp_path, FakeRun(models=FOUR.models[:1])))
    assert "## Markdown alone" in written.read_text()
    assert (written.parent / "figures" / "extra.svg").exists()
    assert "Markdown alone" not in written.with_suffix(".html").read_text()
