"""A report says how its run is repeated, and what repeating gives."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from synthetic import FOUR, FakeModel, FakeRun, build_run, tuned_to_the_lowest
from typer.testing import CliRunner

from cnnbench.cli import runs
from cnnbench.cli.options import app
from cnnbench.data.dataset import Dataset
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import Request, RunOptions
from cnnbench.planning.tuning import trial_plan, with_rates
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.repeat import (
    SAME_BITS,
    SAME_BUDGET,
    SAME_IMAGES,
    SAME_STEPS,
    command,
    exact_commands,
    images_table,
    what_it_gives,
)
from cnnbench.report.sections.settings import settings
from cnnbench.report.write import write_report
from cnnbench.schema.cell import Plan


def test_a_run_in_seconds_can_be_repeated_in_images(tmp_path: Path) -> None:
    argv = ("run", "--models=alexnet,vgg", "--dataset", "fruits", "--budget", "2m", "--out", "x")
    fake = FakeRun(models=FOUR.models[:1], argv=(*argv, "--fresh", "--lr", "0.1"))
    run = build_run(tmp_path, fake)
    assert command(run.plan()) == f"cnnbench {' '.join(fake.argv)}"
    assert exact_commands(run.plan(), read_rows(run)) == [
        "cnnbench run --dataset fruits --lr 0.1 --models alexnet --budget 9744img"
    ]


def test_a_run_in_images_needs_no_other_command(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, budget="3000img"))
    assert exact_commands(run.plan(), read_rows(run)) == []


@pytest.mark.parametrize(
    ("verb", "models"),
    [
        ("run", [FakeModel(name="alexnet", correct=60, budget=b) for b in ("15s", "1m")]),
        ("ablate", [FakeModel(name="alexnet", correct=60)]),
    ],
)
def test_rows_that_no_one_command_repeats_have_their_images_in_a_table(
    tmp_path: Path, verb: str, models: list[FakeModel]
) -> None:
    run = build_run(tmp_path, FakeRun(models=models, argv=(verb, "alexnet")))
    assert exact_commands(run.plan(), read_rows(run)) == []
    table = images_table(run.plan(), read_rows(run))
    assert table is not None
    assert len({line[0] for line in table.rows}) == len(models)


def test_a_row_of_which_no_images_are_known_has_none_to_repeat(tmp_path: Path) -> None:
    model = FakeModel(name="alexnet", correct=60)
    run = build_run(tmp_path, FakeRun(models=[model], argv=("ablate", "alexnet")))
    rows = [row.model_copy(update={"images_seen": None}) for row in read_rows(run)]
    assert images_table(run.plan(), rows) is None


def test_a_run_from_python_gets_a_command(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, argv=(), budget="5ep"))
    assert command(run.plan()) == (
        "cnnbench run --models alexnet,googlenet,vgg11,resnet18 --dataset fruits --budget 5ep "
        "--recipe common --lr 0.01 --batch-size 32 --image-size 224 --evaluations 10 "
        "--device cpu --precision fp32 --seeds 1"
    )


def test_a_deterministic_run_is_told_and_repeated_as_one(tmp_path: Path) -> None:
    plan = build_run(tmp_path, FakeRun(models=FOUR.models, argv=())).plan()
    cells = [cell.model_copy(update={"deterministic": True}) for cell in plan.cells]
    plan = plan.model_copy(update={"cells": tuple(cells)})
    assert ("device", "cpu, deterministic") in settings(plan, [])
    assert command(plan).endswith(" --deterministic")


@pytest.fixture
def photos(tmp_path: Path) -> str:
    for split, count in (("train", 10), ("val", 2), ("test", 2)):
        for value, label in enumerate(("apple", "pear")):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = np.full((40, 40, 3), 20 * index + value, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return str(tmp_path / "photos")


def plan_from_python(request: Request) -> tuple[Plan, Dataset]:
    return make_plan(request, device="cpu", precision="fp32", machine={}, argv=())


def typed(words: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Request, RunOptions]:
    """Read a command as the command line does, without training."""
    read: list[Any] = []
    monkeypatch.setattr(runs, "_train", lambda *given: read.extend(given))
    done = CliRunner().invoke(app, shlex.split(words)[1:])
    assert done.exit_code == 0, done.output
    return read[0], read[1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"memory": "8GiB"},
        {"memory": "4GiB", "batch_size": 64},
        {"recipe": "paper"},
        {"recipe": "paper", "batch_size": 32},
        {"lr": 0.02, "image_size": 128, "evaluations": 3},
        {"lr": [0.1, 0.01]},
        {"batch_size": [16, 24]},
        {"lr": [0.1, 0.01], "batch_size": [16, 24]},
        {"budget": ["45s", "100s"], "seeds": [5]},
        {"budget": "1234567img", "seeds": [2, 0]},
        {"budget": "1.23456789e15flop", "seeds": 2},
        {"skip_broken": 1},
        {"smoke": True},
    ],
)
def test_the_command_of_a_run_from_python_plans_the_same_cells(
    photos: str, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    plan, _ = plan_from_python(Request(models=["alexnet", "vgg"], dataset=photos, **changes))
    assert changes.get("memory") != "4GiB" or plan.cells[1].micro_batch
    request, _ = typed(command(plan), monkeypatch)
    assert (request.device, request.precision) == ("cpu", "fp32")
    assert plan_from_python(request)[0].digest == plan.digest


@pytest.mark.parametrize("changes", [{}, {"models": "alexnet"}, {"lr": 0.02}, {"recipe": "paper"}])
def test_the_command_of_a_tuned_run_from_python_makes_the_same_trials(
    photos: str, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    asked = replace(Request(models=["alexnet", "vgg"], dataset=photos, budget="1000img"), **changes)
    plan, dataset = plan_from_python(asked)
    trials, _ = trial_plan(plan, dataset, 4)
    rates: dict[str, list[float]] = {}
    for cell in trials.cells:
        rates.setdefault(cell.model, []).append(cell.recipe.lr)
    tuned = with_rates(plan, [tuned_to_the_lowest(model, *lrs) for model, lrs in rates.items()])
    request, options = typed(command(tuned), monkeypatch)
    assert options.tune == 4
    again, dataset = plan_from_python(request)
    assert trial_plan(again, dataset, options.tune)[0].digest == trials.digest
    assert with_rates(again, tuned.tuned).digest == tuned.digest


def test_a_tuned_run_is_repeated_at_the_rate_that_was_chosen(tmp_path: Path) -> None:
    argv = ("run", "--models", "alexnet", "--budget", "2m", "--tune", "2")
    run = build_run(tmp_path, FakeRun(models=FOUR.models[:1], argv=argv))
    plan = run.plan().model_copy(update={"tuned": (tuned_to_the_lowest("alexnet", 0.01, 0.1),)})
    assert exact_commands(plan, read_rows(run)) == [
        "cnnbench run --models alexnet --budget 9744img --lr 0.01"
    ]


@pytest.mark.parametrize("budget", ["3000img", "2ep", "1e12flop"])
def test_a_counted_budget_promises_the_same_bits(tmp_path: Path, budget: str) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, budget=budget))
    text = write_report(run).read_text().replace("`", "")
    assert SAME_BITS in text
    assert SAME_IMAGES not in text


@pytest.mark.parametrize(
    ("device", "deterministic", "text"),
    [("cpu", False, SAME_BITS), ("cuda", True, SAME_BITS), ("cuda", False, SAME_STEPS)],
)
def test_a_gpu_promises_the_same_bits_only_where_it_was_told_to(
    tmp_path: Path, device: str, deterministic: bool, text: str
) -> None:
    plan = build_run(tmp_path, FakeRun(models=FOUR.models[:1], budget="2ep")).plan()
    changes = {"device": device, "deterministic": deterministic}
    cells = tuple(cell.model_copy(update=changes) for cell in plan.cells)
    assert what_it_gives(plan.model_copy(update={"cells": cells})) == text


def test_a_budget_on_a_meter_promises_the_same_images_and_no_same_weights(tmp_path: Path) -> None:
    text = write_report(build_run(tmp_path, FOUR)).read_text().replace("`", "")
    assert SAME_BITS not in text
    assert SAME_BUDGET in text
    assert SAME_IMAGES in text
    assert "same result" not in text


def test_the_page_about_budgets_says_of_repeating_what_a_report_says() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "budget.md"
    words = " ".join(page.read_text().replace("\n> ", "\n").split())
    assert all(text in words for text in (SAME_BITS, SAME_STEPS, SAME_BUDGET, SAME_IMAGES))


def test_joules_are_repeated_in_images_as_seconds_are(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models[:2], budget="500J"))
    rows = read_rows(run)
    assert [words.split()[-1] for words in exact_commands(run.plan(), rows)] == [
        f"{row.images_seen}img" for row in rows
    ]


def test_each_network_that_finished_is_repeated_with_its_own_images_and_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [
        FakeModel(name="alexnet", correct=60, images_per_second=81.2),
        FakeModel(name="vgg11", status="oom", reason="no room"),
        FakeModel(name="resnet18", correct=60, lr=0.02, images_per_second=24.7),
    ]
    argv = ("run", "--models", "alexnet", "--models=vgg,resnet", "--tune", "2", "--out=x")
    run = build_run(tmp_path, FakeRun(models=models, argv=(*argv, "--budget", "2m")))
    tuned = [tuned_to_the_lowest(cell.model, cell.recipe.lr, 0.1) for cell in run.plan().cells]
    plan = run.plan().model_copy(update={"tuned": tuple(tuned)})
    asked = [typed(words, monkeypatch)[0] for words in exact_commands(plan, read_rows(run))]
    assert [(a.models, a.budget, a.lr) for a in asked] == [
        (["alexnet"], "9744img", 0.01),
        (["resnet18"], "2964img", 0.02),
    ]


def test_a_configuration_is_not_asked_again_for_what_it_said(tmp_path: Path) -> None:
    argv = ("run", "--config", "run.toml")  # which may name a folder, trials and a budget
    run = build_run(tmp_path, FakeRun(models=FOUR.models[:1], argv=argv))
    (words,) = exact_commands(run.plan(), read_rows(run))
    assert "--config" not in words
    assert words.startswith("cnnbench run --dataset fruits --recipe common --lr 0.01 --batch-size ")
    assert words.endswith("--seeds 1 --models alexnet --budget 9744img")
