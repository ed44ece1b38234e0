"""How a run stands is read from its folder, whoever works on it."""

import pytest

from cnnbench.schema.budget import Budget, Spent
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.events import Finished, Stepped
from cnnbench.schema.recipes import make_recipe
from cnnbench.schema.result import Seconds, planned
from cnnbench.store import RunFolder, StoreError
from cnnbench.store.cell_folder import CellFolder
from cnnbench.store.owners import Owner
from cnnbench.store.status import StatusReader


def a_run(path, *models, budget="2m"):
    """Return a run of these networks with a seed each, in the order of their names here."""
    cells = tuple(
        Cell(
            model=model,
            dataset="fruits",
            dataset_fingerprint="f",
            recipe=make_recipe("common", family="resnet"),
            budget=Budget.parse(budget),
            seed=seed,
            image_size=64,
            precision="fp32",
            device="cpu",
            evaluations=1,
        )
        for seed, model in enumerate(models)
    )
    facts = DatasetFacts(
        name="fruits",
        title="fruit",
        drawn=True,
        classes=("a", "b"),
        images={"train": 4, "test": 2},
        curve_split="test",
        headline_split="test",
        fingerprint="f",
    )
    run = RunFolder(path / "run")
    run.write_plan(Plan(cnnbench="0", argv=("run",), dataset=facts, cells=cells, machine={}))
    return run, [run.cell(cell) for cell in cells]


def end(folder, status="done", *, seconds=100.0, reason=""):
    facts = {"status": status, "reason": reason, "seconds": Seconds(total=seconds)}
    folder.write_result(planned(folder.cell).model_copy(update=facts))


def log_step(folder, progress, *, seconds=50.0):
    folder.append(
        Stepped(
            spent=Spent(seconds=seconds, steps=1),
            progress=progress,
            lr=0.1,
            train_loss=1.0,
            images=1,
            images_per_second=1.0,
        )
    )


@pytest.fixture
def work_on(monkeypatch):
    """Let cells have a living owner on another machine."""
    owned = set()
    owner = Owner(host="node7", pid=12, since="2026-11-26T07:00:00+0000")
    look = lambda folder: owner if folder.path in owned else None  # noqa: E731
    monkeypatch.setattr(CellFolder, "owner", look)
    return lambda *folders: owned.update(folder.path for folder in folders)


def test_each_cell_is_of_one_kind(tmp_path, work_on):
    run, (done, failed, running, begun, _) = a_run(tmp_path, *["resnet18"] * 5)
    end(done)
    end(failed, "oom", reason="out of memory")
    log_step(running, 0.25)
    log_step(begun, 0.5)
    work_on(running)
    now = StatusReader(run).read()
    assert (now.cells, now.done, now.waiting, now.begun) == (5, 1, 2, 1)
    (at_work,) = now.running
    assert (at_work.cell, at_work.host, at_work.pid) == (running.cell.id, "node7", 12)
    assert at_work.progress == 0.25
    assert [(each.cell, each.status) for each in now.failed] == [(failed.cell.id, "oom")]
    assert not now.has_ended


def test_what_is_done_is_read_once_and_what_ends_meanwhile_is_seen(tmp_path, work_on):
    run, (first, second) = a_run(tmp_path, "resnet18", "resnet18")
    end(first)
    work_on(second)
    reader = StatusReader(run)
    assert reader.read().done == 1
    (first.path / "result.json").write_text("not read again")
    end(second)
    assert reader.read().done == 2
    assert reader.read().has_ended


def test_the_end_of_a_long_log_is_enough(tmp_path, work_on):
    run, (folder,) = a_run(tmp_path, "resnet18")
    for step in range(200):
        log_step(folder, step / 200)
    with (folder.path / "events.jsonl").open("ab") as log:
        log.write(b'{"kind": "stepped", "spe')  # torn
    work_on(folder)
    assert StatusReader(run).read().running[0].progress == 199 / 200


def test_a_damaged_result_is_a_failed_cell_and_hides_no_other(tmp_path, work_on):
    run, (damaged, done) = a_run(tmp_path, "resnet18", "resnet18")
    (damaged.path / "result.json").write_text("{")
    end(done)
    now = StatusReader(run).read()
    assert now.done == 1
    assert "damaged" in now.failed[0].reason


def test_a_folder_without_a_plan_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no run folder"):
        StatusReader(RunFolder(tmp_path))


# -- the time left ---------------------------------------------------------------------------------


def test_the_rest_takes_as_long_as_what_is_done_shared_by_those_that_run(tmp_path, work_on):
    run, (done, other, a, b, *_) = a_run(tmp_path, *["resnet18"] * 6)
    end(done, seconds=100.0)
    end(other, seconds=300.0)
    log_step(a, 0.5)
    work_on(a, b)
    now = StatusReader(run).read()
    assert now.seconds_left == pytest.approx((100 + 200 + 2 * 200) / 2)


def test_the_longest_cell_is_not_shared(tmp_path, work_on):
    run, (done, last, long) = a_run(tmp_path, "resnet18", "resnet18", "resnet18")
    end(done, seconds=100.0)
    log_step(last, 0.9)
    work_on(last, long)
    assert StatusReader(run).read().seconds_left == pytest.approx(100)


@pytest.mark.parametrize(("budget", "left"), [("2m", 120 * 0.75), ("20ep", 200 * 0.75)])
def test_where_none_is_done_the_budget_or_the_pace_tells(tmp_path, work_on, budget, left):
    run, (folder,) = a_run(tmp_path, "resnet18", budget=budget)
    log_step(folder, 0.25, seconds=50.0)
    work_on(folder)
    assert StatusReader(run).read().seconds_left == pytest.approx(left)


def test_there_is_no_number_where_nothing_tells_or_nothing_runs(tmp_path, work_on):
    run, (running, _) = a_run(tmp_path, "resnet18", "vgg11", budget="20ep")
    assert StatusReader(run).read().seconds_left is None
    log_step(running, 0.5)
    work_on(running)
    now = StatusReader(run).read()
    assert (now.seconds_left, now.unknown) == (None, ("vgg11",))


def test_a_log_without_a_step_is_no_progress(tmp_path, work_on):
    run, (folder,) = a_run(tmp_path, "resnet18", budget="20ep")
    folder.append(Finished(spent=Spent(), last_lr=0.0))
    work_on(folder)
    assert StatusReader(run).read().running[0].progress == 0
