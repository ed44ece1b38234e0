"""The same numbers in every format, and the whole Markdown page as a reader gets it."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report.write import write_report

GOLDEN = Path(__file__).parent / "golden"
WRITE = "CNNBENCH_WRITE_GOLDEN"
Row = dict[str, Any]
Grid = list[list[str]]

SEEDS_AND_A_FAILURE = FakeRun(
    models=[
        *(FakeModel(name="alexnet", correct=90 + seed, seed=seed) for seed in range(3)),
        *(FakeModel(name="vgg11", correct=60 + 3 * seed, seed=seed) for seed in range(2)),
        FakeModel(name="vgg11", seed=2, status="oom", reason="out of memory; try --batch-size 8"),
    ]
)

# What each column shows, from the keys of results.json.
RESULTS: dict[str, Callable[[Row], list[float]]] = {
    "top-1 %": lambda row: [100 * row["top1"]],
    "95 % interval": lambda row: [100 * row["top1_low"], 100 * row["top1_high"]],
    "right": lambda row: [row["correct"], row["test_images"]],
    "top-5 %": lambda row: [100 * row["top5"]],
    "test loss": lambda row: [row["test_loss"]],
    "train loss (eval)": lambda row: [row["train_eval_loss"]],
    "train top-1 % (eval)": lambda row: [100 * row["train_eval_top1"]],
    "params (M)": lambda row: [row["params"] / 1e6],
    "MACs (G)": lambda row: [row["macs"] / 1e9],
    "epochs": lambda row: [row["epochs"]],
    "images/s": lambda row: [row["images_per_second"]],
    "memory (GiB)": lambda row: [row["peak_memory_bytes"] / 2**30],
}
CLOCK: dict[str, Callable[[Row], list[float]]] = {
    "budget": lambda row: [row["budget"]["limit"]],
    "used": lambda row: [row["budget"]["used"]],
    "off by": lambda row: [100 * (row["budget"]["used"] / row["budget"]["limit"] - 1)],
    "train": lambda row: [row["seconds"]["train"]],
    "data wait": lambda row: [row["seconds"]["data_wait"]],
    "eval": lambda row: [row["seconds"]["eval"]],
    "total": lambda row: [row["seconds"]["total"]],
}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(build_run(tmp_path_factory.mktemp("four"), FOUR)).parent


@pytest.fixture(scope="module")
def stored(four: Path) -> dict[str, Row]:
    rows = json.loads((four / "results.json").read_text())["rows"]
    return {row["model"]: row for row in rows}


@pytest.mark.parametrize("name", ["four", "seeds-and-a-failure"])
def test_the_markdown_page_is_as_it_was(name: str, tmp_path: Path, four: Path) -> None:
    """To accept a new page: run with the variable CNNBENCH_WRITE_GOLDEN set, and read the diff."""
    failed = name != "four"
    report = (
        write_report(build_run(tmp_path, SEEDS_AND_A_FAILURE)) if failed else four / "report.md"
    )
    page, golden = report.read_text(), GOLDEN / f"{name}.md"
    if os.environ.get(WRITE):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(page)
    assert page == golden.read_text()


@pytest.mark.parametrize("file", ["report.md", "report.html", "results.tex"])
def test_every_number_of_the_table_is_the_one_in_the_json(
    four: Path, stored: dict[str, Row], file: str
) -> None:
    grid = next(grid for grid in grids(four / file) if "top-1 %" in grid[0])
    assert_shows(grid, stored, RESULTS)


@pytest.mark.parametrize("file", ["report.md", "report.html"])
def test_every_second_of_the_clock_audit_is_the_one_in_the_json(
    four: Path, stored: dict[str, Row], file: str
) -> None:
    grid = next(grid for grid in grids(four / file) if "off by" in grid[0])
    assert_shows(grid, stored, CLOCK)


def test_the_csv_has_the_jsons_numbers_to_the_last_digit(
    four: Path, stored: dict[str, Row]
) -> None:
    with (four / "results.csv").open(newline="") as file:
        for line in csv.DictReader(file):
            row = stored[line["model"]]
            flat = {key: value for key, value in row.items() if not isinstance(value, dict)}
            for outer in ("budget", "seconds"):
                flat |= {f"{outer}_{key}": value for key, value in row[outer].items()}
            numbers = {key: value for key, value in flat.items() if type(value) in (int, float)}
            assert {key: float(line[key]) for key in numbers} == numbers


def assert_shows(
    grid: Grid, stored: dict[str, Row], columns: dict[str, Callable[[Row], list[float]]]
) -> None:
    header, *lines = grid
    assert {line[0] for line in lines} == set(stored)
    for line in lines:
        row = stored[line[0]]
        for title, of in columns.items():
            shown = line[header.index(title)]
            values = numbers(shown)
            assert len(values) == len(of(row)), (line[0], title, shown)
            for (value, unit), wanted in zip(values, of(row), strict=True):
                assert abs(value - wanted) <= 0.5001 * unit, (line[0], title, shown, wanted)


def numbers(text: str) -> list[tuple[float, float]]:
    """Read the numbers of a cell, each with the unit of its last digit."""
    values = []
    for number in re.findall(r"[\u2212+]?\d[\d,]*(?:\.\d+)?", text):
        plain = number.replace("\u2212", "-").replace(",", "")
        values.append((float(plain), 10.0 ** -len(plain.partition(".")[2])))
    return values


def grids(path: Path) -> Iterator[Grid]:
    """Return every table of a file as plain text, header first."""
    text = path.read_text()
    if path.suffix == ".html":
        reader = TableReader()
        reader.feed(text)
        yield from reader.tables
    elif path.suffix == ".tex":
        lines = [line for line in text.splitlines() if line.endswith(r"\\")]
        yield [[plain_latex(cell) for cell in line[:-2].split(" & ")] for line in lines]
    else:
        for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
            lines = [line.strip("| ").split(" | ") for line in block.splitlines()]
            yield [
                [cell.replace("\\", "") for cell in line] for line in lines if ":-" not in line[0]
            ]


def plain_latex(cell: str) -> str:
    for mark, char in ((r"\textminus{}", "\u2212"), ("--", "\u2013"), ("{-}", "-"), ("\\", "")):
        cell = cell.replace(mark, char)
    return cell.strip()


class TableReader(HTMLParser):
    """Collects the text of every cell of every table."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Grid] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._cell is not None:
            self.tables[-1][-1].append("".join(self._cell).strip())
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
