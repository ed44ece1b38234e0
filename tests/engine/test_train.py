"""The loop stops on its budget, says what happens, and goes on from a checkpoint bit by bit."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnbench.engine.clock import Clock
from cnnbench.engine.device import Device
from cnnbench.engine.evaluate import score
from cnnbench.engine.state import Training
from cnnbench.engine.train import CheckpointDue, Scored, train, warm_up
from cnnbench.schema.budget import Budget
from cnnbench.schema.events import Failed, Finished, Started, Stepped
from cnnbench.schema.recipes import make_recipe

STEP_SECONDS = 0.5


class FakeTime:
    """Each reading of the time is a little later than the last."""

    def __init__(self, tick):
        self.seconds, self.tick = 0.0, tick

    def __call__(self):
        self.seconds += self.tick
        return self.seconds


class EightImages:
    epoch_images = 8

    def __init__(self, sizes):
        self.sizes = sizes

    def batch(self, start, size):
        self.sizes.append((start, size))
        places = torch.arange(start, start + size) % self.epoch_images
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(self.epoch_images, 3, 4, 4, generator=generator)
        return images[places], places % 2


def a_training(budget, *, tick=0.0, batch_size=4, evaluations=4, lr=0.1, **changes):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(48, 8), nn.Linear(8, 2))
    recipe = make_recipe("common", family="none", lr=lr, batch_size=batch_size)
    values = {
        "model": model,
        "batches": EightImages([]),
        "evaluate": lambda: score(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])),
        "recipe": recipe,
        "budget": Budget.parse(budget),
        "device": Device(torch_device=torch.device("cpu"), precision="fp32"),
        "clock": Clock(now=FakeTime(tick)),
        "params": 1,
        "macs": 1,
        "flops_per_image": 10.0,
        "evaluations": evaluations,
        "curve_split": "test",
        "curve_is_headline": True,
        "checkpoint_seconds": math.inf,
    }
    return Training(**{**values, **changes})


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@given(
    images=st.integers(min_value=2, max_value=60),
    batch_size=st.integers(min_value=2, max_value=9),
    evaluations=st.integers(min_value=1, max_value=6),
)
@settings(derandomize=True, deadline=None, max_examples=30)
def test_a_counted_budget_is_spent_to_the_image(images, batch_size, evaluations):
    training = a_training(f"{images}img", batch_size=batch_size, evaluations=evaluations)
    events = list(train(training))
    assert isinstance(events[-1], Finished)
    assert events[-1].spent.images == images
    steps = training.batches.sizes[1:]  # the first was the warm-up's
    assert [start for start, _ in steps] == [
        sum(s for _, s in steps[:i]) for i in range(len(steps))
    ]
    assert all(size > 1 for _, size in steps)
    scored = [event.event for event in events if isinstance(event, Scored)]
    assert len(scored) <= evaluations
    assert [event.headline for event in scored] == [False] * (len(scored) - 1) + [True]


@pytest.mark.parametrize("budget", ["3img", "8img", "20img", "1s", "9s"])
def test_no_weights_are_evaluated_twice_and_all_evaluations_have_a_running_loss(budget):
    events = train(a_training(budget, tick=STEP_SECONDS / 4, evaluations=6))
    scored = [event.event for event in events if isinstance(event, Scored)]
    assert len({event.spent.steps for event in scored}) == len(scored)
    assert all(event.train_loss is not None for event in scored)


def test_the_last_evaluation_is_of_the_whole_split_and_those_before_it_of_the_sample():
    logits = torch.zeros(6, 2)
    training = a_training(
        "32img",
        evaluate=lambda: score(logits, torch.zeros(6, dtype=torch.int64)),
        evaluate_sample=lambda: score(logits[:3], torch.zeros(3, dtype=torch.int64)),
    )
    scored = [event.event for event in train(training) if isinstance(event, Scored)]
    assert [event.images for event in scored] == [3, 3, 3, 6]


def test_epochs_and_flops_are_counted_too():
    assert list(train(a_training("3ep")))[-1].spent.images == 24
    assert list(train(a_training("200flop")))[-1].spent.images == 20


@pytest.mark.parametrize("budget", ["10s", "33s", "1m"])
def test_a_clock_budget_ends_within_one_step_and_never_over(budget):
    training = a_training(budget, tick=STEP_SECONDS / 4)
    spent = list(train(training))[-1].spent
    limit = training.budget.limit
    step = spent.seconds / spent.steps
    assert limit - step <= spent.seconds <= limit


def test_the_last_learning_rate_is_zero_to_one_step():
    training = a_training("400img")
    finished = list(train(training))[-1]
    one_step = training.recipe.lr * 4 / 400
    assert 0 <= finished.last_lr <= one_step / (1 - training.recipe.warmup) * 1.001


def test_events_begin_and_end_in_order_and_spending_never_falls():
    events = list(train(a_training("40s", tick=STEP_SECONDS / 4)))
    assert isinstance(events[0], Started)
    spent = [e.event.spent if isinstance(e, Scored) else e.spent for e in events]
    assert [s.seconds for s in spent] == sorted(s.seconds for s in spent)
    assert [s.images for s in spent] == sorted(s.images for s in spent)
    assert any(isinstance(event, Stepped) for event in events)


def test_evaluations_come_at_equal_shares_of_the_budget():
    training = a_training("400img", evaluations=5)
    shares = [e.event.progress for e in train(training) if isinstance(e, Scored)]
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_time_outside_a_step_is_not_charged():
    training = a_training("20s", tick=STEP_SECONDS / 4)
    for _ in train(training):
        training.clock._now.seconds += 1000  # a slow reader of events
    assert training.clock.charged <= 20


def test_warming_up_leaves_weights_statistics_and_generators_as_they_were():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten())
    model.append(nn.Linear(16, 2))
    training = a_training("8img", model=model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    warm_up(training, model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


def test_a_loss_that_is_not_finite_ends_the_cell_before_the_weights_move():
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    with torch.no_grad():
        model[1].bias.fill_(math.nan)
    training = a_training("40img", model=model)
    before = model[1].weight.detach().clone()
    events = list(train(training))
    assert isinstance(events[-1], Failed)
    assert events[-1].status == "diverged"
    assert "step 1" in events[-1].reason
    assert torch.equal(before, model[1].weight)


def test_a_huge_learning_rate_is_reported_as_diverged():
    events = list(train(a_training("400img", lr=1e5)))
    assert isinstance(events[-1], Failed)
    assert events[-1].status == "diverged"


def test_auxiliary_logits_count_with_their_weights():
    class Two(nn.Module):
        aux_weights = (0.5,)

        def __init__(self):
            super().__init__()
            self.main, self.side = nn.Linear(48, 2), nn.Linear(48, 2)

        def forward(self, images):
            return self.main(images.flatten(1)), self.side(images.flatten(1))

    training = a_training("8img", model=Two())
    before = training.model.side.weight.detach().clone()
    list(train(training))
    assert not torch.equal(before, training.model.side.weight)


@pytest.mark.parametrize("stop_after", [1, 4, 7])
def test_a_resumed_run_reaches_the_same_weights(stop_after):
    whole = a_training("40img")
    list(train(whole))
    cut = a_training("40img")
    asked = iter([False] * (stop_after - 1) + [True])
    first = a_training("40img", model=cut.model, should_stop=lambda: next(asked))
    last = list(train(first))[-1]
    assert isinstance(last, CheckpointDue)
    assert last.last
    state = last.state()
    state["model"] = {name: value.clone() for name, value in state["model"].items()}
    second = a_training("40img")
    torch.manual_seed(99)
    list(train(second, checkpoint=state))
    assert torch.equal(weights(second.model), weights(whole.model))
    assert second.batches.sizes[1:][0][0] == stop_after * 4


def test_several_passes_give_the_step_of_the_whole_batch():
    whole, pieces = (
        a_training("24img", batch_size=8),
        a_training("24img", batch_size=8, micro_batch=3),
    )
    for training in (whole, pieces):
        training.model[1].p = 0.0  # dropout would draw other masks in other passes
        list(train(training))
    torch.testing.assert_close(weights(pieces.model), weights(whole.model))


def test_a_budget_in_joules_stops_before_the_step_that_would_overshoot():
    drawn = iter(range(0, 10_000, 7))  # seven joules between two readings, one step each
    training = a_training("100J", joules=lambda: float(next(drawn)))
    *_, finished = train(training)
    assert finished.spent.joules == 98
    assert finished.spent.steps == 14


def test_the_share_of_right_training_answers_is_reported():
    training = a_training("400img", tick=0.3, batch_size=8, lr=0.05)
    training.model[1].p = 0.0
    shares = [event.train_top1 for event in train(training) if isinstance(event, Stepped)]
    assert all(0 <= share <= 1 for share in shares)
    assert shares[-1] == 1.0  # eight images are learnt by heart


@pytest.mark.parametrize("seconds_a_step", [0.001, 0.3, 5.0])
def test_windows_end_at_the_same_steps_however_fast_the_machine_is(seconds_a_step):
    training = a_training("2500img", tick=seconds_a_step / 4, batch_size=48)
    windows = [w for event in train(training) if isinstance(event, Stepped) for w in event.windows]
    assert [(w.steps, w.images) for w in windows] == [(22, 1056), (44, 1056)]
    assert all(0 <= w.correct <= w.images for w in windows)


def test_a_window_goes_on_after_a_checkpoint():
    stop = iter([False] * 29 + [True])
    training = a_training("2500img", batch_size=48, should_stop=lambda: next(stop))
    before = list(train(training))
    state = before[-1].state()
    assert isinstance(before[-2], Stepped)  # no image is lost between the log and the checkpoint
    after = list(train(a_training("2500img", batch_size=48), checkpoint=state))
    whole = list(train(a_training("2500img", batch_size=48)))

    def windows(events):
        return [w for event in events if isinstance(event, Stepped) for w in event.windows]

    assert windows(before) + windows(after) == windows(whole)
    images = [event.images for event in (*before, *after) if isinstance(event, Stepped)]
    assert sum(images) == 2500


def test_a_checkpoint_of_an_older_version_starts_a_window_anew():
    stop = iter([False] * 3 + [True])
    state = list(train(a_training("64img", should_stop=lambda: next(stop))))[-1].state()
    del state["window"]
    assert isinstance(list(train(a_training("64img"), checkpoint=state))[-1], Finished)
