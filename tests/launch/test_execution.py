"""Reports on the way come between cells, never beside one, and stop nothing."""

import time

import pytest

from cnnbench.launch import execute as execution
from cnnbench.launch.attempt import CellUpdate
from cnnbench.report import write as pages
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Cell
from cnnbench.schema.recipes import make_recipe
from cnnbench.schema.result import planned

CELL = Cell(
    model="lenet5-relu",
    dataset="photos",
    dataset_fingerprint="0" * 64,
    recipe=make_recipe("common", family="lenet"),
    budget=Budget.parse("10img"),
    seed=0,
    image_size=32,
    precision="fp32",
    device="cpu",
    evaluations=1,
)


def update(status):
    return CellUpdate(cell=CELL, result=planned(CELL).model_copy(update={"status": status}))


@pytest.fixture
def drawn(monkeypatch):
    found = []
    monkeypatch.setattr(pages, "write_report", found.append)
    monkeypatch.setattr(execution, "PARTIAL_REPORT_SECONDS", 0.0)
    return found


def test_a_report_is_drawn_after_a_cell_and_not_again_while_one_runs(drawn):
    reports = execution._Reports("the run")
    for status in ("running", "running", "done"):
        reports.follow(update(status), last=False)
    assert len(drawn) == 2  # the planned one at the start, and one after the cell
    reports.follow(update("running"), last=False)
    assert len(drawn) == 2


def test_a_report_that_takes_long_is_not_soon_drawn_again(monkeypatch, drawn):
    def draw(run):
        drawn.append(run)
        time.sleep(0.1)

    monkeypatch.setattr(pages, "write_report", draw)
    reports = execution._Reports("the run")
    for status in ("running", "done", "running", "done"):
        reports.follow(update(status), last=False)
    assert len(drawn) == 2  # the planned one at the start, and one after the first cell


def test_the_last_cell_leaves_its_report_to_the_end(drawn):
    reports = execution._Reports("the run")
    for status in ("running", "done"):
        reports.follow(update(status), last=True)
    reports.draw()
    assert len(drawn) == 2


def test_a_report_that_cannot_be_drawn_on_the_way_is_told_at_the_end(monkeypatch, drawn):
    def fail(run):
        raise ValueError("no font")

    monkeypatch.setattr(pages, "write_report", fail)
    reports = execution._Reports("the run")
    for status in ("running", "done"):
        reports.follow(update(status), last=False)
    with pytest.raises(ValueError, match="no font"):
        reports.draw()
