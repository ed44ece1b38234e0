"""What a person sees while a run goes on, in a wide and in a narrow terminal and in a pipe."""

import io
import re

import pytest
from rich.console import Console

from cnnbench.cli.show.progress import Progress
from cnnbench.launch.attempt import CellUpdate
from cnnbench.schema.budget import Budget, Spent
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.events import Evaluated, Stepped
from cnnbench.schema.recipes import Recipe
from cnnbench.schema.result import planned

ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
LOSS_OF_THE_LAST_SECOND, LOSS_SINCE_THE_EVALUATION = 9.876, 1.234


def plan_of(*models: str, seeds: int = 1) -> Plan:
    recipe = Recipe(
        name="common",
        lr=0.01,
        batch_size=16,
        momentum=0.9,
        weight_decay=0.0,
        warmup=0.05,
        schedule="linear",
        init="common",
        scaling="standardise",
        augment="crop-flip",
    )
    cells = tuple(
        Cell(
            model=model,
            dataset="d",
            dataset_fingerprint="0",
            recipe=recipe,
            budget=Budget.parse("2m"),
            seed=seed,
            image_size=64,
            precision="fp32",
            device="cpu",
            evaluations=10,
        )
        for model in models
        for seed in range(seeds)
    )
    facts = DatasetFacts(
        name="d",
        title="d",
        drawn=False,
        classes=("a", "b"),
        images={"train": 10, "test": 10},
        curve_split="test",
        headline_split="test",
        fingerprint="0",
    )
    return Plan(cnnbench="1", argv=(), dataset=facts, cells=cells, machine={})


def shown(plan: Plan, *, width: int, evaluated: bool = True) -> str:
    """Return what the terminal shows at last, with every cell half way."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=50, force_terminal=width > 0)
    spent = Spent(seconds=60.0, epochs=4.0, images=4000, flops=0.0, steps=250)
    with Progress(console) as progress:
        progress.start(plan, 0)
        for cell in plan.cells:
            update = CellUpdate(
                cell=cell,
                result=planned(cell).model_copy(update={"status": "running"}),
                stepped=Stepped(
                    spent=spent,
                    progress=0.5,
                    lr=0.005,
                    train_loss=LOSS_OF_THE_LAST_SECOND,
                    images=64,
                    images_per_second=66.6667,
                ),
                evaluated=Evaluated(
                    spent=spent,
                    progress=0.5,
                    split="test",
                    headline=False,
                    loss=1.0,
                    top1=0.695,
                    top5=1.0,
                    correct=695,
                    images=1000,
                    train_loss=LOSS_SINCE_THE_EVALUATION,
                )
                if evaluated
                else None,
            )
            progress.update(update)
    return ANSI.sub("", out.getvalue())


def test_a_wide_terminal_shows_everything() -> None:
    text = shown(plan_of("alexnet", "resnet18", seeds=2), width=140)
    for word in ("seed", "budget", "running train loss", "1.234", "69.5", "66.7", "1 min 00 s"):
        assert word in text


@pytest.mark.parametrize("width", [80, 60, 45])
@pytest.mark.parametrize("models", [("alexnet", "vgg11", "resnet18"), ("timm:resnet50.a1_in1k",)])
def test_a_narrow_terminal_never_loses_the_accuracy(width: int, models: tuple[str, ...]) -> None:
    text = shown(plan_of(*models), width=width)
    assert "top-1 %" in text
    assert text.count("69.5") >= len(models)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert "time left" in text
    assert max(map(len, text.splitlines())) <= width


def test_eighty_columns_keep_the_bar_and_lose_the_loss_first() -> None:
    text = shown(plan_of("alexnet", "vgg11", "resnet18"), width=80)
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" in text
    assert "images/s" in text
    assert "running train loss" not in text


def test_the_running_train_loss_is_the_mean_that_the_result_will_have() -> None:
    plan = plan_of("alexnet")
    assert "9.876" not in shown(plan, width=140)
    assert "1.234" in shown(plan, width=140)
    assert "9.876" not in shown(plan, width=140, evaluated=False)


def test_lines_in_a_pipe_write_percent_as_the_report_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnbench.cli.show.progress.LINE_EVERY_SECONDS", 0.0)
    out = io.StringIO()
    console = Console(file=out, width=300, force_terminal=False)
    plan = plan_of("alexnet")
    update = CellUpdate(
        cell=plan.cells[0],
        result=planned(plan.cells[0]).model_copy(update={"status": "done", "top1": 0.695}),
    )
    with Progress(console) as progress:
        progress.start(plan, 0)
        progress.update(update)
    assert "100 % of 2m  top-1 69.5 %" in out.getvalue()
