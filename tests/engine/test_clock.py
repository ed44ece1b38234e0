"""The clock charges training only, and its buckets survive a restart."""

from cnnbench.engine.clock import Clock


class FakeTime:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_only_training_is_charged():
    now = FakeTime()
    clock = Clock(now=now)
    with clock.measure("train"):
        with clock.waiting():
            now.seconds += 1
        now.seconds += 4
    with clock.measure("eval"):
        now.seconds += 10
    now.seconds += 3
    assert clock.charged == 5
    assert clock.seconds["data_wait"] == 1
    assert clock.seconds["eval"] == 10
    assert clock.total() == 18


def test_the_device_is_idle_at_both_ends_of_a_measurement():
    waits = []
    clock = Clock(synchronise=lambda: waits.append(1))
    with clock.measure("train"):
        assert len(waits) == 1
    assert len(waits) == 2


def test_a_block_that_fails_is_still_measured():
    now = FakeTime()
    clock = Clock(now=now)
    try:
        with clock.measure("eval"):
            now.seconds += 2
            raise RuntimeError
    except RuntimeError:
        pass
    assert clock.seconds["eval"] == 2


def test_a_restored_clock_goes_on_where_the_saved_one_stood():
    now = FakeTime()
    first = Clock(now=now)
    with first.measure("train"):
        now.seconds += 7
    state = first.state()
    second = Clock(now=now)
    with second.measure("build"):
        now.seconds += 2
    second.restore(state)
    assert second.charged == 7
    assert second.seconds["build"] == 2
    assert second.total() == 9


def test_the_state_of_an_older_clock_has_fewer_buckets():
    clock = Clock(now=iter(range(100)).__next__)
    clock.restore({"train": 3.0, "total": 5.0})
    assert (clock.charged, clock.seconds["gallery"]) == (3.0, 0.0)
