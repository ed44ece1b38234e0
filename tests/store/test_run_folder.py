"""A run folder gives back what was put in, and refuses what is not its own."""

import json
import os

import numpy as np
import pytest

from cnnbench.data import DataError
from cnnbench.schema.budget import Budget, Spent
from cnnbench.schema.cell import Cell, DatasetFacts, Plan
from cnnbench.schema.events import Finished, Started, Stepped
from cnnbench.schema.origin import Origin
from cnnbench.schema.recipes import make_recipe
from cnnbench.schema.result import RunSeconds
from cnnbench.store import DamagedError, Predictions, RunFolder, StoreError


def a_plan(budget="2m", fingerprint="f"):
    cell = Cell(
        model="resnet18",
        dataset="fruits",
        dataset_fingerprint=fingerprint,
        recipe=make_recipe("common", family="resnet"),
        budget=Budget.parse(budget),
        seed=0,
        image_size=224,
        precision="fp32",
        device="cpu",
        evaluations=5,
    )
    facts = DatasetFacts(
        name="fruits",
        title="Drawn fruit",
        drawn=True,
        classes=("apple", "pear"),
        images={"train": 4, "test": 2},
        curve_split="test",
        headline_split="test",
        fingerprint=fingerprint,
    )
    return Plan(cnnbench="0", argv=("run",), dataset=facts, cells=(cell,), machine={"line": "x"})


def a_run(tmp_path, **changes):
    run, plan = RunFolder(tmp_path / "run"), a_plan(**changes)
    run.write_plan(plan)
    return run, plan, run.cell(plan.cells[0])


def stepped(steps):
    return Stepped(
        spent=Spent(steps=steps, images=steps * 16),
        progress=0.5,
        lr=0.1,
        train_loss=1.0,
        images=16,
        images_per_second=3.0,
    )


def test_a_plan_comes_back(tmp_path):
    run, plan, _ = a_run(tmp_path)
    assert run.plan() == plan


def test_the_same_plan_may_be_written_again(tmp_path):
    run, plan, _ = a_run(tmp_path)
    run.write_plan(plan)


def test_another_plan_is_refused_with_the_difference(tmp_path):
    run, _, _ = a_run(tmp_path)
    with pytest.raises(StoreError, match=r"budget\.limit: 120.* -> 180"):
        run.write_plan(a_plan(budget="3m"))


def test_a_changed_dataset_is_refused(tmp_path):
    run, _, _ = a_run(tmp_path)
    with pytest.raises(DataError, match=r"dataset 'fruits' changed .*train anew"):
        run.write_plan(a_plan(fingerprint="e"))


def test_a_folder_without_a_plan_says_so(tmp_path):
    with pytest.raises(StoreError, match="no run folder"):
        RunFolder(tmp_path).plan()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 0}'])
def test_a_damaged_plan_is_named(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(StoreError, match=r"plan\.json is") as raised:
        RunFolder(tmp_path).plan()
    assert ": :" not in str(raised.value)


def test_events_come_back_and_a_torn_one_is_the_end(tmp_path):
    _, _, cell = a_run(tmp_path)
    for steps in (1, 2):
        cell.append(stepped(steps))
    with (cell.path / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "stepp')
    assert cell.events() == [stepped(1), stepped(2)]


def test_a_rewound_log_forgets_what_came_after_the_checkpoint(tmp_path):
    _, _, cell = a_run(tmp_path)
    for steps in (1, 2, 3):
        if steps == 3:
            cell.save_checkpoint({"weight": 1}, steps=2)
        cell.append(stepped(steps))
    cell.append(stepped(3))
    checkpoint = cell.load_checkpoint()
    assert checkpoint is not None
    cell.rewind(checkpoint.log_bytes)
    assert [event.spent.steps for event in cell.events()] == [1, 2]


def test_a_reader_sees_each_new_event_once(tmp_path):
    _, _, cell = a_run(tmp_path)
    tail = cell.tail()
    assert tail.read() == []
    cell.append(stepped(1))
    cell.append(stepped(2))
    assert [event.spent.steps for event in tail.read()] == [1, 2]
    assert tail.read() == []
    cell.append(stepped(3))
    assert [event.spent.steps for event in tail.read()] == [3]
    cell.rewind(0)
    cell.append(stepped(1))
    assert [event.spent.steps for event in tail.read()] == [1]


def test_fresh_forgets_the_plan_and_the_cells_and_nothing_else(tmp_path):
    run, _, cell = a_run(tmp_path)
    cell.append(stepped(1))
    run.write_seconds(RunSeconds(commands=1, total=9.0))
    run.write_text("notes.txt", "mine")
    run.clear()
    run.write_plan(a_plan(budget="3m"))
    assert not cell.path.exists()
    assert run.seconds() is None
    assert (run.path / "notes.txt").read_text() == "mine"


def test_fresh_never_empties_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "cells").mkdir()
    RunFolder(tmp_path).clear()
    assert (tmp_path / "cells").exists()


def test_a_cell_that_never_began_is_planned(tmp_path):
    _, _, cell = a_run(tmp_path)
    assert cell.result().status == "planned"
    assert cell.result().top1 is None


def test_a_cell_with_events_and_no_owner_was_killed(tmp_path):
    _, _, cell = a_run(tmp_path)
    cell.append(stepped(3))
    result = cell.result()
    assert result.status == "killed"
    assert "same command continues" in result.reason
    assert result.images_seen == 48


def started(**origin):
    return Started(
        spent=Spent(),
        resumed=False,
        params=1,
        macs=1,
        train_images=4,
        total_images=None,
        origin=Origin(**origin),
    )


def test_a_killed_cell_says_with_what_it_was_trained(tmp_path):
    _, _, cell = a_run(tmp_path)
    for torch in ("2.9", "2.10", "2.10"):
        cell.append(started(versions={"torch": torch}, threads=2, cpu="a cpu", machine="a machine"))
        cell.append(stepped(3))
    result = cell.result()
    assert (result.status, result.versions, result.threads) == ("killed", {"torch": "2.10"}, 2)
    assert (result.cpu, result.gpu, result.machine) == ("a cpu", None, "a machine")
    assert [one.versions for one in result.earlier_origins] == [{"torch": "2.9"}]
    assert [one.versions for one in result.origins] == [{"torch": "2.9"}, {"torch": "2.10"}]


def test_a_killed_cell_of_an_older_log_has_no_versions(tmp_path):
    _, _, cell = a_run(tmp_path)
    old = started().model_dump(mode="json", exclude={"origin"})
    (cell.path / "events.jsonl").write_text(json.dumps(old) + "\n")
    assert cell.result().status == "killed"
    assert (cell.result().versions, cell.result().threads) == (None, None)


def test_a_folder_with_a_plan_has_all_its_cells_on_disk(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(os, "sync", lambda: order.append(sorted(tmp_path.rglob("*.json"))))
    _, plan, cell = a_run(tmp_path)
    assert order == [[cell.path / "cell.json"]]  # and no plan.json yet
    assert (tmp_path / "run" / "plan.json").exists()
    assert Cell.model_validate_json((cell.path / "cell.json").read_bytes()) == plan.cells[0]


def test_cells_of_a_plan_that_was_never_written_are_written_anew(tmp_path):
    run, plan, cell = a_run(tmp_path)
    (run.path / "plan.json").unlink()
    (cell.path / "cell.json").write_text("")  # as a power cut can leave it
    run.write_plan(plan)
    assert Cell.model_validate_json((cell.path / "cell.json").read_bytes()) == plan.cells[0]


def test_a_plan_is_read_again_once_it_was_written_again(tmp_path):
    run, plan, _ = a_run(tmp_path)
    assert run.plan() is run.plan()
    other = plan.model_copy(update={"argv": ("run", "again")})
    RunFolder(run.path).write_text("plan.json", other.model_dump_json())
    assert run.plan() == other


def test_continuing_leaves_the_plan_as_it_was_made(tmp_path):
    run, plan, _ = a_run(tmp_path)
    before = (run.path / "plan.json").read_bytes()
    upgraded = plan.model_copy(update={"cnnbench": "99", "machine": {"line": "y", "threads": 8}})
    run.write_plan(upgraded)
    assert (run.path / "plan.json").read_bytes() == before
    run.clear()  # what --fresh does
    run.write_plan(upgraded)
    assert run.plan().machine == {"line": "y", "threads": 8}


def test_a_cell_that_is_held_is_running(tmp_path):
    _, _, cell = a_run(tmp_path)
    cell.append(stepped(3))
    with cell.lock():
        assert cell.result().status == "running"


def test_a_result_comes_back_and_ends_the_cell(tmp_path):
    _, _, cell = a_run(tmp_path)
    cell.append(Finished(spent=Spent(steps=1), last_lr=0.0))
    result = cell.result().model_copy(update={"status": "done", "top1": 0.5, "reason": ""})
    cell.write_result(result)
    assert cell.result() == result
    assert cell.is_final()


def test_a_failed_cell_is_not_final(tmp_path):
    _, _, cell = a_run(tmp_path)
    cell.write_result(cell.result().model_copy(update={"status": "oom"}))
    assert not cell.is_final()


def test_a_result_of_a_newer_version_says_so(tmp_path):
    _, _, cell = a_run(tmp_path)
    (cell.path / "result.json").write_text('{"version": 99, "new": true}')
    with pytest.raises(StoreError, match=r"version 99.*update cnnbench"):
        cell.result()


def test_a_result_with_a_key_of_another_cnnbench_is_not_called_damaged(tmp_path):
    _, _, cell = a_run(tmp_path)
    (cell.path / "result.json").write_text('{"version": 1, "halo": 3}')
    with pytest.raises(StoreError, match="halo, which this cnnbench does not know") as raised:
        cell.result()
    assert not isinstance(raised.value, DamagedError)


def test_damaged_predictions_are_named(tmp_path):
    _, _, cell = a_run(tmp_path)
    (cell.path / "predictions.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(StoreError, match=r"predictions\.npz is damaged"):
        cell.predictions()


def test_a_damaged_result_is_named(tmp_path):
    _, _, cell = a_run(tmp_path)
    (cell.path / "result.json").write_text('{"version": 1}')
    with pytest.raises(StoreError, match=r"result\.json is damaged"):
        cell.result()


def test_predictions_come_back(tmp_path):
    _, _, cell = a_run(tmp_path)
    logits = np.array([[0.1, 2.0], [3.0, -1.0]], dtype=np.float32)
    put = Predictions(labels=np.array([1, 0]), logits=logits, names=("a.jpg", "ü\n.jpg"))
    cell.write_predictions(put)
    got = cell.predictions()
    assert got is not None
    assert got.names == put.names
    assert np.array_equal(got.logits, logits)
    assert np.array_equal(got.labels, put.labels)
