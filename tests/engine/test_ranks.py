"""Ranks share out every batch, and together take the steps of one process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed

from cnnbench.engine.ranks import Ranks, has_lost_neighbour

HERE = Path(__file__).parent


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 33])
def test_parts_follow_each_other_and_are_as_even_as_can_be(count, size):
    parts = [Ranks(rank=rank, count=count).part(5, size) for rank in range(count)]
    places = [place for start, n in parts for place in range(start, start + n)]
    assert places == [*range(5, 5 + size)]
    sizes = [n for _, n in parts]
    assert max(sizes) - min(sizes) <= 1


def test_what_a_rank_draws_follows_from_seed_rank_and_step_alone():
    def draws(step, **changes):
        torch.rand(3)  # whatever was drawn before
        Ranks(**{"count": 2, "seed": 0, **changes}).reseed(step)
        return torch.rand(4).tolist()

    assert draws(3) == draws(3)
    different = [draws(3), draws(4), draws(3, rank=1), draws(3, seed=1)]
    assert len({tuple(each) for each in different}) == 4


def test_the_generators_of_a_lone_process_are_left_alone():
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    Ranks().reseed(7)
    assert torch.equal(torch.rand(4), expected)


def test_an_error_of_ones_own_is_not_taken_for_a_neighbours_death():
    assert has_lost_neighbour(distributed.DistBackendError("NCCL error"))
    closed = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:538] Connection closed by peer"
    assert has_lost_neighbour(RuntimeError(closed))
    assert not has_lost_neighbour(RuntimeError("CUDA out of memory"))
    assert not has_lost_neighbour(ValueError("a bad layer"))


def trained_by(count, tmp_path, *words):
    """Train the network of `shared_training.py` by some processes; return what each says."""
    store = tmp_path / f"store-{count}"
    command = [sys.executable, str(HERE / "shared_training.py"), str(store), str(count)]
    processes = [
        subprocess.Popen([*command, str(rank), *words], stdout=subprocess.PIPE)
        for rank in range(count)
    ]
    said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    store.unlink(missing_ok=True)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("micro",), ("auxiliary",)])
def test_two_ranks_end_in_equal_weights_and_on_the_loss_curve_of_one(tmp_path, words):
    (alone,) = trained_by(1, tmp_path, *words)
    first, second = trained_by(2, tmp_path, *words)
    assert first["digest"] == second["digest"]
    assert len(alone["losses"]) == 9  # the last batch is uneven: 69 images in batches of 8
    assert first["losses"] == second["losses"]
    assert first["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    assert first["correct"] == alone["correct"]
    assert first["weights"] == pytest.approx(alone["weights"], rel=1e-4, abs=1e-6)
    assert first["evaluation"] == pytest.approx(alone["evaluation"], rel=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
@pytest.mark.parametrize("words", [(), ("batchnorm", "all")])
def test_two_gpus_end_in_equal_weights_and_on_the_loss_curve_of_one(tmp_path, words):
    (alone,) = trained_by(1, tmp_path, "cuda", *words)
    first, second = trained_by(2, tmp_path, "cuda", *words)
    assert first["digest"] == second["digest"]
    assert first["losses"] == pytest.approx(alone["losses"], rel=1e-3)
    assert first["evaluation"] == second["evaluation"] == pytest.approx(alone["evaluation"])


@pytest.mark.slow
def test_evaluation_uses_the_first_ranks_statistics_and_counts_each_image_once(tmp_path):
    first, second = trained_by(2, tmp_path, "batchnorm")
    assert first["evaluation"] == second["evaluation"]
    assert first["buffers"] == second["buffers"]


@pytest.mark.slow
def test_ranks_that_were_stopped_end_with_the_same_bits_dropout_and_batchnorm_included(tmp_path):
    whole, _ = trained_by(2, tmp_path, "batchnorm")
    first, second = trained_by(2, tmp_path, "batchnorm", "stopped")
    assert first["digest"] == second["digest"] == whole["digest"]
    assert first["buffers"] == second["buffers"] == whole["buffers"]
    assert first["evaluation"] == whole["evaluation"]
