"""Budgets are read as people type them, and progress runs from zero to one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnbench.schema.budget import Budget, Currency, Spent

quick = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("text", "currency", "limit"),
    [
        ("90s", Currency.SECONDS, 90),
        ("2m", Currency.SECONDS, 120),
        ("1.5h", Currency.SECONDS, 5400),
        ("20ep", Currency.EPOCHS, 20),
        ("30000img", Currency.IMAGES, 30000),
        ("1e15flop", Currency.FLOPS, 1e15),
    ],
)
def test_a_budget_is_read_in_every_currency(text, currency, limit):
    assert Budget.parse(text) == Budget(currency=currency, limit=limit)


@pytest.mark.parametrize(
    "text", ["", "2", "m", "-2m", "0s", "2x", "1.2.3s", "infs", "1e999s", "2m 3s", "2.5img"]
)
def test_a_wrong_budget_is_refused_with_the_way_to_write_it(text):
    with pytest.raises(ValueError, match=r"budget .*(write|must)"):
        Budget.parse(text)


@given(
    unit=st.sampled_from(["s", "m", "h", "ep", "img", "flop", "J"]),
    amount=st.integers(min_value=1, max_value=10**15) | st.floats(0.001, 1e9),
)
@quick
def test_what_a_budget_prints_can_be_typed_again_without_losing_a_digit(unit, amount):
    budget = Budget.parse(f"{round(amount) or 1 if unit == 'img' else amount}{unit}")
    assert Budget.parse(str(budget)) == budget


def test_a_budget_is_printed_in_the_largest_unit_that_says_it_shortly():
    texts = ["90s", "100s", "2m", "3600s", "5400s", "1234567img", "1e15flop", "0.5s"]
    printed = [str(Budget.parse(text)) for text in texts]
    assert printed == ["1.5m", "100s", "2m", "1h", "1.5h", "1234567img", "1e+15flop", "0.5s"]


@given(
    limit=st.floats(min_value=1e-3, max_value=1e9),
    amounts=st.lists(st.floats(min_value=0, max_value=1e10), min_size=2),
)
@quick
def test_progress_stays_in_its_bounds_and_never_goes_back(limit, amounts):
    budget = Budget(currency=Currency.SECONDS, limit=limit)
    shares = [budget.progress(Spent(seconds=amount)) for amount in sorted(amounts)]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)


def test_counted_budgets_become_images_before_the_first_step():
    def n_images(text):
        return Budget.parse(text).total_images(train_images=1178, flops_per_image=2e9)

    assert n_images("3ep") == 3534
    assert n_images("500img") == 500
    assert n_images("1e12flop") == 500
    assert n_images("2m") is None
