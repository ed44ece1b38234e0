"""A report says how the image size was chosen, and what was foreseen beside what came of it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.foresight import foreseen_table, foresight_blocks, size_table
from cnnbench.report.sections.repeat import command, environment, exact_commands, what_it_gives
from cnnbench.report.sections.settings import settings
from cnnbench.report.text.wording import NOTHING
from cnnbench.report.write import write_report
from cnnbench.schema.foresight import Feed, SizeChoice
from cnnbench.store import RunFolder

TRIED = tuple(
    Feed(model="vgg11", image_size=size, batch_size=32, images_per_second=rate, epochs=epochs)
    for size, rate, epochs in ((64, 95.0, 57.0), (112, 31.0, 18.6), (224, 6.3, 3.8))
)
CHOICE = SizeChoice(chosen=112, why="the largest of 64 to 224 at which all get 10", tried=TRIED)


def feed(model: str, epochs: float, *, batch_size: int = 32) -> Feed:
    return Feed(
        model=model,
        image_size=224,
        batch_size=batch_size,
        images_per_second=epochs * 200 / 120,
        epochs=epochs,
    )


@pytest.fixture
def chosen(tmp_path: Path) -> RunFolder:
    feeds = (feed("alexnet", 50.0), feed("vgg11", 4.2))
    return build_run(tmp_path, replace(FOUR, feeds=feeds, size_choice=CHOICE))


def test_the_choice_of_the_size_is_told_with_what_else_was_looked_at(chosen: RunFolder) -> None:
    assert size_table(CHOICE).rows == (
        ("224", "vgg11", "6.30", "3.8"),
        ("112 (chosen)", "vgg11", "31.0", "18.6"),
        ("64", "vgg11", "95.0", "57.0"),
    )
    text = write_report(chosen).read_text("utf-8")
    sentence = "The image size, 112 pixels, was chosen: the largest of 64 to 224 at which all get"
    assert sentence in text
    assert "| 112 (chosen) | vgg11 | 31.0 | 18.6 |" in text
    assert "chosen for this budget" in dict(settings(chosen.plan(), []))["image size"]


def test_what_was_foreseen_stands_beside_what_was_seen(chosen: RunFolder) -> None:
    table = foreseen_table(chosen.plan(), read_rows(chosen))
    assert table.header == (
        "model",
        "images/s foreseen",
        "images/s",
        "epochs foreseen",
        "epochs",
    )
    assert table.rows == (
        ("alexnet", "83.3", "81.2", "50.0", "48.7"),
        ("vgg11", "7.00", "9.40", "4.2", "5.6"),
    )


def test_a_network_that_did_not_finish_was_foreseen_and_not_seen(tmp_path: Path) -> None:
    models = (FakeModel(name="a", correct=60), FakeModel(name="b", status="oom", reason="x"))
    run = build_run(tmp_path, FakeRun(models=models, feeds=(feed("a", 20.0), feed("b", 3.0))))
    assert foreseen_table(run.plan(), read_rows(run)).rows[1][-2:] == ("3.0", NOTHING)


def test_batch_sizes_are_told_apart_and_seeds_averaged(tmp_path: Path) -> None:
    models = [
        FakeModel(name="a", correct=60, seed=seed, batch_size=size, images_per_second=rate)
        for size, rates in ((16, (20.0, 30.0)), (32, (50.0, 50.0)))
        for seed, rate in enumerate(rates)
    ]
    feeds = (feed("a", 14.0, batch_size=16), feed("a", 31.0))
    run = build_run(tmp_path, FakeRun(models=models, feeds=feeds))
    rows = foreseen_table(run.plan(), read_rows(run)).rows
    assert rows == (
        ("a", "16", "23.3", "25.0", "14.0", "15.0"),
        ("a", "32", "51.7", "50.0", "31.0", "30.0"),
    )


def test_on_a_ladder_the_smallest_budget_was_foreseen(tmp_path: Path) -> None:
    models = [
        FakeModel(name=name, correct=60, budget=budget, images_per_second=40.0)
        for name in ("a", "b")
        for budget in ("1m", "2m")
    ]
    fake = FakeRun(models=models, feeds=(feed("a", 11.0), feed("b", 13.0)))
    run = build_run(tmp_path, fake)
    assert [row[-1] for row in foreseen_table(run.plan(), read_rows(run)).rows] == ["12.0", "12.0"]
    assert "What 1m was foreseen to buy" in write_report(run).read_text("utf-8")


def test_a_plan_that_foresaw_nothing_says_nothing_of_it(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    assert foresight_blocks(run.plan(), read_rows(run)) == []


def test_commands_that_repeat_a_row_keep_the_size_that_was_chosen(chosen: RunFolder) -> None:
    plan, rows = chosen.plan(), read_rows(chosen)
    assert "chooses the image size anew" in what_it_gives(plan)
    for line in exact_commands(plan, rows):
        words = shlex.split(line)
        assert words[words.index("--image-size") + 1] == "224"
    from_python = plan.model_copy(update={"argv": ()})
    assert "--image-size auto" in command(from_python)


def test_why_a_precision_was_chosen_stands_beside_it(tmp_path: Path) -> None:
    machine = {"line": "Example CPU", "threads": 2, "precision_why": "Example CPU has no bf16"}
    plan = build_run(tmp_path, FakeRun(models=FOUR.models, machine=machine)).plan()
    values = dict(settings(plan, []))
    assert values["precision"] == "fp32 (Example CPU has no bf16)"
    assert values["threads"] == "2"
    assert environment(plan) == []
