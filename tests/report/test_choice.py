"""Which network `DIR[:MODEL]` means follows from the report, never from a lucky seed."""

import pytest
from kept_networks import keep
from synthetic import FakeModel, FakeRun, build_run

from cnnbench.report.analysis.choice import UnknownNetwork, choose_network
from cnnbench.schema.names import labels
from cnnbench.store import StoreError

CLEAR = (
    FakeModel(name="alexnet", correct=60, macs=5),
    FakeModel(name="resnet18", correct=120, macs=9),
)
TIED = (
    FakeModel(name="vgg11", correct=100, macs=9),
    FakeModel(name="alexnet", correct=99, macs=2),
    FakeModel(name="resnet18", correct=98, macs=4),
    FakeModel(name="lenet5", correct=20, macs=1),
)
SEEDS = tuple(
    FakeModel(name=name, correct=correct + seed, seed=seed, macs=5)
    for seed in (0, 1, 2)
    for name, correct in (("alexnet", 60), ("resnet18", 120))
)
LADDER = tuple(
    FakeModel(name=name, correct=correct, budget=budget)
    for budget, correct in (("1m", 60), ("2m", 50))
    for name in ("alexnet", "resnet18")
)


def kept_run(home, models, *, without=(), **changes):
    """Return a made-up run that keeps every finished network whose label is not in `without`."""
    run = build_run(home / "run", FakeRun(models=models, **changes))
    names = labels(run.plan())
    for cell in run.plan().cells:
        if names[cell.id] not in without and run.result(cell).status == "done":
            keep(run.cell(cell))
    return run


def test_without_a_name_it_is_the_one_that_ranked_first(tmp_path):
    choice = choose_network(kept_run(tmp_path, CLEAR))
    assert (choice.label, choice.tied) == ("resnet18", ())
    assert choice.why == "resnet18 ranked first"


def test_of_several_that_tie_it_is_the_cheapest_and_that_is_said(tmp_path):
    choice = choose_network(kept_run(tmp_path, TIED))
    assert choice.label == "alexnet"
    assert choice.tied == ("vgg11", "resnet18")
    assert "vgg11, alexnet and resnet18 tie for the first place" in choice.why
    assert "alexnet is the cheapest" in choice.why


def test_what_was_not_kept_is_no_choice_and_that_is_said(tmp_path):
    choice = choose_network(kept_run(tmp_path, TIED, without={"alexnet"}))
    assert choice.label == "resnet18"
    assert "of those that were kept" in choice.why


def test_the_seed_is_the_first_and_not_the_best(tmp_path):
    choice = choose_network(kept_run(tmp_path, SEEDS))
    assert (choice.cell.model, choice.cell.seed) == ("resnet18", 0)
    assert "the first seed, 0" in choice.why


def test_of_several_budgets_it_is_the_largest_and_not_the_best(tmp_path):
    run = kept_run(tmp_path, LADDER)
    assert str(choose_network(run, "alexnet").cell.budget) == "2m"
    assert "the largest budget, 2m" in choose_network(run, "alexnet").why
    assert str(choose_network(run, "alexnet at 1m").cell.budget) == "1m"


def test_a_name_a_label_and_an_id_are_understood(tmp_path):
    run = kept_run(tmp_path, TIED)
    cell = run.plan().cells[0]
    for name in ("vgg11", "vgg", "VGG11", cell.id):
        choice = choose_network(run, name)
        assert (choice.cell, choice.label, choice.why) == (cell, "vgg11", "")
        assert choice.tied == ("alexnet", "resnet18")


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNetwork, match=r"did you mean 'resnet18'\? it has alexnet, resnet18"):
        choose_network(kept_run(tmp_path, CLEAR), "resnet19")


def test_where_nothing_was_kept_the_command_that_keeps_is_told(tmp_path):
    argv = ("run", "--models", "a,b", "--keep", "none", "--fresh", "--out", "my runs")
    run = kept_run(tmp_path, CLEAR, without={"alexnet", "resnet18"}, argv=argv)
    with pytest.raises(StoreError) as raised:
        choose_network(run)
    command = "cnnbench run --models a,b --out 'my runs' --keep all --fresh"
    assert str(raised.value).endswith(command)


def test_a_run_of_python_is_told_in_python(tmp_path):
    run = kept_run(tmp_path, CLEAR, without={"alexnet", "resnet18"}, argv=())
    with pytest.raises(StoreError, match='keep="all"'):
        choose_network(run)


@pytest.mark.parametrize("name", [None, "resnet18"])
def test_a_network_that_was_not_kept_is_refused_with_those_that_were(tmp_path, name):
    run = kept_run(tmp_path, CLEAR, without={"resnet18"})
    with pytest.raises(StoreError, match="kept are alexnet"):
        choose_network(run, name)


def test_a_network_without_a_result_does_not_count(tmp_path):
    run = build_run(tmp_path / "run", FakeRun(models=(FakeModel(name="alexnet", status="killed"),)))
    keep(run.cell(run.plan().cells[0]))
    with pytest.raises(StoreError, match="keeps no network"):
        choose_network(run)


def test_where_all_saw_too_little_it_is_said_that_it_is_early(tmp_path):
    run = kept_run(tmp_path, CLEAR, train_images=100_000)
    assert "too early to rank" in choose_network(run).why
