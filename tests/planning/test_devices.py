"""What several devices cannot do together is refused before anything starts."""

from dataclasses import replace

import pytest

from cnnbench.api import prepare
from cnnbench.engine import hardware
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import PlanError, Request


@pytest.fixture
def cell_of(photos_of):
    photos = photos_of(train=8, test=2)

    def cell_of(device="cpu", **changes):
        values = {"models": "lenet5-relu", "dataset": photos, "image_size": 64, "budget": "96img"}
        request = Request(**{**values, **changes})
        plan, _ = make_plan(request, device=device, precision="fp32", machine={}, argv=())
        return plan.cells[0]

    return cell_of


def test_one_device_leaves_the_digest_of_a_cell_as_it_was(cell_of):
    cell, fields = cell_of(), {"devices", "parallel", "batchnorm_over"}
    assert not fields & cell.deciding(exclude_defaults=True).keys()
    assert cell_of(devices=2).digest != cell.digest


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"devices": 4, "batch_size": 7}, "--batch-size 8 or more"),
        ({"devices": 4, "budget": "7img"}, "a budget of 7 images"),
        ({"devices": 2, "budget": "100J"}, "joules"),
        ({"devices": 2, "batchnorm_over": "all"}, "needs GPUs"),
        ({"devices": 2, "batchnorm_over": "al"}, "did you mean 'all'"),
        ({"batchnorm_over": "all"}, "add --devices 2"),
        ({"parallel": "towers"}, "add --devices 2"),
        ({"devices": 3, "parallel": "towers"}, "has two; not 3"),
        ({"devices": 2, "parallel": "tower"}, "did you mean 'towers'"),
        ({"devices": 2, "parallel": "towers"}, "lenet5-relu has no towers"),
        ({"devices": 2, "parallel": "towers", "models": "alexnet"}, "build alexnet-tower-lrn"),
    ],
)
def test_what_devices_cannot_share_is_refused_with_advice(cell_of, changes, complaint):
    with pytest.raises(PlanError, match=complaint):
        cell_of(**changes)


def test_batches_are_shared_by_a_process_a_device_and_towers_by_one(cell_of):
    assert cell_of(device="cuda", devices=8, batchnorm_over="all").ranks == 8
    assert cell_of(models="alexnet-tower-lrn", devices=2, parallel="towers").ranks == 1


def test_memory_is_counted_for_a_device_and_its_part_of_a_batch(cell_of):
    options = {"models": "resnet18", "batch_size": 64, "memory": "1GiB"}
    assert cell_of(**options).micro_batch == 32
    assert cell_of(devices=4, **options).micro_batch is None  # 16 images each


def test_gpus_that_only_other_machines_have_can_be_planned_for(monkeypatch):
    monkeypatch.setattr(hardware, "first_gpu", lambda: None)
    hardware.detect.cache_clear()
    asked = Request(["resnet"], "digits", "10ep", device="cuda", devices=2)
    with pytest.raises(PlanError, match="there is no GPU to use"):
        prepare(asked)
    with pytest.raises(PlanError, match="type --precision and --image-size"):
        prepare(asked, elsewhere=True)
    typed = replace(asked, precision="bf16", image_size=64)
    plan, _ = prepare(typed, elsewhere=True)
    assert (plan.cells[0].device, plan.cells[0].devices) == ("cuda", 2)
    assert [feed.images_per_second for feed in plan.feeds] == [None]
