"""Settings, warnings and the way to repeat a run are said completely and in words."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from synthetic import FOUR, FakeModel, FakeRun, build_run
from typer.testing import CliRunner

from cnnbench.cli import runs
from cnnbench.cli.options import app
from cnnbench.data.dataset import Dataset
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import Request, RunOptions
from cnnbench.planning.tuning import trial_plan, with_rates
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.departures import departures
from cnnbench.report.sections.notices import notices, run_notices
from cnnbench.report.sections.settings import (
    SAME_BITS,
    SAME_BUDGET,
    SAME_IMAGES,
    command,
    exact_commands,
    images_table,
    settings,
    title,
)
from cnnbench.report.write import write_report
from cnnbench.schema.budget import Budget
from cnnbench.schema.cell import Plan, Tuned
from cnnbench.schema.result import Row


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
    return make_plan(request, device="cpu", precision="fp32", machine="a machine", argv=())


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


def tuned_to_the_lowest(model: str, *rates: float) -> Tuned:
    return Tuned(
        model=model,
        rates=rates,
        top1=(0.25,) + (None,) * (len(rates) - 1),
        images=200,
        chosen=rates[0],
        charged_seconds=24.0,
        budget=Budget.parse("12s"),
    )


def test_a_tuned_run_is_repeated_at_the_rate_that_was_chosen(tmp_path: Path) -> None:
    argv = ("run", "--models", "alexnet", "--budget", "2m", "--tune", "2")
    run = build_run(tmp_path, FakeRun(models=FOUR.models[:1], argv=argv))
    plan = run.plan().model_copy(update={"tuned": (tuned_to_the_lowest("alexnet", 0.01, 0.1),)})
    assert exact_commands(plan, read_rows(run)) == [
        "cnnbench run --models alexnet --budget 9744img --lr 0.01"
    ]


def test_a_setting_that_differs_is_said_for_each_network(tmp_path: Path) -> None:
    models = [
        FakeModel(name="alexnet", correct=60),
        FakeModel(name="resnet18", correct=60, lr=0.02),
    ]
    run = build_run(tmp_path, FakeRun(models=models))
    values = dict(settings(run.plan(), read_rows(run)))
    assert values["learning rate"] == "0.01 (alexnet); 0.02 (resnet18)"
    assert values["image size"] == "224 pixels"


def test_the_title_names_dataset_networks_and_budget(tmp_path: Path) -> None:
    assert title(build_run(tmp_path, FOUR).plan()) == "drawn fruit: 4 networks, 2m each"


def test_what_a_reader_must_know_is_said(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, notices=("val has no images of: fig",)))
    sentences = notices(run.plan(), read_rows(run))
    assert sentences[0] == "Val has no images of: fig."
    assert sentences[1] == "The images are drawn by a program; they are not photos."
    assert sentences[2].startswith("The dataset has no third split")
    assert sentences[3].startswith("The budget ended before the first epoch for vgg11")


def test_a_split_of_its_own_for_the_curve_needs_no_notice(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models[:1], curve_split="val", drawn=False))
    assert notices(run.plan(), read_rows(run)) == []


def test_waiting_for_data_marks_a_run_as_loader_bound(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    row = read_rows(run)[0]
    slow = row.model_copy(
        update={"seconds": row.seconds.model_copy(update={"data_wait": 0.2 * row.seconds.train})}
    )
    assert any(text.startswith("Loader-bound: alexnet") for text in notices(run.plan(), [slow]))


def test_different_machines_are_said(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    first, *others = read_rows(run)
    moved = [first.model_copy(update={"machine": "another"}), *others]
    assert any("different machines" in text for text in notices(run.plan(), moved))


def with_origin(row: Row, **changes: Any) -> Row:
    versions = {**(row.versions or {}), **changes.pop("versions", {})}
    return row.model_copy(update={"versions": versions, **changes})


def test_rows_of_mixed_origin_are_said_with_what_differs(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    first, *others = read_rows(run)
    assert not any("origin" in text for text in notices(run.plan(), [first, *others]))
    moved = [with_origin(first, versions={"torch": "99.0"}, threads=8), *others]
    text = next(text for text in notices(run.plan(), moved) if "mixed origin" in text)
    assert "torch 99.0 (alexnet) and 3.0.0 (googlenet, vgg11 and resnet18)" in text
    assert "threads 8 (alexnet) and 2 (googlenet, vgg11 and resnet18)" in text
    assert "numpy" not in text
    values = dict(settings(run.plan(), moved))
    assert "torch 99.0 (alexnet) and 3.0.0" in values["versions"]


def test_rows_beside_those_of_an_older_version_are_of_mixed_origin(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    first, *others = read_rows(run)
    old = first.model_copy(update={"versions": None, "threads": None})
    text = " ".join(notices(run.plan(), [old, *others]))
    assert "torch not recorded (alexnet) and 3.0.0" in text
    assert not any("origin" in text for text in notices(run.plan(), [old, old]))


def test_a_continued_cell_says_what_changed_on_the_way(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    first, *others = read_rows(run)
    (began,) = first.origins
    moved = with_origin(first, versions={"torch": "99.0"}, earlier_origins=(began,))
    sentences = notices(run.plan(), [moved, *others])
    assert any(
        text.startswith("alexnet was continued with torch 3.0.0, then 99.0: ") for text in sentences
    )
    assert any("torch 3.0.0 (alexnet, googlenet" in text for text in sentences)


def test_what_the_plan_saw_is_no_version_of_a_row(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, versions=None))
    values = dict(settings(run.plan(), read_rows(run)))
    assert values["versions"] == "cnnbench 0.1.0"
    assert "threads" not in values


@pytest.mark.parametrize("budget", ["3000img", "2ep", "1e12flop"])
def test_a_counted_budget_promises_the_same_bits(tmp_path: Path, budget: str) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, budget=budget))
    text = write_report(run).read_text().replace("`", "")
    assert SAME_BITS in text
    assert SAME_IMAGES not in text


def test_a_budget_on_a_meter_promises_the_same_images_and_no_same_weights(tmp_path: Path) -> None:
    text = write_report(build_run(tmp_path, FOUR)).read_text().replace("`", "")
    assert SAME_BITS not in text
    assert SAME_BUDGET in text
    assert SAME_IMAGES in text
    assert "same result" not in text


def test_the_page_about_budgets_says_of_repeating_what_a_report_says() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "budget.md"
    words = " ".join(page.read_text().replace("\n> ", "\n").split())
    assert all(text in words for text in (SAME_BITS, SAME_BUDGET, SAME_IMAGES))


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


def test_departures_come_from_the_zoo_and_unknown_names_do_not_break_them(tmp_path: Path) -> None:
    models = [FakeModel(name=name, correct=60) for name in ("no-such-net", "timm:resnet50")]
    plan = build_run(tmp_path, FakeRun(models=models)).plan()
    assert departures(plan) == [
        ("timm:resnet50", "built by another library, not checked against its paper")
    ]


def test_another_image_size_than_the_papers_is_a_departure(tmp_path: Path) -> None:
    plan = build_run(tmp_path, FakeRun(models=[FakeModel(name="lenet5", correct=60)])).plan()
    assert "Fed images of 224 pixels instead of 32" in departures(plan)[0][1]


def test_sizes_that_differ_and_losses_of_another_scale_are_said(tmp_path: Path) -> None:
    models = [FakeModel(name=name, correct=60) for name in ("lenet5", "resnet18")]
    run = build_run(tmp_path, FakeRun(models=models))
    text = " ".join(run_notices(run.plan(), read_rows(run)))
    assert "losses of lenet5 are on another scale" in text
    assert "different sizes" not in text
    cells = [cell.model_copy(update={"image_size": 32}) for cell in run.plan().cells[:1]]
    mixed = run.plan().model_copy(update={"cells": (*cells, *run.plan().cells[1:])})
    assert "lenet5 32 and resnet18 224" in " ".join(run_notices(mixed, read_rows(run)))


def test_a_machine_that_changed_its_speed_is_said(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    table = read_rows(run)
    steady = [row.model_copy(update={"canary_gflops": (331.0, 353.0)}) for row in table]
    assert not any("not steady" in notice for notice in notices(run.plan(), steady))
    slowed = [*steady[:-1], table[-1].model_copy(update={"canary_gflops": (331.0, 166.0)})]
    sentence = next(notice for notice in notices(run.plan(), slowed) if "not steady" in notice)
    assert "166 to 353 GFLOP/s" in sentence
    assert table[-1].model in sentence


def test_tuning_says_what_was_tried_what_was_chosen_and_what_it_cost(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    tuned = tuned_to_the_lowest("alexnet", 0.01, 0.001)
    plan = run.plan().model_copy(update={"tuned": (tuned,)})
    sentence = next(notice for notice in notices(plan, read_rows(run)) if "learns at" in notice)
    assert "0.01 (25.0 %), 0.001 (failed)" in sentence
    assert "24.0 s" in sentence


def test_accumulated_batches_and_too_much_memory_are_said(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    plan = run.plan()
    cells = [
        cell.model_copy(update={"memory_bytes": 2**30, "micro_batch": 8}) for cell in plan.cells
    ]
    table = [
        row.model_copy(update={"cell": cell.id, "peak_memory_bytes": 2**31})
        for row, cell in zip(read_rows(run), cells, strict=True)
    ]
    text = " ".join(notices(plan.model_copy(update={"cells": tuple(cells)}), table))
    assert "accumulates each batch of 32 images from passes of at most 8" in text
    assert "More memory than allowed was used by alexnet" in text
