"""What a row says of the versions, threads and machine that it was trained with."""

from hypothesis import given
from hypothesis import strategies as st

from cnnbench.schema.origin import VERSIONED, Origin, continued_words, origin_fields

ORIGINS = st.builds(
    Origin,
    versions=st.none() | st.dictionaries(st.sampled_from(VERSIONED), st.sampled_from("123")),
    threads=st.none() | st.integers(1, 3),
    cpu=st.sampled_from(["a", "b"]),
)


@given(st.lists(ORIGINS, min_size=1, max_size=6))
def test_the_last_process_is_the_rows_own_and_every_other_is_told_once(origins):
    fields = origin_fields(origins)
    own = Origin(**{key: fields[key] for key in Origin.model_fields})
    told = [*fields["earlier_origins"], own]
    assert own == origins[-1]
    assert all(origin in told for origin in origins)
    assert all(told.count(origin) == 1 for origin in told)


@given(ORIGINS)
def test_a_cell_that_goes_on_with_the_same_has_nothing_to_say(origin):
    assert origin_fields([origin, origin])["earlier_origins"] == ()
    assert continued_words([origin, origin]) == ""


def test_what_changed_is_named_with_both_values():
    before = Origin(versions={"torch": "2.9", "numpy": "2.0"}, threads=4, machine="a")
    after = Origin(versions={"torch": "2.10", "numpy": "2.0"}, threads=2, machine="a")
    assert continued_words([before, after]).startswith(
        "continued with torch 2.9, then 2.10; threads 4, then 2: "
    )


def test_a_beginning_that_recorded_nothing_is_said_to():
    words = continued_words([Origin(), Origin(versions={"torch": "2.10"}, threads=2)])
    assert "torch not recorded, then 2.10" in words


def test_nothing_was_trained_by_no_process():
    assert origin_fields([]) == {}
