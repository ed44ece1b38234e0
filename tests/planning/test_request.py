"""What is typed or given is read once, in one place, and refused with a hint."""

from pathlib import Path

import pytest

from cnnbench.planning.request import PlanError, Request, RunOptions, split_commas


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        ("3", [0, 1, 2]),
        ("0,1,5", [0, 1, 5]),
        ("5,", [5]),
        ("1", [0]),
        (2, [0, 1]),
        ([5], [5]),
        (range(3), [0, 1, 2]),
    ],
)
def test_seeds_are_a_count_or_a_list(given, seeds):
    assert Request("alexnet", seeds=given).seed_numbers == seeds


@pytest.mark.parametrize("given", ["", "many", "0", "1.5", "-2", [], 0])
def test_other_seeds_are_refused(given):
    with pytest.raises(PlanError, match="--seeds"):
        _ = Request("alexnet", seeds=given).seed_numbers


def test_text_with_commas_and_lists_are_the_same():
    typed = Request("alexnet, vgg", lr="0.1,1e-3", batch_size="4")
    given = Request(["alexnet", "vgg"], lr=[0.1, 0.001], batch_size=4)
    for request in (typed, given):
        assert split_commas(request.models) == ["alexnet", "vgg"]
        assert request.lrs == [0.1, 0.001]
        assert request.batch_sizes == [4]


def test_what_is_no_number_is_refused():
    with pytest.raises(PlanError, match=r"--lr '0.1,x': 'x' is no number"):
        _ = Request("alexnet", lr="0.1,x").lrs
    with pytest.raises(PlanError, match="--batch-size"):
        _ = Request("alexnet", batch_size=16.5).batch_sizes


def test_a_data_option_needs_a_key_and_a_value():
    words = Request("alexnet", dataset_options=["seed=3", "text=a=b"])
    assert words.data == {"seed": "3", "text": "a=b"}
    table = Request("alexnet", dataset_options={"seed": 3}, skip_broken=2)
    assert table.data == {"seed": "3", "skip_broken": "2"}
    with pytest.raises(PlanError, match="KEY=VALUE"):
        _ = Request("alexnet", dataset_options=["seed"]).data


def test_a_path_of_python_is_a_folder_whatever_cards_there_are():
    assert Request("lenet5", Path("fruits")).dataset == "./fruits"
    assert Request("lenet5", Path("/photos")).dataset == "/photos"


@pytest.mark.parametrize(
    ("keep", "asked", "kept"),
    [
        (None, {}, "all"),
        (None, {"seeds": 3, "budget": "1m,2m"}, "all"),
        (None, {"smoke": True}, "none"),
        (None, {"lr": "0.1,0.01"}, "none"),
        (None, {"batch_size": [8, 16]}, "none"),
        ("best", {"smoke": True}, "best"),
        ("none", {}, "none"),
    ],
)
def test_a_run_keeps_its_networks_and_what_only_tries_keeps_none(keep, asked, kept):
    assert RunOptions(keep=keep).networks_to_keep(Request("alexnet", **asked)) == kept


def test_a_word_for_what_is_kept_is_one_of_three():
    with pytest.raises(PlanError, match="unknown --keep 'bset'; did you mean 'best'"):
        RunOptions(keep="bset")
