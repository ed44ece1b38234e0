"""A cell goes on from trained weights: all of the network, or its head on features alone."""

import pytest
import torch
from contexts import N_TRAIN, a_context
from safetensors.torch import load_file, save_file

import zoo
from cnnbench.data import DataError
from cnnbench.planning.plan import make_plan
from cnnbench.planning.request import Request
from cnnbench.runner import cell as running
from cnnbench.runner.cell import Interrupted, run_cell
from cnnbench.runner.inputs import open_inputs, prepare_training
from cnnbench.schema.events import Stepped
from cnnbench.store import RunFolder

NETWORK = "lenet5-relu"


@pytest.fixture
def start(tmp_path):
    """Return a file of weights for ten classes."""
    torch.manual_seed(5)
    model = zoo.build(NETWORK, num_classes=10, image_size=32)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


@pytest.fixture
def folder_of(folder, start, tmp_path):
    """Return a function that plans a cell on these weights and returns its folder."""

    def make(**changed):
        values = {
            "models": f"{NETWORK}@{start}",
            "dataset": str(tmp_path / "photos"),
            "weights_scaling": "half",
            "budget": "4ep",
            "batch_size": 8,
            "image_size": 32,
            "evaluations": 2,
        }
        request = Request(**values | changed)
        plan, _ = make_plan(request, device="cpu", precision="fp32", machine={}, argv=())
        run = RunFolder(tmp_path / f"run-{plan.digest}")
        run.write_plan(plan)
        return run.cell(plan.cells[0])

    return make


def network_of(folder, monkeypatch):
    """Run a cell and return its result with the network that its pictures are of."""
    seen = {}

    def look(context, inputs, network, *_, **__):
        seen["network"] = network

    monkeypatch.setattr(running, "write_cell_gallery", look)
    return run_cell(a_context(folder)), seen["network"]


def test_a_network_begins_with_the_weights_and_a_head_of_zeros(folder_of, start):
    folder = folder_of()
    context = a_context(folder)
    model = prepare_training(context, open_inputs(folder.cell)).model
    given, mine = load_file(start), model.state_dict()
    heads = {name for name, value in given.items() if value.shape != mine[name].shape}
    assert all(torch.equal(mine[name], given[name]) for name in given.keys() - heads)
    assert heads
    assert not any(mine[name].any() for name in heads)


def test_inputs_are_scaled_as_the_weights_know_them(folder_of):
    inputs = open_inputs(folder_of().cell)
    assert (tuple(inputs.mean), inputs.std) == ((0.5,) * 3, (0.5,) * 3)
    own = open_inputs(folder_of(weights_scaling="images").cell)
    assert own.std != (0.5,) * 3


@pytest.mark.slow
def test_a_head_alone_learns_and_the_body_stays(folder_of, start, monkeypatch):
    folder = folder_of(train="head", budget="20ep")
    result, network = network_of(folder, monkeypatch)
    assert (result.status, result.train, result.epochs) == ("done", "head", 20)
    assert result.top1 > 0.9  # three shades of grey
    given, kept = load_file(start), network.state_dict()
    moved = [
        name
        for name, value in given.items()
        if not torch.equal(kept[name], value)
        if kept[name].shape == value.shape
    ]
    assert moved == []
    steps = [event for event in folder.events() if isinstance(event, Stepped)]
    assert steps[-1].spent.images == 20 * N_TRAIN


@pytest.mark.slow
def test_a_head_that_is_stopped_and_continued_has_the_same_bits(folder_of, tmp_path):
    whole = folder_of(train="head", budget="6ep")
    run_cell(a_context(whole))
    parts = folder_of(train="head", budget="6ep", seeds="0,")
    parts = type(parts)(tmp_path / "parts", parts.cell)
    parts.path.mkdir()
    with pytest.raises(Interrupted):
        run_cell(a_context(parts, stop_after=7))
    result = run_cell(a_context(parts))
    assert result.status == "done"
    assert (parts.predictions().logits == whole.predictions().logits).all()


@pytest.mark.slow
def test_all_of_a_network_is_tuned(folder_of, start, monkeypatch):
    result, network = network_of(folder_of(budget="3ep"), monkeypatch)
    assert (result.status, result.recipe, result.start.source) == (
        "done",
        "finetune",
        "w.safetensors",
    )
    first = next(iter(load_file(start)))
    assert not torch.equal(network.state_dict()[first], load_file(start)[first])


def test_weights_that_changed_since_the_plan_are_refused(folder_of, start):
    folder = folder_of()
    torch.manual_seed(6)
    save_file(zoo.build(NETWORK, num_classes=10, image_size=32).state_dict(), start)
    with pytest.raises(DataError, match=r"changed since the plan was made.*--fresh"):
        run_cell(a_context(folder))


def test_a_budget_that_the_features_use_up_fails_the_cell_and_says_so(folder_of):
    result = run_cell(a_context(folder_of(train="head", budget="0.001s")))
    assert result.status == "failed"
    assert "computing the features" in result.reason
    assert "--budget" in result.reason
