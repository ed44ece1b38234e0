"""Settings and warnings are said completely and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthetic import FOUR, FakeModel, FakeRun, build_run, tuned_to_the_lowest

from cnnbench.planning.foresight import devices_note
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.departures import departures
from cnnbench.report.sections.notices import notices, run_notices
from cnnbench.report.sections.repeat import command
from cnnbench.report.sections.settings import settings, title
from cnnbench.report.write import write_report
from cnnbench.schema.budget import Currency
from cnnbench.schema.result import Row, RunSeconds


def test_a_setting_that_differs_is_said_for_each_network(tmp_path: Path) -> None:
    models = [
        FakeModel(name="alexnet", correct=60),
        FakeModel(name="resnet18", correct=60, lr=0.02),
    ]
    run = build_run(tmp_path, FakeRun(models=models))
    values = dict(settings(run.plan(), read_rows(run)))
    assert values["learning rate"] == "0.01 (alexnet); 0.02 (resnet18)"
    assert values["image size"] == "224 pixels"


def test_several_devices_are_said_in_the_settings_the_foresight_and_the_command(
    tmp_path: Path,
) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models[:1], argv=()))
    plan, rows = run.plan(), read_rows(run)
    assert dict(settings(plan, rows))["device"] == "cpu"
    assert "--devices" not in command(plan)
    assert not devices_note(plan)
    changes = {"devices": 8, "batchnorm_over": "all", "device": "cuda"}
    cells = tuple(cell.model_copy(update=changes) for cell in plan.cells)
    shared = plan.model_copy(update={"cells": cells})
    words = dict(settings(shared, rows))["device"]
    assert words.startswith("cuda, 8 devices share out each batch")
    assert words.endswith("over all its images")
    assert "--devices 8 --batchnorm-over all" in command(shared)
    assert "for one device; here 8 train" in devices_note(shared)


def test_the_title_names_dataset_networks_and_budget(tmp_path: Path) -> None:
    assert title(build_run(tmp_path, FOUR).plan()) == "drawn fruit: 4 networks, 2m each"


def test_what_a_reader_must_know_is_said(tmp_path: Path) -> None:
    fake = FakeRun(models=FOUR.models, notices=("val has no images of: fig",), train_images=1178)
    run = build_run(tmp_path, fake)
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
    (text,) = (text for text in notices(run.plan(), moved) if "mixed origin" in text)
    assert "ran on another (alexnet); ran on Example CPU, 2 cores (" in text
    assert "different machines" in text
    budget = first.budget.model_copy(update={"currency": Currency.IMAGES})
    counted = [row.model_copy(update={"budget": budget}) for row in moved]
    assert not any("different machines" in text for text in notices(run.plan(), counted))


def with_origin(row: Row, **changes: Any) -> Row:
    versions = {**(row.versions or {}), **changes.pop("versions", {})}
    return row.model_copy(update={"versions": versions, **changes})


def test_rows_of_mixed_origin_are_said_with_what_differs(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    first, *others = read_rows(run)
    assert not any("origin" in text for text in notices(run.plan(), [first, *others]))
    moved = [with_origin(first, versions={"torch": "99.0"}, threads=8), *others]
    text = next(text for text in notices(run.plan(), moved) if "mixed origin" in text)
    others_words = "torch 3.0.0, threads 2 (googlenet, vgg11 and resnet18)"
    assert f"origin: torch 99.0, threads 8 (alexnet); {others_words}. " in text
    values = dict(settings(run.plan(), moved))
    assert "torch 99.0 and 3.0.0, torchvision 4.0.0" in values["versions"]


def test_rows_beside_those_of_an_older_version_are_of_mixed_origin(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    first, *others = read_rows(run)
    old = first.model_copy(update={"versions": None, "threads": None})
    text = " ".join(notices(run.plan(), [old, *others]))
    assert "mixed origin: versions not recorded (alexnet); the rest (googlenet" in text
    assert not any("origin" in text for text in notices(run.plan(), [old, old]))


def test_a_continued_cell_says_what_changed_on_the_way(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    first, *others = read_rows(run)
    (began,) = first.origins
    moved = with_origin(first, versions={"torch": "99.0"}, earlier_origins=(began,))
    (text,) = (text for text in notices(run.plan(), [moved, *others]) if "origin" in text)
    assert "torch 3.0.0 (alexnet, googlenet, vgg11 and resnet18); torch 99.0 (alexnet). " in text
    assert "Begun with one and continued with another: alexnet; the bits may" in text


def test_rows_of_one_origin_are_named_once_with_their_seeds(tmp_path: Path) -> None:
    models = [FakeModel(name=name, seed=seed) for name in ("alexnet", "vgg11") for seed in range(3)]
    run = build_run(tmp_path, FakeRun(models=models))
    first, *others = read_rows(run)
    changes: dict[str, Any] = {"torch": "99.0", "timm": "98.0"}
    text = " ".join(notices(run.plan(), [with_origin(first, versions=changes), *others]))
    rest = "torch 3.0.0, timm 5.0.0 (alexnet seeds 1 and 2 and vgg11)"
    assert f"torch 99.0, timm 98.0 (alexnet seed 0); {rest}. " in text


def test_what_the_plan_saw_is_no_version_of_a_row(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models, versions=None))
    values = dict(settings(run.plan(), read_rows(run)))
    assert values["versions"] == "cnnbench 0.1.0"
    assert "threads" not in values


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


def test_a_curve_on_a_sample_is_said_once_with_its_size(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    plan, rows = run.plan(), read_rows(run)

    def sampled(*sizes: int | None) -> list[str]:
        cells = zip(plan.cells, sizes, strict=False)
        some = tuple(cell.model_copy(update={"curve_images": size}) for cell, size in cells)
        changed = plan.model_copy(update={"cells": some})
        return [text for text in notices(changed, rows) if "sample" in text]

    (said,) = sampled(40, 40)
    assert "of a sample of 40 of the 128 images of the test split" in said
    assert "only the last is of all" in said
    assert sampled(None, 128, 200) == []  # the whole split, however it was asked for


def test_seconds_that_belong_to_no_cell_are_in_the_clock_audit(tmp_path: Path) -> None:
    run = build_run(tmp_path, FOUR)
    assert "belongs to no cell" not in write_report(run).read_text()
    run.write_seconds(RunSeconds(commands=2, preparing=3.2, images=40.0, pages=1.25, total=700.0))
    said = next(line for line in write_report(run).read_text().splitlines() if "no cell" in line)
    assert "3.2 s to plan" in said
    assert "40.0 s to draw the images" in said
    assert "1.2 s to draw pages" in said
    assert "700.0 s over 2 commands" in said
